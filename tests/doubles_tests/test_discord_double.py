"""The real discord.py against the double: what the double says is what the library understands."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.doubles.discord import Channel, DiscordDouble, Guild, Modal, Person
from tests.waiting import HANG_SECONDS

POST_MESSAGE = "POST /channels/{channel}/messages"


class Bot(discord.Client):
    """A client that keeps what it hears."""

    def __init__(self, **intents: bool) -> None:
        kinds = {"guilds": True, "messages": True, "reactions": True} | intents
        super().__init__(intents=discord.Intents(**kinds), guild_ready_timeout=0)
        self.tree = app_commands.CommandTree(self)
        self.heard: asyncio.Queue[discord.Message] = asyncio.Queue()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Don't wait 5 s before a second session."""

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.heard.put_nowait(message)


class ShardedBot(discord.AutoShardedClient):
    before_identify_hook = Bot.before_identify_hook


class Scene:
    """A guild with a channel and a person in it."""

    def __init__(self, double: DiscordDouble) -> None:
        self.discord = double
        self.guild: Guild = double.guild("Home")
        self.general: Channel = self.guild.channel("general")
        self.ann: Person = self.guild.member("Ann")

    @asynccontextmanager
    async def connected(self, bot: discord.Client) -> AsyncIterator[Any]:
        await bot.login(self.discord.token)
        connection = asyncio.create_task(bot.connect())
        try:
            await self.discord.connected()
            await bot.wait_until_ready()
            yield bot
        finally:
            await bot.close()
            await connection


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with DiscordDouble().running() as double:
        double.acknowledge_within = HANG_SECONDS
        monkeypatch.setattr(Route, "BASE", double.api_url)
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(double.gateway.url))
        yield Scene(double)


@pytest.fixture
async def bot(scene: Scene) -> AsyncIterator[Bot]:
    async with scene.connected(Bot()) as bot:
        yield bot


async def heard(bot: Bot) -> discord.Message:
    return await asyncio.wait_for(bot.heard.get(), HANG_SECONDS)


def seen(bot: Bot, channel: Channel) -> discord.TextChannel:
    found = bot.get_channel(channel.id)
    assert isinstance(found, discord.TextChannel)
    return found


# Messages


async def test_a_client_knows_the_guild_its_channels_and_its_own_permissions(
    scene: Scene, bot: Bot
) -> None:
    scene.general.deny("create_public_threads")
    event = await bot.wait_for("guild_channel_update", timeout=HANG_SECONDS)
    channel = event[1]
    assert channel.guild.name == "Home"
    assert channel.permissions_for(channel.guild.me).send_messages
    assert not channel.permissions_for(channel.guild.me).create_public_threads


async def test_a_mention_is_heard_and_its_reply_pings_the_asker(scene: Scene, bot: Bot) -> None:
    question = scene.ann.say(scene.general, "@bot hi", files={"a.py": b"x = 1\n"})
    message = await heard(bot)
    assert message.content == f"{scene.discord.bot.mention} hi"
    assert message.mentions == [bot.user]
    assert await message.attachments[0].read() == b"x = 1\n"
    await message.reply("Hello")
    [reply] = question.replies
    assert reply.pings == {"Ann"}


async def test_without_the_intent_only_messages_to_the_bot_have_content(
    scene: Scene, bot: Bot
) -> None:
    scene.ann.say(scene.general, "between us", files={"a.txt": b""})
    silent = await heard(bot)
    assert silent.content == ""
    assert silent.attachments == []
    assert (await silent.channel.fetch_message(silent.id)).content == ""
    own = await silent.channel.send("mine")
    scene.ann.say(scene.general, "and you?", reply_to=scene.general.from_bot[0])
    assert (await heard(bot)).content == "and you?"
    scene.ann.dm("in private")
    assert (await heard(bot)).content == "in private"
    assert (await silent.channel.fetch_message(own.id)).content == "mine"


async def test_with_the_intent_every_message_has_content(scene: Scene) -> None:
    scene.discord.message_content = True
    async with scene.connected(Bot(message_content=True)) as bot:
        scene.ann.say(scene.general, "between us")
        assert (await heard(bot)).content == "between us"


async def test_an_intent_that_the_portal_does_not_grant_is_refused(scene: Scene) -> None:
    bot = Bot(message_content=True)
    await bot.login(scene.discord.token)
    with pytest.raises(discord.PrivilegedIntentsRequired):
        await bot.connect()
    await bot.close()


