"""Discord: its events become questions and commands, replies become views."""

from __future__ import annotations  # some of discord.py's types exist for checkers alone

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import discord
import structlog
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.config import AnswerMode, Effort
from bot.conversation.commands import Command, CommandError, is_command
from bot.conversation.core import Core
from bot.conversation.events import Author, Message, Place, Question
from bot.conversation.personas import personas_at
from bot.conversation.settings import resolve
from bot.platforms.base import PlatformUnusable
from bot.platforms.conversation import ChannelConversation, forgotten_until
from bot.platforms.discord.buttons import Action, AnswerButton, Pressed
from bot.platforms.discord.commands import add_commands, fingerprint
from bot.platforms.discord.forms import CommandForm, EditAgain, QuestionForm
from bot.platforms.discord.limits import CONTENT_LENGTH, EDITABLE_SECONDS, THREAD_NAME_LENGTH
from bot.platforms.discord.messages import (
    Channel,
    author_of,
    history_of,
    is_spoken,
    own_line,
    place_of,
    plain_text,
    read,
    replied_to,
    rights_in,
)
from bot.platforms.discord.permissions import lack_of_sending, lacks
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.view import DiscordView, Look, Send
from bot.platforms.exchange import Ask, Asked, Exchange
from bot.platforms.splitting import split_markdown
from bot.storage import ScopeKey, StorageError

log = structlog.get_logger()

REMEMBERED = 2000
"""Questions that are deduplicated, and whose edits and deletions are followed."""
SEARCHED = 50
"""Messages that are looked through for an answer to make again."""


