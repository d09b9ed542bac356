"""`bot chat` with lines piped in, as a process, against a scripted inference server."""

import asyncio
import json
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.exit_code import ExitCode
from tests.doubles.inference import Error, Say, ScriptedInference, Wait
from tests.end_to_end.processes import NOBODY, converse, piped, write_config

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = """\
Hi
@bot Hi
@bottle is no mention
/effort high
/persona riddles
/settings
/status
/help
/efort low

Why?
@bot, /new
New"""
ANSWERS = ["Hello,\n\tAnn 👩‍💻 10\u00a0km\x1b[31m!  ", "One.", "Two.", "Three.", "Four."]


class Conversation:
    """A whole piped conversation and what the server was asked for."""

    def __init__(self, out: str, err: str, code: int, inference: ScriptedInference) -> None:
        self.out = out
        self.err = err
        self.code = code
        self.requests = inference.requests
        self.prompts = inference.prompts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def conversation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Conversation]:
    async with ScriptedInference().running() as inference:
        for answer in ANSWERS:
            inference.script(Say(answer))
        config = write_config(tmp_path_factory.mktemp("piped"), inference={"url": inference.url})
        bot, code = await converse(config, LINES)
        yield Conversation(bot.out.raw.decode(), bot.err.text, code, inference)


async def test_piped_lines_are_answered_in_turn_and_the_bot_exits_0(
    conversation: Conversation,
) -> None:
    assert conversation.code == ExitCode.OK
    positions = [conversation.out.index(answer) for answer in ["Hello,", *ANSWERS[1:]]]
    assert positions == sorted(positions)


async def test_standard_output_has_the_answers_and_the_commands_replies_alone(
    conversation: Conversation,
) -> None:
    paragraphs = conversation.out.split("\n\n")
    assert paragraphs[:3] == ["Hello,\n\tAnn 👩‍💻 10\u00a0km[31m!  ", "One.", "Two."]
    assert paragraphs[3].startswith("Effort") or paragraphs[3].startswith("This model")
    assert paragraphs[4] == "This channel now uses the riddles persona."
    assert paragraphs[5].startswith("- **Persona: riddles** (set in this channel).")
    assert "- **Effort: high** (" in paragraphs[5]
    assert paragraphs[6].startswith("Model: scripted\n")
    assert paragraphs[7].startswith("```\nAsk me\n")
    assert paragraphs[-5] == "I don't know the command /efort. Did you mean /effort?"
    assert paragraphs[-4] == "Three."
    assert "starts over" in paragraphs[-3]
    assert paragraphs[-2:] == ["Four.", ""]
    assert conversation.err == ""


async def test_a_mention_at_the_lines_beginning_is_left_out(conversation: Conversation) -> None:
    questions = [prompt[-1]["content"] for prompt in conversation.prompts]
    assert questions == ["Hi", "Hi", "@bottle is no mention", "Why?", "New"]


async def test_the_turns_before_are_sent_until_they_are_forgotten(
    conversation: Conversation,
) -> None:
    turns = [[turn["content"] for turn in prompt[1:]] for prompt in conversation.prompts]
    assert turns[1] == ["Hi", ANSWERS[0].strip(), "Hi"]
    assert turns[3] == [*turns[1], "One.", "@bottle is no mention", "Two.", "Why?"]
    assert turns[4] == ["New"]


async def test_effort_and_persona_set_in_the_conversation_hold_from_then_on(
    conversation: Conversation,
) -> None:
    efforts = [request["reasoning_effort"] for request in conversation.requests]
    assert efforts == ["medium", "medium", "medium", "high", "high"]
    assert ["riddles" in prompt[0]["content"] for prompt in conversation.prompts[2:4]] == [
        False,
        True,
    ]


async def test_a_file_is_answered_like_a_pipe_and_nothing_at_all_ends_well_too(
    tmp_path: Path,
) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("Hi\r\nBye")
    async with ScriptedInference().running() as inference:
        config = write_config(tmp_path, inference={"url": inference.url})
        with lines.open() as file:
            async with piped(config, stdin=file) as some, piped(config, stdin=DEVNULL) as none:
                codes = await asyncio.gather(some.exit_code(), none.exit_code())
        questions = [prompt[-1]["content"] for prompt in inference.prompts]
    assert codes == [ExitCode.OK, ExitCode.OK]
    assert (some.out.text, none.out.text) == ("Hello there.\n\n" * 2, "")
    assert questions == ["Hi", "Bye"]