async def test_a_wrong_token_is_refused(scene: Scene) -> None:
    async with Bot() as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.login("wrong")


async def test_edits_keep_their_versions_and_a_deletion_ends_them(scene: Scene, bot: Bot) -> None:
    sent = await seen(bot, scene.general).send(
        "one", file=discord.File(io.BytesIO(b"text"), "a.txt")
    )
    message = await scene.general.next_message()
    await sent.edit(content="two")
    await sent.edit(content="three", attachments=[])
    assert [edit.content for edit in message.edits] == ["one", "two", "three"]
    assert message.attachments == []
    await sent.delete()
    assert message.deleted
    assert scene.general.messages == []


async def test_people_edit_delete_and_react_and_the_bot_hears_of_it(scene: Scene, bot: Bot) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    await heard(bot)
    edit = asyncio.create_task(bot.wait_for("message_edit", timeout=HANG_SECONDS))
    reaction = asyncio.create_task(bot.wait_for("raw_reaction_add", timeout=HANG_SECONDS))
    deletion = asyncio.create_task(bot.wait_for("message_delete", timeout=HANG_SECONDS))
    await asyncio.sleep(0)
    scene.ann.edit(question, "@bot bye")
    assert (await edit)[1].content.endswith("bye")
    scene.ann.react(question, "👍")
    assert (await reaction).emoji.name == "👍"
    scene.ann.delete(question)
    assert (await deletion).id == question.id


async def test_typing_and_reactions_of_the_bot_are_seen(scene: Scene, bot: Bot) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    message = await heard(bot)
    async with message.channel.typing():
        await message.add_reaction("✅")
    assert len(scene.general.typing) == 1
    assert question.reactions == {"✅": [scene.discord.bot]}


async def test_a_nonce_makes_sending_twice_once(scene: Scene, bot: Bot) -> None:
    scene.discord.fail("POST", "/messages$", status=500, done_first=True)
    await seen(bot, scene.general).send("once", nonce=7)
    assert [m.content for m in scene.general.messages] == ["once"]
    assert [r.status for r in scene.discord.requests][-2:] == [500, 200]


@pytest.mark.parametrize(
    ("allowed", "pinged"),
    [
        (None, {"Ann", "@everyone", "@Mods"}),
        (discord.AllowedMentions.none(), set()),
        (discord.AllowedMentions(everyone=False, roles=False), {"Ann"}),
    ],
)
async def test_who_is_pinged_follows_allowed_mentions(
    scene: Scene, bot: Bot, allowed: discord.AllowedMentions | None, pinged: set[str]
) -> None:
    mods = scene.guild.role("Mods")
    scene.general.allow("mention_everyone")
    text = f"@everyone {mods.mention} {scene.ann.mention}"
    await seen(bot, scene.general).send(text, allowed_mentions=allowed)
    assert scene.general.messages[0].pings == pinged


async def test_history_comes_in_pages_newest_first(scene: Scene, bot: Bot) -> None:
    said = [scene.ann.say(scene.general, f"@bot {n}") for n in range(120)]
    channel = seen(bot, scene.general)
    assert [m.id async for m in channel.history(limit=110)] == [m.id for m in said[:-111:-1]]
    after = discord.Object(said[100].id)
    assert [m.id async for m in channel.history(after=after)] == [m.id for m in said[101:]]


# What Discord refuses


async def refusal(work: Any) -> tuple[int, int]:
    with pytest.raises(discord.HTTPException) as error:
        await work
    return error.value.status, error.value.code


async def test_a_message_that_breaks_the_rules_is_refused_with_discords_code(
    scene: Scene, bot: Bot
) -> None:
    scene.discord.limits.rules.clear()
    channel = seen(bot, scene.general)
    asked = scene.ann.say(scene.general, "@bot hi")
    unknown = channel.get_partial_message(1)
    theirs = channel.get_partial_message(asked.id)
    twins = discord.ui.View().add_item(discord.ui.Button(custom_id="a", label="A"))
    twins.add_item(discord.ui.Button(custom_id="a", label="B"))
    assert await refusal(channel.send("x" * 2001)) == (400, 50035)
    assert await refusal(channel.send("")) == (400, 50006)
    assert await refusal(channel.send("x", view=twins)) == (400, 50035)
    assert await refusal(channel.send(embeds=[discord.Embed(description="x" * 4000)] * 2)) == (
        400,
        50035,
    )
    assert await refusal(channel.send("x", reference=unknown)) == (400, 50035)
    assert await refusal(unknown.edit(content="x")) == (404, 10008)
    assert await refusal(theirs.edit(content="x")) == (403, 50005)
    assert await refusal(theirs.delete()) == (403, 50013)
    big = discord.File(io.BytesIO(bytes(10 * 1024 * 1024 + 1)), "big")
    assert await refusal(channel.send(file=big)) == (413, 40005)
    assert scene.general.messages == [asked]


