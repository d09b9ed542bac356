"""A busy quarter of a minute on a bad line."""

import asyncio
import random

import pytest

from tests.doubles.inference import Say
from tests.doubles.slack import Channel, Message, Person
from tests.platforms.slack.conftest import Running, ended

CHANNELS, PEOPLE, QUESTIONS, SECONDS = 20, 50, 200, 10
ANSWER = [Say(f"Sentence number {at} of the answer. ") for at in range(20)] + [Say("The end.")]


@pytest.mark.slow
@pytest.mark.parametrize("http", [False, True], ids=["socket", "http"])
async def test_two_hundred_questions_get_one_whole_answer_each(
    running: Running, *, http: bool
) -> None:
    async with running(http=http, own_process=True, true_limits=True) as scene:
        scene.inference.default = ANSWER
        scene.slack.fault_rate = 0.05
        scene.slack.repeat_every = 10
        channels = [scene.team.channel(f"channel-{at}") for at in range(CHANNELS)]
        people = [scene.team.member(f"Person {at}") for at in range(PEOPLE)]
        questions: list[Message] = []
        dice = random.Random(0)
        for at in range(QUESTIONS):
            questions.append(ask(people[at % PEOPLE], dice.choice(channels)))
            if at in (QUESTIONS // 3, 2 * QUESTIONS // 3):
                scene.slack.socket.drop()
            await asyncio.sleep(SECONDS / QUESTIONS)  # the load itself, not a wait for something

        def all_ended() -> bool:
            return all(any(map(ended, question.replies)) for question in questions)

        await scene.slack.until(all_ended)
        for question in questions:
            (answer,) = (reply for reply in question.replies if reply.author.is_bot)
            assert answer.text.count("Sentence number") == 20
            assert "The end." in answer.text
        assert len(scene.inference.requests) == QUESTIONS


def ask(person: Person, channel: Channel) -> Message:
    return person.say(channel, "@bot Tell me something.")
