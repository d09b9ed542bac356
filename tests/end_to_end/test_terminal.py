"""`bot chat` at a terminal, as a process, against a scripted inference server."""

import asyncio
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from bot.exit_code import ExitCode
from tests.doubles.inference import Queue, Say, ScriptedInference, Wait
from tests.end_to_end.processes import Bot, at_terminal, write_config
from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = r"you ?$"
CTRL_C = "\x03"
CTRL_D = "\x04"


@dataclass
class Terminal:
    """A running conversation: each test begins and ends where the prompt waits."""

    bot: Bot
    inference: ScriptedInference

    def type(self, text: str) -> None:
        self.bot.type(text)

    async def see(self, pattern: str) -> str:
        return await self.bot.out.see(pattern)

    async def stream_closed(self) -> None:
        """Wait until the service sees that its answer is not wanted any more."""
        async with asyncio.timeout(HANG_SECONDS):
            await self.inference.cancelled.wait()
        self.inference.cancelled.clear()

    def asked(self) -> str:
        return self.inference.prompts[-1][-1]["content"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def terminal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Terminal]:
    async with ScriptedInference().running() as inference:
        config = write_config(tmp_path_factory.mktemp("tty"), inference={"url": inference.url})
        async with at_terminal(config) as (bot, _):
            await bot.out.see(r"gptoss-bot with smollm2-135m.*Ctrl-D leaves\n")
            await bot.out.see(PROMPT)
            yield Terminal(bot, inference)
            bot.type(CTRL_D)
            assert await bot.exit_code() == ExitCode.OK
            assert b"Traceback" not in bot.out.raw


async def test_an_answer_streams_below_its_status_line_and_above_its_footer(
    terminal: Terminal,
) -> None:
    queued, thinking, written = asyncio.Event(), asyncio.Event(), asyncio.Event()
    terminal.inference.script(
        Queue(2, 40.0),
        Wait(queued),
        Say(reasoning="Hmm."),
        Wait(thinking),
        Say("One, "),
        Wait(written),
        Say("two."),
    )
    terminal.type("Count.\r")
    await terminal.see("Number 2 in the queue, about 40 s")
    queued.set()
    await terminal.see("Thinking…")
    thinking.set()
    await terminal.see("bot One, $")
    written.set()
    shown = await terminal.see(r"two\.\nmedium · .* s\n")
    assert "Hmm." not in shown
    await terminal.see(PROMPT)


async def test_ctrl_c_stops_the_answer_and_the_conversation_goes_on(terminal: Terminal) -> None:
    terminal.inference.script(Say("It was a dark"), Wait(asyncio.Event()))
    terminal.type("Tell a story.\r")
    await terminal.see("dark")
    terminal.type(CTRL_C)
    await terminal.stream_closed()
    await terminal.see("Stopped.\n")
    await terminal.see(PROMPT)
    terminal.type("Hi\r")
    await terminal.see("bot Hello there.")
    await terminal.see(PROMPT)


async def test_ctrl_c_at_the_prompt_tells_how_to_leave(terminal: Terminal) -> None:
    terminal.type(CTRL_C)
    await terminal.see("Ctrl-C again leaves.\n")
    await terminal.see(PROMPT)
    terminal.type("Hi\r")
    await terminal.see("bot Hello there.")
    await terminal.see(PROMPT)


async def test_stop_typed_during_an_answer_stops_it(terminal: Terminal) -> None:
    terminal.inference.script(Say("It was a dark"), Wait(asyncio.Event()))
    terminal.type("Tell a story.\r")
    await terminal.see("dark")
    terminal.type("@bot /stop\n")
    await terminal.stream_closed()
    await terminal.see("Stopping.")
    await terminal.see("Stopped.")
    await terminal.see(PROMPT)


async def test_other_lines_typed_during_an_answer_are_answered_after_it(
    terminal: Terminal,
) -> None:
    rest = asyncio.Event()
    terminal.inference.script(Say("First"), Wait(rest), Say(" answer."))
    terminal.type("One?\r")
    await terminal.see("First")
    terminal.type("Two?\n/effort low\n")
    await terminal.see("Effort is now low|effort only sets")
    rest.set()
    await terminal.see(r" answer\.")
    await terminal.see(r"you Two\?\n(.*Thinking…\n)?bot Hello there\.")
    assert terminal.asked() == "Two?"
    await terminal.see(PROMPT)


async def test_the_models_text_can_not_send_escape_sequences_to_the_terminal(
    terminal: Terminal,
) -> None:
    terminal.inference.script(Say("\x1b]0;owned\x07\x1b[2J\x9b31m\x08\x7fEnd. 👩‍💻"))
    terminal.type("Hi\r")
    await terminal.see("End. 👩‍💻")
    await terminal.see(PROMPT)
    assert b"bot \x1b[0m]0;owned[2J31mEnd." in terminal.bot.out.raw


async def test_reasoning_is_shown_when_it_is_asked_for(terminal: Terminal, tmp_path: Path) -> None:
    rest = asyncio.Event()
    async with ScriptedInference().running() as inference:
        inference.ready = False
        inference.script(Say(reasoning="Because."), Wait(rest), Say("So."))
        config = write_config(
            tmp_path, inference={"url": inference.url}, defaults={"show_reasoning": True}
        )
        async with at_terminal(config) as (bot, screen):
            modes = termios.tcgetattr(screen)
            await bot.out.see(r"loading .*50%")
            inference.ready = True
            await bot.out.see(PROMPT)
            bot.type("Why?\r")
            await bot.out.see(r"Because\.$")
            rest.set()
            await bot.out.see(r"\n\nbot So\.\n")
            await bot.out.see(PROMPT)
            bot.process.terminate()
            assert await bot.exit_code() == ExitCode.OK
            assert termios.tcgetattr(screen) == modes