async def test_a_missing_permission_is_refused(scene: Scene, bot: Bot) -> None:
    channel = seen(bot, scene.general)
    asked = scene.ann.say(scene.general, "@bot hi")
    scene.general.deny("create_public_threads", "embed_links", "read_message_history")
    assert await refusal(channel.create_thread(name="t", message=discord.Object(asked.id)))
    assert await refusal(channel.send(embed=discord.Embed(title="x"))) == (403, 50013)
    assert await refusal(channel.fetch_message(asked.id)) == (403, 50001)
    assert [m async for m in channel.history()] == []
    scene.general.deny("send_messages")
    assert await refusal(channel.send("x")) == (403, 50013)
    scene.general.deny("view_channel")
    assert await refusal(channel.send("x")) == (403, 50001)
    scene.ann.accepts_dms = False
    assert await refusal((await bot.fetch_user(scene.ann.id)).send("x")) == (403, 50007)


async def test_a_layout_has_no_content_and_a_limit(scene: Scene, bot: Bot) -> None:
    view = discord.ui.LayoutView().add_item(discord.ui.TextDisplay("Hello"))
    sent = await seen(bot, scene.general).send(view=view)
    assert scene.general.messages[0].text == "Hello"
    assert await refusal(sent.edit(content="x")) == (400, 50035)
    body = {"flags": 1 << 15, "components": [{"type": 14}] * 41}
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=scene.general.id)
    assert await refusal(bot.http.request(route, json=body)) == (400, 50035)


# Threads


async def test_a_thread_from_a_message_begins_with_it_and_is_heard(scene: Scene, bot: Bot) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    message = await heard(bot)
    thread = await message.create_thread(name="Hi")
    assert question.thread in scene.general.threads
    await thread.send("here")
    scene.ann.say(question.thread, "@bot and now?")
    starter, said = await heard(bot), await heard(bot)
    assert starter.type is discord.MessageType.thread_starter_message
    assert starter.reference.resolved.content == question.content
    assert isinstance(said.channel, discord.Thread)
    assert said.channel.owner_id == bot.user.id
    await thread.edit(archived=True)
    scene.ann.say(question.thread, "@bot again")
    await heard(bot)
    assert not question.thread.archived
    assert await refusal(message.create_thread(name="Hi")) == (400, 160004)
    assert await refusal(thread.edit(name="x" * 101)) == (400, 50035)


# Interactions


