"""Questions on Slack and their answers, by Socket Mode and by HTTP."""

import asyncio

from tests.doubles.inference import Queue, Say, Wait
from tests.platforms.slack.conftest import Running, Scene


async def test_a_mention_is_answered_in_its_thread(either: Scene) -> None:
    question = either.ann.say(either.general, "@bot hi")
    answer = await either.answer_to(question)
    assert answer.text.startswith("Hello there.")
    assert answer.thread is question
    assert either.general.from_bot == [answer]


async def test_a_message_to_others_is_not_answered(either: Scene) -> None:
    either.ann.say(either.general, "hello all")
    await either.ask("hi")
    assert len(either.inference.requests) == 1


async def test_a_direct_message_is_answered_without_a_mention(either: Scene) -> None:
    answer = await either.answer_to(either.ann.dm("hi"))
    assert answer.text.startswith("Hello there.")


async def test_further_messages_of_its_thread_are_answered_without_a_mention(
    either: Scene,
) -> None:
    question = either.ann.say(either.general, "@bot one")
    await either.answer_to(question)
    await either.answer_to(either.ann.say(either.general, "two", thread=question))
    said = [(m["role"], m["content"]) for m in either.last_prompt()[1:]]
    assert said == [("user", "one"), ("assistant", "Hello there."), ("user", "two")]