class DiscordPlatform:
    """One connection to Discord, or several shards where there are many servers."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._pace = Pace()
        self._exchanges: OrderedDict[int, Exchange[DiscordView] | None] = OrderedDict()
        """By the id of the question or interaction; None where it was heard and no more."""
        self._background: set[asyncio.Task[None]] = set()
        self._told: set[tuple[str, str]] = set()
        """Channels in which a missing permission was told of, and which."""
        self._stopping = asyncio.Event()
        self._client: discord.Client
        self._tree: app_commands.CommandTree[discord.Client]

    # Connection

    async def run(self) -> None:
        """See base.Platform. Raises PlatformUnusable."""
        settings = self._core.config().discord
        token = settings.token.get_secret_value()
        Route.BASE = settings.api_url.rstrip("/")
        try:
            self._client = await _client(token)
            async with self._client as client:
                self._listen(client)
                await client.login(token)
                await self._sync_commands()
                connecting = asyncio.create_task(client.connect())
                stopping = asyncio.create_task(self._stopping.wait())
                await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if self._background:
                    await asyncio.wait(self._background)
            await connecting
        except discord.LoginFailure as error:
            raise PlatformUnusable("discord.token: Discord does not accept it") from error
        except (discord.HTTPException, discord.ConnectionClosed, OSError) as error:
            reason = " ".join(str(error).split())
            raise PlatformUnusable(f"Discord can't be reached at {Route.BASE}: {reason}") from error

    def stop(self) -> None:
        """See base.Platform."""
        self._stopping.set()

    def _listen(self, client: discord.Client) -> None:
        for handler in (
            self.on_ready,
            self.on_message,
            self.on_raw_message_edit,
            self.on_raw_message_delete,
        ):
            client.event(handler)
        self._tree = app_commands.CommandTree(client)
        add_commands(self._tree, self._command, self._persona_names)
        self._tree.add_command(ask_about_menu(self._ask_about))
        AnswerButton.on_press = self._press
        client.add_dynamic_items(AnswerButton)

    async def _sync_commands(self) -> None:
        """Register the commands if their definitions changed since the last time."""
        application = ScopeKey("discord", "server", f"application-{self._client.application_id}")
        now = fingerprint(self._tree)
        stored = await self._core.store.get_settings([application])
        if stored.get(application, {}).get("commands") != now:
            await self._tree.sync()
            await self._core.store.set_setting(application, "commands", now, "")
            log.info("discord commands registered")

    async def on_ready(self) -> None:
        log.info("discord is connected", servers=len(self._client.guilds))
        if not self._client.intents.message_content:
            log.warning(
                "discord's message content intent is off: mentions, replies and direct messages"
                " are answered; messages without a mention in threads and channels are not"
            )

    @property
    def _me(self) -> discord.ClientUser:
        assert self._client.user is not None
        return self._client.user

    # Questions

    async def on_message(self, message: discord.Message) -> None:
        if message.id in self._exchanges or self._stopping.is_set() or not is_spoken(message):
            return
        if self._is_for_me(message):
            self._remember(message.id, None)
            self._start(self._take(message))

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """The asker edits the question: the answer is made again in place."""
        exchange = self._exchanges.get(event.message_id)
        if exchange is not None and exchange.content != event.message.content:
            exchange.content = event.message.content
            self._start(exchange.answer())

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """The asker deletes the question: generation stops and the answer goes.

        Somebody takes the answer away: generation stops.
        """
        if (exchange := self._exchanges.get(event.message_id)) is not None:
            self._start(exchange.delete())
            return
        for exchange in self._exchanges.values():
            if exchange and any(m.id == event.message_id for m in exchange.view.messages):
                exchange.stop_running()

    def _is_for_me(self, message: discord.Message) -> bool:
        if message.guild is None or self._me in message.mentions:
            return True
        if message.guild.self_role in message.role_mentions:
            return True
        answered = message.reference.resolved if message.reference else None
        if isinstance(answered, discord.Message) and answered.author == self._me:
            return True
        if not (message.content or message.attachments):
            return False  # without the intent there is nothing to read
        channel = message.channel
        if isinstance(channel, discord.Thread) and (channel.me or channel.owner == self._me):
            return True
        return self._answer_mode(place_of(channel, message.guild.id)) is AnswerMode.ALWAYS

    def _answer_mode(self, place: Place) -> AnswerMode:
        return resolve(self._core.config(), place, {}).answer.value

    async def _take(self, message: discord.Message) -> None:
        """Answer a message, carry out the command in it, or say why not."""
        place = place_of(message.channel, message.guild.id if message.guild else None)
        author = author_of(message.author, rights_in(message.channel, message.author), self._me)
        texts = await self._core.texts(place)
        if lack := lack_of_sending(message.channel):
            await self._tell_owner(message, lack.permission)
            return
        if problem := await self._core.refusal(place, author):
            await self._reply(message, problem)
            return
        text = plain_text(message, self._me)
        if is_command(text):
            here = self._conversation(message.channel, place, message.id, message.author.id)
            await self._reply(message, await self._core.command(text, place, author, here))
        elif not (text or message.attachments or message.reference):
            await self._reply(message, texts("empty_question"))
        elif not (message.content or message.attachments):
            await self._reply(message, texts("content_hidden"))
        else:
            await self._exchange(message)

    async def _exchange(
        self, question: discord.Message, messages: list[discord.Message] | None = None
    ) -> None:
        """Begin to answer a message, in place of `messages`."""
        exchange = await self._open(question, messages or [])
        await exchange.answer()

    async def _open(
        self, question: discord.Message, messages: list[discord.Message]
    ) -> Exchange[DiscordView]:
        """The exchange about `question`; its answer goes into a thread where that is wanted."""
        guild = question.guild
        place = place_of(question.channel, guild.id if guild else None)
        wants_thread = (
            guild is not None
            and isinstance(question.channel, discord.TextChannel)
            and self._answer_mode(place) is AnswerMode.THREAD
        )
        config = self._core.config()
        settings = await self._core.settings(place)
        missing = lacks(
            question.channel,
            thread=wants_thread,
            reasoning=settings.show_reasoning.value,
            file=config.discord.file_above_characters is not None,
        )
        effects = {lack.effect for lack in missing}
        texts = await self._core.texts(place)
        notices = [
            lack.line(texts)
            for lack in missing
            if (place.channel, lack.permission) not in self._told
        ]
        self._told |= {(place.channel, lack.permission) for lack in missing}
        thread = None
        if guild is not None and wants_thread and "thread" not in effects:
            thread = question.thread or guild.get_thread(question.id)
            if thread is None:
                name = " ".join(plain_text(question, self._me).split()) or question.author.name
                thread = await self._pace.landed(
                    lambda: question.create_thread(name=name[:THREAD_NAME_LENGTH])
                )
            place = place_of(thread, guild.id)
        look = Look(
            texts,
            question.author.id,
            question.id,
            embeds="embed" not in effects,
            file_above=None if "file" in effects else config.discord.file_above_characters,
        )
        send = _send_after(question, thread)
        view = DiscordView(look, send, self._pace, messages)
        exchange = Exchange(
            self._ask(question, place, notices), view, self._core.responder, question.content
        )
        self._remember(question.id, exchange)
        return exchange

    def _ask(self, question: discord.Message, place: Place, notices: list[str]) -> Ask:
        async def ask(effort: Effort | None) -> Asked:
            limits = self._core.config().conversation
            texts = await self._core.texts(place)
            since = int(await forgotten_until(self._core.store, place))
            await self._type(question.channel)
            history = await self._pace.landed(lambda: history_of(question, limits.max_messages))
            newest = await read(question, self._me, limits.attachment_max_bytes, texts)
            earlier = [
                await read(m, self._me, limits.attachment_max_bytes, texts)
                for m in history
                if m.id > since
            ]
            asked = Question(place, newest.message, [r.message for r in earlier], effort)
            return Asked(asked, [*notices, *newest.notices])

        return ask

    async def _type(self, channel: discord.abc.Messageable) -> None:
        with suppress(discord.HTTPException):  # only for show
            await channel.typing()

    # Buttons

    async def _press(self, interaction: discord.Interaction, pressed: Pressed) -> None:
        """A button under an answer was pressed."""
        await interaction.response.defer()
        texts = await self._core.texts(self._place(interaction))
        if pressed.action in (Action.UP, Action.DOWN):
            await self._vote(interaction, 1 if pressed.action is Action.UP else -1)
            await self._whisper(interaction, texts("thanks"))
            return
        rights = interaction.permissions
        moderates = rights.manage_messages or rights.manage_channels
        if interaction.user.id != pressed.asker and not moderates:
            await self._whisper(interaction, texts("not_yours"))
            return
        exchange = self._exchanges.get(pressed.question)
        if pressed.action is Action.STOP and exchange and exchange.stop_running():
            return
        exchange = exchange or await self._found(interaction.message, pressed)
        if exchange is None:
            await self._whisper(interaction, texts("question_gone"))
        elif pressed.action is Action.DELETE:
            await exchange.delete()
        else:
            harder = _next_effort(pressed.effort) if pressed.action is Action.HARDER else None
            self._start(exchange.answer(harder))

    async def _found(
        self, last: discord.Message | None, pressed: Pressed
    ) -> Exchange[DiscordView] | None:
        """The exchange of an answer from before the bot started; `last` is its last message."""
        if last is None:
            return None
        channel = last.channel
        opened_from_it = isinstance(channel, discord.Thread) and channel.id == pressed.question
        parent = getattr(channel, "parent", None) if opened_from_it else None
        try:
            question = await (parent or channel).fetch_message(pressed.question)
        except (discord.NotFound, discord.Forbidden):
            return None
        messages = [last]
        while (before := await replied_to(messages[0])) and before.author == self._me:
            messages.insert(0, before)
        age = (discord.utils.utcnow() - messages[0].created_at).total_seconds()
        return await self._open(question, messages if age < EDITABLE_SECONDS else [])

    async def _vote(self, interaction: discord.Interaction, vote: int) -> None:
        place = self._place(interaction)
        assert interaction.message is not None
        message, user = str(interaction.message.id), str(interaction.user.id)
        await self._core.store.set_feedback(
            place.platform, place.server, place.channel, message, user, vote
        )

    # Commands

    async def _command(
        self, interaction: discord.Interaction, command: Command, values: dict[str, str]
    ) -> None:
        if command.fill_form is not None:
            await self._open_form(interaction, command, values)
            return
        await interaction.response.defer(ephemeral=command.private)
        answer = await self._core.run(command, values, *self._given(interaction))
        await self._answer_command(interaction, answer)

    async def _open_form(
        self, interaction: discord.Interaction, command: Command, values: dict[str, str]
    ) -> None:
        texts = await self._core.texts(self._place(interaction))
        try:
            filled = await self._core.fill_form(command, values, *self._given(interaction))
        except CommandError as error:
            await interaction.response.send_message(own_line(str(error)), ephemeral=True)
            return

        async def submit(sent: discord.Interaction, written: dict[str, str]) -> None:
            await sent.response.defer(ephemeral=True, thinking=True)
            try:
                answer = await self._core.run_checked(command, values | written, *self._given(sent))
            except CommandError as error:
                again = EditAgain(lambda: CommandForm(command, written, texts, submit), texts)
                await sent.followup.send(str(error), view=again, ephemeral=True)
            else:
                await self._answer_command(sent, answer)

        await interaction.response.send_modal(CommandForm(command, filled, texts, submit))

    async def _answer_command(self, interaction: discord.Interaction, answer: str) -> None:
        for part in split_markdown(answer, CONTENT_LENGTH):
            text = part.text
            await self._pace.landed(lambda text=text: interaction.followup.send(text))  # type: ignore[misc]

    def _given(self, interaction: discord.Interaction) -> tuple[Place, Author, ChannelConversation]:
        place = self._place(interaction)
        rights = None if place.direct else interaction.permissions
        author = author_of(interaction.user, rights, self._me)
        here = self._conversation(interaction.channel, place, interaction.id, interaction.user.id)
        return place, author, here

    def _conversation(
        self, channel: Channel | None, place: Place, newest: int, person: int
    ) -> ChannelConversation:
        async def again() -> bool:
            return await self._regenerate(channel, person)

        return ChannelConversation(self._core.store, place, str(newest), again)

    async def _regenerate(self, channel: Channel | None, person: int) -> bool:
        """Make the person's latest answer in the channel again."""
        if not isinstance(channel, discord.abc.Messageable):
            return False
        async for message in channel.history(limit=SEARCHED):
            for row in message.components if message.author == self._me else ():
                for item in getattr(row, "children", ()):
                    match = AnswerButton.__discord_ui_compiled_template__.fullmatch(
                        getattr(item, "custom_id", None) or ""
                    )
                    if match and int(match["asker"]) == person:
                        pressed = Pressed.parse(match)
                        known = self._exchanges.get(pressed.question)
                        exchange = known or await self._found(message, pressed)
                        if exchange is not None:
                            self._start(exchange.answer())
                        return exchange is not None
        return False

    async def _persona_names(self, interaction: discord.Interaction) -> list[str]:
        place = self._place(interaction)
        return list(await personas_at(self._core.config(), self._core.store, place))

    async def _ask_about(self, interaction: discord.Interaction, about: discord.Message) -> None:
        """Ask a question about a message; the answer comes as answer to the interaction."""
        place, author, _ = self._given(interaction)
        texts = await self._core.texts(place)
        if problem := await self._core.refusal(place, author):
            await interaction.response.send_message(own_line(problem), ephemeral=True)
            return

        async def submit(sent: discord.Interaction, text: str) -> None:
            await sent.response.defer(thinking=True)

            async def ask(effort: Effort | None) -> Asked:
                limit = self._core.config().conversation.attachment_max_bytes
                target = await read(about, self._me, limit, texts)
                question = Message(str(sent.id), author, text)
                return Asked(Question(place, question, [target.message], effort), target.notices)

            async def send(
                after: discord.Message | None, content: str, **options: Any
            ) -> discord.Message:
                options.pop("nonce", None)
                message: discord.Message = await sent.followup.send(content, wait=True, **options)
                return message

            heading = texts("asked_about", name=author.name, question=" ".join(text.split()))
            look = Look(texts, sent.user.id, sent.id, heading=heading, again=False)
            view = DiscordView(look, send, self._pace)
            exchange = Exchange(ask, view, self._core.responder, text)
            self._remember(sent.id, exchange)
            self._start(exchange.answer())

        await interaction.response.send_modal(QuestionForm(texts, submit))

    # Small things

    @staticmethod
    def _place(interaction: discord.Interaction) -> Place:
        assert interaction.channel is not None
        return place_of(interaction.channel, interaction.guild_id)

    async def _reply(self, message: discord.Message, text: str) -> None:
        """Answer with a line of the bot's own."""
        for part in split_markdown(text, CONTENT_LENGTH // 2):
            content = own_line(part.text)
            await self._pace.landed(lambda content=content: message.reply(content))  # type: ignore[misc]

    async def _whisper(self, interaction: discord.Interaction, text: str) -> None:
        """A line that only who pressed or typed sees."""
        await self._pace.landed(lambda: interaction.followup.send(own_line(text), ephemeral=True))

    async def _tell_owner(self, message: discord.Message, permission: str) -> None:
        """Nothing can be said in the channel: once, in private, to who can change that."""
        assert message.guild is not None
        channel = str(message.channel.id)
        if (channel, permission) in self._told or message.guild.owner_id is None:
            return
        self._told.add((channel, permission))
        texts = await self._core.texts(place_of(message.channel, message.guild.id))
        name = getattr(message.channel, "name", "")
        line = texts(
            "lacks_send_in", channel=name, server=message.guild.name, permission=permission
        )
        log.warning("discord: a permission is missing", channel=channel, permission=permission)
        owner = await self._client.fetch_user(message.guild.owner_id)
        await owner.send(own_line(line))

    def _remember(self, question: int, exchange: Exchange[DiscordView] | None) -> None:
        self._exchanges[question] = exchange
        while len(self._exchanges) > REMEMBERED:
            self._exchanges.popitem(last=False)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, discord.HTTPException):
            log.warning("discord refused", status=error.status, code=error.code)
        elif isinstance(error, StorageError):
            log.error("the database failed", error=str(error))
        else:
            log.error("a task failed", exc_info=error)


