"""From a question to its answer, and what happens when the inference service fails."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from bot.client import client as client_module
from bot.config import Config, Effort, builtin_texts
from bot.conversation import requests as requests_module
from bot.conversation import responder as responder_module
from bot.conversation.answer import Answer
from bot.conversation.events import Message, Place, Question
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.responder import Responder
from bot.tools import Session, Toolbox, ToolContext
from tests.conversation.conftest import ADMIN, ANN, CHANNEL, MODERATOR, THREAD, Chat, finished
from tests.doubles.inference import Drop, Error, Queue, Raw, Say, Wait


@pytest.fixture(autouse=True)
def _poll_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "POLL_SECONDS", 0.01)


async def until(reply: Reply, state: ReplyState) -> None:
    async for _ in reply.updates():
        if reply.state is state:
            return
    raise AssertionError(f"{reply.state} instead of {state}")


async def test_reasoning_and_answer_are_kept_apart(chat: Chat) -> None:
    chat.inference.script(Say(reasoning="Let me "), Say(reasoning="think."), Say("Blue."))
    reply = await chat.answer("Which colour?")
    assert reply.state is ReplyState.DONE
    assert (reply.reasoning, reply.text) == ("Let me think.", "Blue.")


async def test_a_finished_reply_tells_its_tokens(chat: Chat) -> None:
    reply = await chat.answer("Hi")
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.reasoning_tokens) == (10, 3)
    assert reply.usage.answer_tokens == 4


async def test_the_request_carries_effort_budget_and_a_hashed_user(chat: Chat) -> None:
    await chat.command("/effort low")
    await chat.answer("Hi")
    (request,) = chat.inference.requests
    assert request["reasoning_effort"] == "low"
    assert request["max_completion_tokens"] == Config().efforts[Effort.LOW].max_tokens
    server, user = request["user"].split("/")
    assert {"server", "1"}.isdisjoint({server, user})


async def test_a_servers_weight_is_told_to_the_service_where_it_has_one(chat: Chat) -> None:
    await chat.answer("Hi")
    chat.configure(Config.model_validate({"servers": {"server": {"weight": 2}}}))
    await chat.answer("Hi")
    assert [request.get("weight") for request in chat.inference.requests] == [None, 2]


async def test_the_persona_in_force_is_the_system_prompt(chat: Chat) -> None:
    await chat.command("/persona riddles")
    await chat.answer("Who are you?")
    system = chat.inference.prompts[0][0]
    assert system["role"] == "system"
    assert system["content"].startswith("Always respond in riddles\n\nToday is ")


async def test_a_waiting_reply_tells_its_place_and_time(chat: Chat) -> None:
    go_on = asyncio.Event()
    chat.inference.script(Queue(3, 42.0), Wait(go_on), Say("Done."))
    reply = await chat.ask("Hi")
    async for _ in reply.updates():
        if reply.position is not None:
            break
    assert (reply.state, reply.position, reply.eta_seconds) == (ReplyState.QUEUED, 3, 42.0)
    go_on.set()
    assert (await finished(reply)).text == "Done."


async def test_a_stop_closes_the_stream_and_keeps_what_came(chat: Chat) -> None:
    chat.inference.script(Say("Once upon"), Wait(asyncio.Event()))
    reply = await chat.ask("Tell me a story")
    await until(reply, ReplyState.WRITING)
    reply.stop()
    await until(reply, ReplyState.STOPPED)
    await chat.inference.cancelled.wait()
    assert reply.text == "Once upon"
    assert chat.core.responder.running(CHANNEL) == []


async def test_while_the_model_loads_people_are_told_and_the_request_waits(chat: Chat) -> None:
    chat.inference.ready = False
    reply = await chat.ask("Hi")
    await until(reply, ReplyState.LOADING)
    assert (reply.stage, reply.progress) == ("loading", 0.5)
    assert chat.inference.requests == []
    chat.inference.ready = True
    assert (await finished(reply)).text == "Hello there."


async def test_questions_that_wait_for_the_model_ask_for_it_together(chat: Chat) -> None:
    chat.inference.ready = False
    replies = [await chat.ask(f"Question {number}") for number in range(20)]
    for reply in replies:
        await until(reply, ReplyState.LOADING)
    asked = chat.inference.health_asked
    for _ in range(3):
        await chat.core.client.next_health()
    assert chat.inference.health_asked - asked <= 4
    chat.inference.ready = True
    assert {(await finished(reply)).state for reply in replies} == {ReplyState.DONE}


async def test_a_service_that_restarts_between_check_and_request_is_waited_for(chat: Chat) -> None:
    chat.inference.script(Error(503))
    assert (await chat.answer("Hi")).text == "Hello there."


async def test_a_request_that_had_produced_nothing_is_tried_again_once(chat: Chat) -> None:
    chat.inference.script(Drop())
    reply = await chat.answer("Hi")
    assert (reply.state, reply.text) == (ReplyState.DONE, "Hello there.")
    assert len(chat.inference.requests) == 2


async def test_reasoning_that_was_lost_does_not_stay_when_the_request_is_repeated(
    chat: Chat,
) -> None:
    chat.inference.script(Say(reasoning="Hm"), Drop())
    chat.inference.script(Say(reasoning="Anew"), Say("Yes."))
    reply = await chat.answer("Hi")
    assert (reply.reasoning, reply.text) == ("Anew", "Yes.")


async def test_a_second_loss_ends_the_reply_with_a_clear_line(chat: Chat) -> None:
    chat.inference.script(Drop())
    chat.inference.script(Drop())
    reply = await chat.answer("Hi")
    assert reply.state is ReplyState.FAILED
    assert reply.notices == ["Something went wrong, and I couldn't answer. Please ask again."]


async def test_an_answer_that_breaks_off_ends_with_what_came_and_says_so(chat: Chat) -> None:
    chat.inference.script(Say("The sky is"), Drop())
    reply = await chat.answer("Why is the sky blue?")
    assert (reply.state, reply.text) == (ReplyState.FAILED, "The sky is")
    assert "cut off" in reply.notices[0]
    assert len(chat.inference.requests) == 1


@pytest.mark.parametrize("event", ['{"error": "it failed"}', '{"error": "it said "no""}', "{"])
async def test_an_error_in_a_form_of_its_own_keeps_what_came(chat: Chat, event: str) -> None:
    chat.inference.script(Say("The sky is"), Raw(event))
    reply = await chat.answer("Why is the sky blue?")
    assert (reply.state, reply.text) == (ReplyState.FAILED, "The sky is")
    assert "cut off" in reply.notices[0]


async def test_a_chunk_that_makes_no_sense_keeps_what_came(chat: Chat) -> None:
    chat.inference.script(Say("The sky is"), Raw('{"choices": [7]}'))
    reply = await chat.answer("Why is the sky blue?")
    assert (reply.state, reply.text) == (ReplyState.FAILED, "The sky is")
    assert "cut off" in reply.notices[0]


@pytest.mark.parametrize("said", [[], [Say("The sky")]], ids=["nothing", "a beginning"])
async def test_a_server_that_falls_silent_is_given_up(
    chat: Chat, said: list[Say], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_module, "GRACE_SECONDS", 0.1)
    chat.configure(Config.model_validate({"inference": {"request_timeout_seconds": 0.1}}))
    chat.inference.script(*said, Wait(asyncio.Event()))
    reply = await chat.answer("Why?")
    assert reply.state is ReplyState.FAILED
    assert reply.text == "".join(say.text for say in said)
    assert len(reply.notices) == 1


async def test_a_full_queue_tells_when_to_try_again(chat: Chat) -> None:
    chat.inference.script(Error(429, headers={"Retry-After": "120"}))
    reply = await chat.answer("Hi")
    assert reply.notices == ["Too many people are asking right now. Please try again in 2 min."]


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_a_refusal_is_one_clear_line_without_details(chat: Chat, status: int) -> None:
    chat.inference.script(Error(status, message="secret details"))
    reply = await chat.answer("Hi")
    assert reply.state is ReplyState.FAILED
    assert reply.notices == ["Something went wrong, and I couldn't answer. Please ask again."]


async def test_a_prompt_that_the_service_finds_too_long_is_shortened(chat: Chat) -> None:
    chat.inference.counts_tokens = False
    chat.inference.script(Error(400, "context_length_exceeded"))
    reply = await chat.answer("word " * 5000)
    assert reply.text == "Hello there."
    first, second = (prompt[-1]["content"] for prompt in chat.inference.prompts)
    assert len(second) < len(first)


async def test_a_prompt_that_stays_too_long_ends_with_a_clear_line(chat: Chat) -> None:
    for _ in range(4):
        chat.inference.script(Error(400, "context_length_exceeded"))
    reply = await chat.answer("word " * 5000)
    assert reply.state is ReplyState.FAILED


async def test_a_question_that_was_cut_says_how_much(chat: Chat) -> None:
    chat.inference.model["max_model_len"] = 200
    reply = await chat.answer("word " * 500)
    assert "too long for the model" in reply.notices[0]


async def test_what_the_platform_could_not_read_is_told_with_the_answer(chat: Chat) -> None:
    question = Question(Message("m", ANN, "Hi"), notices=["I couldn't read a.xyz."])
    reply = await finished(chat.core.responder.answer(question, (await chat.admit()).here))
    assert (reply.state, reply.notices) == (ReplyState.DONE, ["I couldn't read a.xyz."])


async def test_an_answer_at_its_limit_says_so(chat: Chat) -> None:
    chat.inference.finish_reason = "length"
    reply = await chat.answer("Hi")
    assert "length limit" in reply.notices[0]


async def test_any_openai_compatible_server_will_do(chat: Chat) -> None:
    chat.inference.lists_models = chat.inference.counts_tokens = False
    assert (await chat.answer("Hi")).text == "Hello there."
    assert chat.inference.requests[0]["model"] == "scripted"


async def test_an_address_where_a_web_page_answers_is_one_clear_line(chat: Chat) -> None:
    chat.inference.is_a_web_page = True
    reply = await chat.answer("Hi")
    assert reply.notices == ["Something went wrong, and I couldn't answer. Please ask again."]


async def test_the_only_model_of_another_server_is_used_whatever_its_name(chat: Chat) -> None:
    chat.inference.model = {"id": "theirs", "object": "model", "created": 0, "owned_by": "x"}
    await chat.answer("Hi")
    assert chat.inference.requests[0]["model"] == "theirs"


async def test_a_message_can_ask_for_an_effort_of_its_own(chat: Chat) -> None:
    await chat.command("/effort low")
    await chat.ended(await chat.ask_admitted("Hi", ANN, await chat.admit(effort=Effort.HIGH)))
    assert chat.inference.requests[0]["reasoning_effort"] == "high"


async def test_usage_is_counted_for_the_person(chat: Chat) -> None:
    await chat.answer("Hi")
    await chat.answer("Hi")
    usage = await chat.core.store.usage.of("test", user_id="1")
    assert (usage.requests, usage.prompt_tokens, usage.completion_tokens) == (2, 20, 14)


async def test_draining_lets_an_answer_finish(chat: Chat) -> None:
    go_on = asyncio.Event()
    chat.inference.script(Say("In "), Wait(go_on), Say("time."))
    reply = await chat.ask("a")
    await until(reply, ReplyState.WRITING)
    draining = asyncio.create_task(chat.core.responder.drain(grace_seconds=60))
    await asyncio.sleep(0)
    go_on.set()
    await draining
    assert (reply.state, reply.text) == (ReplyState.DONE, "In time.")


async def test_draining_stops_an_answer_that_does_not_finish(chat: Chat) -> None:
    chat.inference.script(Say("Never"), Wait(asyncio.Event()))
    reply = await chat.ask("b", place=THREAD)
    await until(reply, ReplyState.WRITING)
    await chat.core.responder.drain(grace_seconds=0.01)
    assert reply.state is ReplyState.STOPPED


async def test_german_servers_get_german_notices_and_answers(chat: Chat) -> None:
    chat.configure(Config.model_validate({"servers": {"server": {"language": "de"}}}))
    chat.inference.script(Error(500))
    reply = await chat.answer("Hallo")
    assert reply.notices == [builtin_texts("de")["failed"]]
    await chat.answer("Hallo")
    assert chat.inference.prompts[-1][0]["content"].endswith("Antworte auf Deutsch.")


async def test_admins_and_askers_stop_by_command(chat: Chat) -> None:
    chat.inference.script(Say("a"), Wait(asyncio.Event()))
    reply = await chat.ask("Hi")
    await until(reply, ReplyState.WRITING)
    assert "not writing an answer for you" in await chat.command(
        "/stop", author=ADMIN, place=THREAD
    )
    assert await chat.command("/stop", author=ANN) == "Stopping."
    await until(reply, ReplyState.STOPPED)


async def test_each_server_has_a_cache_of_its_own_in_the_service_and_keeps_it(chat: Chat) -> None:
    for place in (CHANNEL, Place("test", "another server", "channel"), THREAD):
        await chat.answer("Hi", place=place)
    first, other, again = (request["cache_salt"] for request in chat.inference.requests)
    assert first == again != other
    assert "server" not in first + other


async def test_a_server_that_may_not_know_the_salt_is_sent_none(chat: Chat) -> None:
    chat.inference.model["owned_by"] = "somebody"
    await chat.answer("Hi")
    assert "cache_salt" not in chat.inference.requests[0]


async def test_an_answer_without_text_says_why(chat: Chat) -> None:
    chat.inference.script(Say(reasoning="Hm."))
    thought = await chat.answer("Hi")
    assert thought.state is ReplyState.FAILED
    assert "thought about it" in thought.notices[0]
    chat.inference.script(Say(" "))
    silent = await chat.answer("Hi")
    assert silent.state is ReplyState.FAILED
    assert "didn't write anything" in silent.notices[0]


async def test_a_higher_effort_is_proposed_only_where_it_has_a_higher_limit(chat: Chat) -> None:
    chat.inference.finish_reason = "length"
    (notice,) = (await chat.answer("Hi")).notices
    assert notice == builtin_texts("en")["length_reached_higher"]
    await chat.command("/effort high")
    (notice,) = (await chat.answer("Hi")).notices
    assert notice == builtin_texts("en")["length_reached"]


async def test_a_prompt_has_at_most_the_tokens_that_are_set(chat: Chat) -> None:
    chat.configure(Config.model_validate({"conversation": {"max_tokens": 256}}))
    await chat.answer("word " * 1000)
    assert chat.inference.count(chat.inference.prompts[0]) <= 256


async def test_an_answer_is_counted_with_how_it_ended_and_how_long_it_took(chat: Chat) -> None:
    def measured(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, {"platform": "test", **labels}) or 0.0

    def all_measured() -> list[float]:
        seconds = ("bot_first_text_seconds", "bot_answer_seconds")
        return [
            *(measured("bot_answers_total", outcome=how) for how in ("done", "failed")),
            *(measured(f"{name}_count") for name in seconds),
            *(measured(f"{name}_sum") for name in seconds),
        ]

    before = all_measured()
    await chat.answer("Hi")
    chat.inference.script(Error(500))
    await chat.answer("Hi")
    *counts, first_text, whole = (b - a for a, b in zip(before, all_measured(), strict=True))
    assert counts == [1, 1, 1, 2]
    assert 0 < first_text <= whole < 300
    assert REGISTRY.get_sample_value("bot_answers_running", {"platform": "test"}) == 0


async def test_a_failed_answer_is_told_of_and_has_no_cost(chat: Chat) -> None:
    ended: list[Answer] = []
    chat.core.responder.on_end.append(ended.append)
    chat.inference.script(Error(500))
    reply = await chat.answer("Hi")
    assert [answer.reply for answer in ended] == [reply]
    assert chat.core.responder.last_answer(CHANNEL, ANN.id) is None


async def test_the_costs_of_the_newest_answers_are_remembered(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responder_module, "REMEMBERED", 1)
    core, here = chat.core, await chat.core.read(CHANNEL)
    responder = Responder(core.client, core.responder.toolbox)
    for author in (ANN, MODERATOR):
        await finished(responder.answer(Question(Message("m", author, "Hi")), here))
        await responder.drain(60)
    assert responder.last_answer(CHANNEL, ANN.id) is None
    assert responder.last_answer(CHANNEL, MODERATOR.id) is not None


async def test_an_answer_that_ended_waits_for_nothing_any_more(chat: Chat) -> None:
    await chat.answer("Hi")
    await chat.core.responder.drain(60)
    await asyncio.sleep(0)
    assert "stop_requested" not in repr(asyncio.all_tasks())


async def test_an_answer_runs_in_its_thread_and_its_channel_and_nowhere_else(chat: Chat) -> None:
    chat.inference.script(Wait(asyncio.Event()))
    reply = await chat.ask("Hi", place=THREAD)
    others = (Place("test", "server", "other"), replace(THREAD, thread="other"))
    running = [chat.core.responder.running(place) for place in (THREAD, CHANNEL, *others)]
    assert running == [[reply], [reply], [], []]


class Broken(Toolbox):
    """Its tools can't be opened, which no code expects."""

    async def open(self, config: Config, context: ToolContext) -> Session:
        raise RuntimeError("no tools")


async def test_an_error_that_nobody_expects_is_one_clear_line(chat: Chat) -> None:
    chat.core.responder.toolbox = Broken()
    reply = await chat.answer("Hi")
    assert reply.state is ReplyState.FAILED
    assert reply.notices == [builtin_texts("en")["failed"]]
    assert chat.core.responder.answers == []


async def test_an_error_where_an_ended_answer_is_counted_costs_no_log_line(chat: Chat) -> None:
    def broken(answer: Answer) -> None:
        raise RuntimeError("no room")

    chat.core.responder.on_end.append(broken)
    with capture_logs() as logs:
        await chat.answer("Hi")
        await chat.core.responder.drain(60)
    events = [line["event"] for line in logs]
    assert events[-2:] == ["an answer that ended was not counted", "answer ended"]
