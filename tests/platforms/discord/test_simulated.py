"""The adapter in this process, on another model of Discord than our double: simcord's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord
import pytest
from simcord import Env
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from bot.client import InferenceClient
from bot.config import load_config
from bot.conversation.core import Core
from bot.conversation.responder import Responder
from bot.platforms.discord import DiscordPlatform
from bot.platforms.discord.client import intents
from bot.storage import Store
from bot.tools import Toolbox
from tests.doubles.inference import Say, ScriptedInference
from tests.end_to_end.processes import write_config
from tests.platforms.transactions import MOST_OF_A_MENTION, counted_transactions
from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.simcord(settle_timeout=HANG_SECONDS)


class Client(discord.Client):
    """Attached once simcord has taken the place of Discord's REST API."""

    def __init__(self, core: Core) -> None:
        super().__init__(intents=intents(message_content=True), max_messages=None)
        self._core = core

    async def setup_hook(self) -> None:
        await DiscordPlatform(self._core).attach(self).sync()


@pytest.fixture(autouse=True)
def _a_start_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """simcord gives the bot's start 5 s, whatever its settle_timeout is."""
    settle = Env._settle_internal

    async def patient(env: Env, **options: Any) -> None:
        await settle(env, **options | {"timeout": None})

    monkeypatch.setattr(Env, "_settle_internal", patient)


@pytest.fixture
async def inference() -> AsyncIterator[ScriptedInference]:
    async with ScriptedInference().running() as inference:
        yield inference


@pytest.fixture
async def core(tmp_path: Path, inference: ScriptedInference) -> AsyncIterator[Core]:
    sections = {"inference": {"url": inference.url, "model": "scripted"}}
    config = load_config(write_config(tmp_path, **sections))
    client = InferenceClient(inference.url, "", "scripted")
    async with Store.open(config.storage.url) as store:
        yield Core(lambda: config, store, client, Responder(client, Toolbox(config, store)))
    await client.close()


@pytest.fixture
def simcord_bot(core: Core) -> Client:
    return Client(core)


@dataclass
class Scene:
    env: Env
    channel: ChannelHandle
    ann: MemberActor

    def member(self, name: str, **permissions: bool) -> MemberActor:
        role = self.env.guild.create_role(name, permissions=discord.Permissions(**permissions))
        return self.env.guild.add_member(self.env.create_user(name), roles=[role])

    async def ask(self, text: str = "hi") -> discord.Message:
        await self.ann.send(self.channel, f"{self.env.bot.user.mention} {text}")
        return self.channel.last_message


@pytest.fixture
def scene(simcord_env: Env) -> Scene:
    guild = simcord_env.create_guild()
    ann = guild.add_member(simcord_env.create_user("ann"))
    return Scene(simcord_env, guild.create_text_channel("general"), ann)


async def test_a_mention_is_answered_with_a_reply(scene: Scene) -> None:
    answer = await scene.ask()
    assert answer.content.startswith("Hello there.")
    assert answer.reference is not None


async def test_a_direct_message_is_answered(scene: Scene) -> None:
    question = await scene.ann.send_dm("hi")
    (answer,) = [m async for m in question.channel.history() if m.author.bot]
    assert answer.content.startswith("Hello there.")


async def test_a_reply_to_an_answer_goes_on(scene: Scene, inference: ScriptedInference) -> None:
    answer = await scene.ask("one")
    await scene.ann.send(scene.channel, "two", reply_to=answer)
    roles = [message["role"] for message in inference.prompts[-1]]
    assert roles[-3:] == ["user", "assistant", "user"]


async def test_effort_is_set_by_a_command(scene: Scene, inference: ScriptedInference) -> None:
    moderator = scene.member("mo", manage_channels=True)
    result = await moderator.slash(scene.channel, "effort", level="high", scope="channel")
    assert result.acknowledged
    await scene.ask()
    assert inference.requests[-1]["reasoning_effort"] == "high"


async def test_a_private_answer_is_for_the_person_alone(scene: Scene) -> None:
    result = await scene.ann.slash(scene.channel, "privacy")
    assert result.ephemeral


async def test_a_persona_is_made_in_a_form(scene: Scene) -> None:
    admin = scene.member("ada", manage_guild=True)
    shown = await admin.slash(scene.channel, "persona create")
    assert shown.modal is not None
    fields = [label["component"]["custom_id"] for label in shown.modal["components"]]
    await admin.submit_modal(shown, dict(zip(fields, ["pirate", "Talk like one."], strict=False)))
    (proposed,) = await admin.autocomplete(scene.channel, "persona use", "name", "pir")
    assert proposed["value"] == "pirate"


async def test_a_button_works_after_a_restart(
    scene: Scene, core: Core, inference: ScriptedInference
) -> None:
    answer = await scene.ask()
    await scene.env.restart_bot(Client(core))
    await scene.ann.click(answer, label="Regenerate")
    assert len(inference.requests) == 2


async def test_an_error_of_discord_does_not_cost_the_answer(scene: Scene) -> None:
    scene.env.inject_error("PATCH", "/channels/*/messages/*", status=500)
    answer = await scene.ask()
    assert "Hello there." in answer.content


async def test_a_long_answer_goes_on_in_further_messages(
    scene: Scene, inference: ScriptedInference
) -> None:
    inference.script(Say("word " * 1000))
    await scene.ask()
    parts = [m async for m in scene.channel.last_message.channel.history() if m.author.bot]
    assert len(parts) > 2
    assert all(len(part.content) <= 2000 for part in parts)


async def test_a_mention_takes_four_transactions_at_most(scene: Scene) -> None:
    with counted_transactions() as begun:
        answer = await scene.ask()
    assert answer.content.startswith("Hello there.")
    assert 0 < len(begun) <= MOST_OF_A_MENTION