def ask_about_menu(
    ask: Any,
) -> app_commands.ContextMenu:
    """The entry of a message's menu."""

    async def callback(interaction: discord.Interaction, message: discord.Message) -> None:
        await ask(interaction, message)

    return app_commands.ContextMenu(
        name="Ask about this",
        callback=callback,
        allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        allowed_contexts=app_commands.AppCommandContext(
            guild=True, dm_channel=True, private_channel=True
        ),
    )


async def _client(token: str) -> discord.Client:
    """A client with the intents that the portal grants, sharded if Discord says so."""
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice here
    async with discord.Client(intents=discord.Intents(guilds=True)) as probe:
        await probe.login(token)
        assert probe.application is not None
        flags = probe.application.flags
        gateway = await probe.http.request(Route("GET", "/gateway"))
        try:
            shards, _, _ = await probe.http.get_bot_gateway()
        except discord.GatewayNotFound:  # a proxy without it
            shards = 1
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway["url"])
    intents = discord.Intents.none()
    intents.guilds = intents.guild_messages = intents.dm_messages = True
    intents.message_content = flags.gateway_message_content or flags.gateway_message_content_limited
    silent = discord.AllowedMentions.none()
    if shards > 1:
        return discord.AutoShardedClient(
            intents=intents, allowed_mentions=silent, shard_count=shards
        )
    return discord.Client(intents=intents, allowed_mentions=silent)


def _send_after(question: discord.Message, thread: discord.Thread | None) -> Send:
    async def send(after: discord.Message | None, content: str, **options: Any) -> discord.Message:
        # Each part replies to the one before, so that the chain of replies has the whole answer.
        if after is None and thread is not None:
            return await thread.send(content, **options)
        before = after or question
        return await before.reply(content, **options)

    return send


def _next_effort(effort: Effort) -> Effort:
    levels = list(Effort)
    return levels[min(levels.index(effort) + 1, len(levels) - 1)]