class Form(discord.ui.Modal, title="Persona"):
    prompt = discord.ui.Label(
        text="Prompt", component=discord.ui.TextInput(default="Be kind.", max_length=20)
    )
    effort = discord.ui.Label(
        text="Effort",
        component=discord.ui.RadioGroup(
            options=[discord.RadioGroupOption(label=e) for e in ("low", "high")]
        ),
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        said = f"{self.prompt.component.value} {self.effort.component.value}"
        await interaction.response.send_message(said, ephemeral=True)


def add_commands(bot: Bot) -> None:
    persona = app_commands.Group(name="persona", description="Personas")

    async def names(_: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=n, value=n) for n in ("tutor", "pirate") if typed in n]

    @persona.command(name="use", description="Use one")
    @app_commands.autocomplete(name=names)
    async def use(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.defer(ephemeral=True)
        await interaction.followup.send(f"{interaction.user.display_name} uses {name}")
        await interaction.edit_original_response(content="changed")
        await interaction.followup.send("and more")

    @persona.command(name="create", description="Make one")
    async def create(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Form())

    @bot.tree.command(name="late", description="Answers too late")
    @app_commands.default_permissions(manage_guild=True)
    async def late(interaction: discord.Interaction) -> None:
        bot.late = interaction  # type: ignore[attr-defined]

    @bot.tree.context_menu(name="Ask about this")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def ask(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"about {message.content!r}")

    bot.tree.add_command(persona)


@pytest.fixture
async def commander(scene: Scene, bot: Bot) -> Bot:
    add_commands(bot)
    await bot.tree.sync()
    return bot


async def test_commands_are_registered(scene: Scene, commander: Bot) -> None:
    assert scene.discord.commands.names == ["late", "persona", "Ask about this"]
    assert scene.discord.commands.syncs == 1
    assert len(await commander.tree.fetch_commands()) == 3


async def test_a_deferred_command_follows_up_in_place_of_thinking(
    scene: Scene, commander: Bot
) -> None:
    used = scene.ann.slash(scene.general, "persona use", name="tutor")
    answer = await used.response
    await scene.discord.until(lambda: len(used.messages) == 2)
    assert [edit.content for edit in answer.edits] == ["Ann uses tutor", "changed"]
    assert answer.ephemeral
    assert scene.general.messages == used.messages[1:]


async def test_autocomplete_proposes(scene: Scene, commander: Bot) -> None:
    assert await scene.ann.complete(scene.general, "persona use", name="t").response == [
        "tutor",
        "pirate",
    ]


async def test_a_form_comes_back_as_it_was_filled(scene: Scene, commander: Bot) -> None:
    form = await scene.ann.slash(scene.general, "persona create").response
    assert isinstance(form, Modal)
    assert form.values == {"Prompt": "Be kind.", "Effort": ""}
    answer = await scene.ann.submit(form, {"Effort": "high"}).response
    assert answer.content == "Be kind. high"
    with pytest.raises(AssertionError, match="wrong length"):
        scene.ann.submit(form, {"Prompt": "x" * 21, "Effort": "low"})


async def test_a_command_can_be_used_by_those_who_may(scene: Scene, commander: Bot) -> None:
    with pytest.raises(AssertionError, match="may not use"):
        scene.ann.slash(scene.general, "late")
    mo = scene.guild.member("Mo", "manage_guild")
    scene.discord.acknowledge_within = 0.05
    with pytest.raises(AssertionError, match="did not respond"):
        await mo.slash(scene.general, "late").response
    late = commander.late.response.send_message("sorry")  # type: ignore[attr-defined]
    assert await refusal(late) == (404, 10062)


async def test_a_message_command_gets_the_whole_message(scene: Scene, commander: Bot) -> None:
    said = scene.ann.say(scene.general, "the sky")
    answer = await scene.ann.use(said, "Ask about this").response
    assert answer.content == "about 'the sky'"


async def test_a_user_takes_the_bot_along_to_where_it_is_not(scene: Scene, commander: Bot) -> None:
    bob = scene.discord.user("Bob")
    said = bob.say(scene.discord.dm(scene.ann, bob), "psst")
    assert (await scene.ann.use(said, "Ask about this").response).content == "about 'psst'"
    elsewhere = scene.discord.guild("Elsewhere", has_bot=False)
    elsewhere.join(bob)
    said = bob.say(elsewhere.channel("general"), "hello")
    assert (await bob.use(said, "Ask about this").response).content == "about 'hello'"
    with pytest.raises(AssertionError, match="can't be installed"):
        bob.slash(said.channel, "persona create")


class Again(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"again:(?P<n>\d+)"
):
    def __init__(self, n: int) -> None:
        super().__init__(discord.ui.Button(label="Again", custom_id=f"again:{n}"))
        self.n = n

    @classmethod
    async def from_custom_id(cls, interaction: Any, item: Any, match: Any, /) -> "Again":
        return cls(int(match["n"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        view = discord.ui.View(timeout=None).add_item(Again(self.n + 1))
        await interaction.response.edit_message(content=f"again {self.n}", view=view)


async def test_buttons_work_also_for_a_client_that_did_not_send_them(
    scene: Scene, bot: Bot
) -> None:
    view = discord.ui.View(timeout=None).add_item(Again(1))
    await seen(bot, scene.general).send("hi", view=view)
    await bot.close()
    restarted = Bot()
    restarted.add_dynamic_items(Again)
    async with scene.connected(restarted):
        [message] = scene.general.messages
        await scene.ann.click(message, "Again").acknowledged()
        await scene.ann.click(message, "Again").acknowledged()
    assert message.content == "again 2"
    with pytest.raises(AssertionError, match="no button"):
        scene.ann.click(message, "Delete")


# Connection, limits and faults


async def test_events_of_a_dropped_connection_are_replayed_once(scene: Scene, bot: Bot) -> None:
    scene.ann.say(scene.general, "@bot one")
    await heard(bot)
    scene.discord.gateway.drop()
    scene.ann.say(scene.general, "@bot two")
    assert (await heard(bot)).content.endswith("two")
    await scene.discord.until(lambda: scene.discord.gateway.resumed == 1)
    assert bot.heard.empty()
    assert scene.discord.gateway.identified == 1


async def test_a_client_that_is_asked_to_reconnect_resumes(scene: Scene, bot: Bot) -> None:
    scene.discord.gateway.ask_to_reconnect()
    await scene.discord.until(lambda: scene.discord.gateway.resumed == 1)


async def test_an_invalid_session_is_identified_anew(scene: Scene, bot: Bot) -> None:
    scene.discord.gateway.invalidate()
    await scene.discord.until(lambda: scene.discord.gateway.identified == 2)
    scene.ann.say(scene.general, "@bot hi")
    await heard(bot)


async def test_heartbeats_are_acknowledged(scene: Scene) -> None:
    scene.discord.gateway.heartbeat_interval = 0.05
    async with scene.connected(Bot()) as bot:
        await scene.discord.until(lambda: scene.discord.gateway.heartbeats >= 4)
        assert bot.latency < 5


async def test_shards_get_the_events_of_their_own_guilds(scene: Scene) -> None:
    scene.discord.shards = 2
    while scene.guild.id >> 22 & 1 == scene.discord.guild("Other").id >> 22 & 1:
        pass
    other = list(scene.discord.guilds.values())[-1]
    intents = discord.Intents(guilds=True, messages=True)
    bot = ShardedBot(intents=intents, guild_ready_timeout=0)
    async with scene.connected(bot):
        await scene.discord.until(lambda: len(scene.discord.gateway.live) == 2)
        said = asyncio.create_task(bot.wait_for("message", timeout=HANG_SECONDS))
        await asyncio.sleep(0)
        other.join(scene.ann).say(other.channel("general"), "@bot hi")
        assert (await said).guild.shard_id == other.id >> 22 & 1


async def test_headers_keep_discord_py_within_a_channels_bucket(scene: Scene, bot: Bot) -> None:
    scene.discord.limits.rules[POST_MESSAGE] = (2, 0.3)
    await asyncio.gather(*(seen(bot, scene.general).send(str(n)) for n in range(5)))
    sent = [r for r in scene.discord.requests if r.route == POST_MESSAGE]
    assert [r.status for r in sent] == [200] * 5
    assert sent[4].at - sent[0].at > 0.5


async def test_a_request_too_many_is_answered_429_and_can_be_made_again(
    scene: Scene, bot: Bot
) -> None:
    scene.discord.limits.rules[POST_MESSAGE] = (1, 0.2)
    async with scene.connected(Bot()) as twin:
        channels = [seen(client, scene.general) for client in (bot, twin)]
        await asyncio.gather(*(channel.send("hi") for channel in channels))
    statuses = [r.status for r in scene.discord.requests if r.route == POST_MESSAGE]
    assert statuses == [200, 429, 200]


async def test_the_global_limit_holds_across_routes(scene: Scene, bot: Bot) -> None:
    scene.discord.limits.everything.limit = 3
    scene.discord.limits.everything.seconds = 0.2
    channels = [scene.guild.channel(f"c{n}") for n in range(6)]
    await asyncio.gather(*(bot.fetch_channel(channel.id) for channel in channels))
    refused = [r for r in scene.discord.requests if r.status == 429]
    assert refused
    assert not refused[0].scripted


async def test_random_faults_are_the_same_for_the_same_seed(scene: Scene, bot: Bot) -> None:
    scene.discord.faults.seed(3)
    scene.discord.fault_rate = 0.5
    scene.discord.limits.rules.clear()
    await seen(bot, scene.general).send("it gets there")
    scene.discord.fault_rate = 0
    assert [m.content for m in scene.general.messages] == ["it gets there"]
    statuses = [r.status for r in scene.discord.requests if r.route == POST_MESSAGE]
    assert statuses[-1] == 200
    assert len(statuses) > 1


async def test_a_scripted_fault_strikes_as_often_as_told(scene: Scene, bot: Bot) -> None:
    scene.discord.fail("POST", "/messages$", 50013)
    scene.discord.fail("POST", "/messages$", retry_after=0.01, times=2)
    channel = seen(bot, scene.general)
    assert await refusal(channel.send("x")) == (403, 50013)
    await channel.send("y")
    assert [r.status for r in scene.discord.requests[-4:]] == [403, 429, 429, 200]
