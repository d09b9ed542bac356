"""Several bots that share the servers of one application by shards, on one database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles.discord import Channel, DiscordDouble, Guild, Modal, Person
from tests.doubles.inference import Say, ScriptedInference
from tests.end_to_end.processes import Bot, piped
from tests.platforms.discord.conftest import Running, Scene, ended

SHARDS = 2


@dataclass
class Place:
    """A server's channel, and its administrator."""

    channel: Channel
    ada: Person


@dataclass
class Pair:
    """Two bots, each with a model of its own that tells who answers, and a server of each shard."""

    scene: Scene
    bots: list[Bot]
    models: list[ScriptedInference]
    places: list[Place]

    async def ask(self, place: Place) -> str:
        """The one answer to a question there."""
        question = place.ada.say(place.channel, "@bot hi")
        await self.scene.discord.until(lambda: any(map(ended, question.replies)))
        (answer,) = question.replies
        return answer.text

    async def give_persona(self, place: Place, prompt: str) -> None:
        """Make a persona and use it in all of the server."""
        form = await place.ada.slash(place.channel, "persona create").response
        assert isinstance(form, Modal)
        await place.ada.submit(form, {"Name": "own", "System prompt": prompt}).response
        await place.ada.slash(place.channel, "persona use", name="own", scope="server").response

    @asynccontextmanager
    async def exchanged(self) -> AsyncIterator[None]:
        """Inside, both bots have been started anew, each with the other's shard."""
        for bot in self.bots:
            bot.stop()
            assert await bot.exit_code() == 0
        async with AsyncExitStack() as running:
            for shard, model in enumerate(reversed(self.models)):
                config = config_of(self.scene, shard, model)
                bot = await running.enter_async_context(piped(config, command="run"))
                await bot.err.see("discord is connected")
            yield


@pytest.fixture
async def pair(running: Running, database: str) -> AsyncIterator[Pair]:
    guilds: list[Guild] = []

    def first(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        by_shard = {shard_of(guild): guild}
        while len(by_shard) < SHARDS:
            other = double.guild("Other")
            by_shard[shard_of(other)] = other
        guilds.extend(by_shard[shard] for shard in range(SHARDS))
        shards = {"shard_count": SHARDS, "shard_ids": [0]}
        return {"discord": shards, "storage": {"url": database}}

    async with running(prepare=first) as scene, ScriptedInference().running() as inference:
        models = [scene.inference, inference]
        for at, model in enumerate(models):
            model.default = [Say(f"From model {at}.")]
        async with piped(config_of(scene, 1, inference), command="run") as other:
            await other.err.see("discord is connected")
            places = [Place(g.channel("busy"), g.member("Ada", "manage_guild")) for g in guilds]
            yield Pair(scene, [scene.bot, other], models, places)
            assert '"exception"' not in other.err.text


def shard_of(guild: Guild) -> int:
    return (guild.id >> 22) % SHARDS


def config_of(scene: Scene, shard: int, model: ScriptedInference) -> Path:
    """The first bot's configuration with another shard and model."""
    config = yaml.safe_load((scene.folder / "bot.yaml").read_text())
    config["discord"]["shard_ids"] = [shard]
    config["inference"]["url"] = model.url
    path = scene.folder / f"shard-{shard}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_each_bot_identifies_for_its_own_shard_alone(pair: Pair) -> None:
    gateway = pair.scene.discord.gateway
    assert [session.shard for session in gateway.sessions.values()] == [(0, 2), (1, 2)]
    assert gateway.identified == 2


async def test_after_their_sessions_are_lost_they_identify_for_the_same_shards(pair: Pair) -> None:
    gateway = pair.scene.discord.gateway
    gateway.invalidate()
    await pair.scene.discord.until(lambda: len(gateway.sessions) == 2)
    assert {session.shard for session in gateway.sessions.values()} == {(0, 2), (1, 2)}
    for at, place in enumerate(pair.places):
        assert (await pair.ask(place)).startswith(f"From model {at}.")


async def test_every_question_is_answered_once_by_the_bot_with_its_servers_shard(
    pair: Pair,
) -> None:
    discord = pair.scene.discord
    for _ in range(10):
        discord.guild("Busy")
    guilds = discord.guilds.values()
    questions = [guild.member("Kim").say(guild.channel("kims"), "@bot hi") for guild in guilds]
    await discord.until(lambda: all(any(map(ended, q.replies)) for q in questions))
    for question in questions:
        (answer,) = question.replies
        assert answer.text.startswith(f"From model {shard_of(question.channel.guild)}.")


async def test_a_direct_message_is_answered_once_by_the_bot_with_the_first_shard(
    pair: Pair,
) -> None:
    question = pair.scene.ann.dm("hi")
    await pair.scene.discord.until(lambda: any(map(ended, question.replies)))
    (answer,) = question.replies
    assert answer.text.startswith("From model 0.")


async def test_a_persona_that_one_of_them_sets_is_in_its_server_alone(pair: Pair) -> None:
    await pair.give_persona(pair.places[0], "Arr.")
    for place in pair.places:
        await pair.ask(place)
    systems = [model.prompts[0][0]["content"] for model in pair.models]
    assert systems[0].startswith("Arr.")
    assert "Arr." not in systems[1]


async def test_a_servers_persona_is_there_for_the_bot_that_takes_over_its_shard(
    pair: Pair,
) -> None:
    prompts = ["Arr.", "Ahoy."]
    for place, prompt in zip(pair.places, prompts, strict=True):
        await pair.give_persona(place, prompt)
    async with pair.exchanged():
        answers = [await pair.ask(place) for place in pair.places]
    assert answers[0].startswith("From model 1.")
    assert answers[1].startswith("From model 0.")
    systems = [model.prompts[0][0]["content"] for model in reversed(pair.models)]
    assert [system.split("\n")[0] for system in systems] == prompts
