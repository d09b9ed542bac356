"""A busy quarter of a minute on a bad line."""

import asyncio
import random

import psutil
import pytest

from tests.doubles.discord import Channel, Message, Person
from tests.doubles.inference import Say
from tests.platforms.discord.conftest import Running, Scene, ended

CHANNELS, PEOPLE, MENTIONS, SECONDS = 20, 50, 200, 10
ANSWER = [Say(f"Sentence number {at} of the answer. ") for at in range(20)] + [Say("The end.")]


@pytest.mark.slow
async def test_two_hundred_mentions_get_one_whole_answer_each(running: Running) -> None:
    async with running(own_process=True, true_limits=True) as scene:
        scene.inference.default = ANSWER
        channels = [scene.guild.channel(f"channel-{at}") for at in range(CHANNELS)]
        people = [scene.guild.member(f"Person {at}") for at in range(PEOPLE)]
        await answered(scene, [ask(people[at], channels[at]) for at in range(CHANNELS)])
        before = resident(scene)
        scene.discord.fault_rate = 0.05
        questions: list[Message] = []
        dice = random.Random(0)
        for at in range(MENTIONS):
            questions.append(ask(people[at % PEOPLE], dice.choice(channels)))
            if at in (MENTIONS // 3, 2 * MENTIONS // 3):
                scene.discord.gateway.drop()
            await asyncio.sleep(SECONDS / MENTIONS)  # the load itself, not a wait for something
        await answered(scene, questions)
        for question in questions:
            (answer,) = question.replies
            assert "The end." in answer.text
        assert len(scene.inference.requests) == CHANNELS + MENTIONS
        after = resident(scene)
        assert after <= 1.1 * before


def ask(person: Person, channel: Channel) -> Message:
    return person.say(channel, "@bot Tell me something.")


async def answered(scene: Scene, questions: list[Message]) -> None:
    def all_ended() -> bool:
        return all(any(map(ended, question.replies)) for question in questions)

    await scene.discord.until(all_ended)


def resident(scene: Scene) -> int:
    """Bytes of the bot's memory."""
    return psutil.Process(scene.bot.process.pid).memory_info().rss