async def test_regenerate_asks_the_last_question_again_in_place_of_the_answer(
    tmp_path: Path,
) -> None:
    async with ScriptedInference().running() as inference:
        for answer in ("One.", "Two.", "Better.", "Three."):
            inference.script(Say(answer))
        config = write_config(tmp_path, inference={"url": inference.url})
        bot, code = await converse(config, "/regenerate\nA\nB\n/regenerate\nC\n")
        said = [[turn["content"] for turn in prompt[1:]] for prompt in inference.prompts]
    assert code == ExitCode.OK
    assert bot.out.text.startswith("You haven't asked anything here that I could answer again.")
    assert said[2] == said[1] == ["A", "One.", "B"]
    assert said[3] == ["A", "One.", "B", "Better.", "C"]


async def test_a_failed_answer_is_told_on_standard_error_and_by_the_exit_code(
    tmp_path: Path,
) -> None:
    """With the log at its most talkative: what was said and the key are nowhere in it."""
    async with ScriptedInference().running() as inference:
        inference.script(Say("Zebra."))
        inference.script(Error(500, message="Okapi"))
        config = write_config(tmp_path, inference={"url": inference.url, "api_key": "sesame-1234"})
        lines = "I love walruses\n/persona create mole Talk about moles\nHippos?\nBye\n"
        bot, code = await converse(config, lines, BOT_LOG_LEVEL="debug")
    assert code == ExitCode.FAILURE
    assert bot.out.text.startswith("Zebra.\n\nSaved mole, version 1.\n\nHello there.")
    told = [line for line in bot.err.text.splitlines() if not line.startswith("{")]
    assert told == ["Something went wrong, and I couldn't answer. Please ask again."]
    logged = [json.loads(line) for line in bot.err.text.splitlines() if line.startswith("{")]
    assert [entry["event"] for entry in logged if entry["level"] == "warning"] == ["answer failed"]
    for secret in ("walrus", "moles", "Hippo", "Zebra", "Okapi", "sesame"):
        assert secret not in bot.err.text


async def test_reasoning_is_shown_apart_from_the_answer_and_each_stage_of_loading_once(
    tmp_path: Path,
) -> None:
    async with ScriptedInference().running() as inference:
        inference.ready = False
        inference.script(Say(reasoning="Because "), Say(reasoning="reasons."), Say("So."))
        config = write_config(
            tmp_path, inference={"url": inference.url}, defaults={"show_reasoning": True}
        )
        async with piped(config) as bot:
            bot.type("Why?\n")
            await bot.err.see(r"model ready \(loading\).*\n")
            inference.ready = True
            await bot.out.see("So.\n")
            await bot.err.see("Because reasons.\n\n")
    assert bot.err.text.count("model ready") == 1


async def test_sigterm_lets_the_answer_end_and_takes_no_further_line(tmp_path: Path) -> None:
    rest = asyncio.Event()
    async with ScriptedInference().running() as inference:
        inference.script(Say("One, "), Wait(rest), Say("two."))
        config = write_config(tmp_path, inference={"url": inference.url})
        async with piped(config, BOT_LOG_LEVEL="info") as bot:
            bot.type("Count.\nAgain.\n")
            await bot.out.see("One, ")
            bot.process.terminate()
            await bot.err.see("stopping")
            rest.set()
            assert await bot.exit_code() == ExitCode.OK
        assert (bot.out.text, len(inference.requests)) == ("One, two.\n\n", 1)


async def test_a_reader_that_leaves_ends_the_conversation_quietly(tmp_path: Path) -> None:
    async with ScriptedInference().running() as inference:
        inference.script(Say("One, "), *[Say("and more ")] * 20_000)
        config = write_config(tmp_path, inference={"url": inference.url})
        async with piped(config) as bot:
            bot.type("Count.\nAgain.\n")
            await bot.out.see("One, ")
            bot.close_output()
            assert await bot.exit_code() == ExitCode.OK
        assert (bot.err.text, len(inference.requests)) == ("", 1)


async def test_a_database_that_can_not_be_opened_is_one_line(tmp_path: Path) -> None:
    async def told(name: str, url: str) -> str:
        (folder := tmp_path / name).mkdir()
        config = write_config(folder, inference={"url": NOBODY}, storage={"url": url})
        bot, code = await converse(config, "Hi\n")
        assert code == ExitCode.UNUSABLE
        assert bot.err.text.count("\n") == 1, bot.err.text
        return bot.err.text

    (tmp_path / "file").touch()
    place, driver = await asyncio.gather(
        told("place", f"sqlite+aiosqlite:///{tmp_path}/file/bot.db"),
        told("driver", "mongo+motor://me:hidden@host/bot"),
    )
    assert place.startswith(f"storage.url: sqlite+aiosqlite:///{tmp_path}/file/bot.db: ")
    assert driver.startswith("storage.url: mongo+motor://me:***@host/bot can't be opened: ")
