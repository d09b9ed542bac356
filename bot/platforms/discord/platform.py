"""Discord: its events become questions and commands, replies become views."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import asyncio

import discord
import structlog
from discord import app_commands

from bot.config import AnswerMode
from bot.conversation.core import Core
from bot.conversation.texts import Texts
from bot.platforms.background import Background
from bot.platforms.base import PlatformUnusable
from bot.platforms.discord.answers import Answers
from bot.platforms.discord.buttons import AnswerButton
from bot.platforms.discord.client import UNREACHABLE, new_client
from bot.platforms.discord.commands import add_commands, fingerprint
from bot.platforms.discord.incoming import DiscordMessage
from bot.platforms.discord.interactions import Interactions
from bot.platforms.discord.messages import is_spoken, own_line, place_of
from bot.platforms.discord.missed import missed_mentions
from bot.platforms.discord.permissions import invitation, missing_to_send
from bot.platforms.discord.recovering import DiscordRecovery
from bot.platforms.discord.sending import Pace, is_passing
from bot.platforms.discord.words import has_more_than_text
from bot.platforms.hearing import addressee, hear, hear_edit
from bot.platforms.other_bots import OtherBots
from bot.platforms.recovery import recover
from bot.platforms.retrying import out_of_reach, reached

log = structlog.get_logger()

WITHOUT_CONTENT = (
    "discord's message content intent is off: mentions, replies and direct messages are answered;"
    " messages without a mention in threads and channels are not"
)


class DiscordPlatform:
    """One connection to Discord, or several shards where there are many servers."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._pace = Pace()
        self._background = Background(discord.HTTPException)
        self._reported_to_owner: set[tuple[int, str]] = set()
        """Channels that can't be sent to whose owner knows, and why."""
        self._hearing: dict[int, asyncio.Task[None]] = {}
        """What is being heard, by the message's id: its exchange may be about to begin."""
        self._stopping = asyncio.Event()
        self._recovered = False
        self._other_bots = OtherBots()
        self._client: discord.Client
        self._answers: Answers
        self._interactions: Interactions

    # Connection

    async def run(self) -> None:
        """See base.Platform. Raises PlatformUnusable."""
        settings = self._core.config().discord
        token = settings.token.get_secret_value()
        try:
            address = settings.api_url
            client = await reached("Discord", address, is_passing, new_client, settings)
            async with client:
                tree = self.attach(client)
                await client.login(token)
                await self._sync(tree)
                if not client.intents.message_content:
                    log.warning(WITHOUT_CONTENT)
                connecting = asyncio.create_task(client.connect())
                stopping = asyncio.create_task(self._stopping.wait())
                await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                await self._background.done()
            await connecting
        except discord.LoginFailure as error:
            raise PlatformUnusable("discord.token: Discord does not accept it") from error
        except UNREACHABLE as error:
            passing = is_passing(error)
            raise out_of_reach("Discord", settings.api_url, error, passing=passing) from error

    def stop(self) -> None:
        """See base.Platform."""
        self._stopping.set()

    def attach(self, client: discord.Client) -> app_commands.CommandTree[discord.Client]:
        """Hear the client's events; returns its commands, which have to be synced."""
        self._client = client
        self._answers = Answers(self._core, client, self._pace, self._background)
        self._interactions = Interactions(self._core, self._answers, self._pace, self._background)
        client.event(self.on_connect)
        client.event(self.on_ready)
        client.event(self.on_message)
        client.event(self.on_raw_message_edit)
        client.event(self.on_raw_message_delete)
        client.event(self.on_raw_bulk_message_delete)
        client.event(self.on_thread_remove)
        AnswerButton.on_press = self._interactions.press
        client.add_dynamic_items(AnswerButton)
        tree = app_commands.CommandTree(client)
        config = self._core.config()
        texts = Texts(config, config.defaults.language, "discord")
        add_commands(tree, self._interactions, texts)
        return tree

    async def _sync(self, tree: app_commands.CommandTree[discord.Client]) -> None:
        """Register the commands if their definitions changed since the last time."""
        registrations, application = (
            self._core.store.registrations,
            str(self._client.application_id),
        )
        now = fingerprint(tree)
        if await registrations.get("discord", application) != now:
            await tree.sync()
            await registrations.set("discord", application, now)
            log.info("discord commands registered")

    async def on_connect(self) -> None:
        log.info("discord is connected", servers=len(self._client.guilds))
        if not self._client.guilds and self._client.application_id is not None:
            link = invitation(self._client.application_id)
            log.info("the bot is in no server yet: open its invitation", link=link)

    async def on_ready(self) -> None:
        """A new session knows the servers: go on with what stayed unanswered without one."""
        if not self._recovered:  # in this run
            self._recovered = True
            recovery = DiscordRecovery(
                self._core, self._client, self._answers, self._pace, self._take
            )
            await recover("discord", str(self._me.id), recovery, self._core, self._background)
        for message in await missed_mentions(self._client, self._pace):
            await self.on_message(message)

    @property
    def _me(self) -> discord.ClientUser:
        assert self._client.user is not None
        return self._client.user

    # Messages

    async def on_message(self, message: discord.Message) -> None:
        if self._stopping.is_set() or not is_spoken(message):
            return
        if original := self._answers.copies.original_of(message):
            self._background.start(self._take_copy(message, original))
            return
        if not self._may_ask(message) or not await self._is_for_me(message):
            return
        if isinstance(message.channel, discord.Thread):
            self._answers.threads.turned_to(message.channel, message)
        self._answers.copies.asked(message)
        self._hear(message)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """The asker edits the question: the answer is made again in place.

        An edit may also make a question of what was none: by adding the mention, or its words.
        """
        edited, exchanges = event.message, self._answers.exchanges
        await self._until_heard(edited.id)
        exchange = exchanges.to(str(edited.id))
        if exchange is None:
            if edited.edited_at is None:
                return  # Discord adds previews to what was said
            if exchanges.was_heard(str(edited.id)):
                self._hear(edited, again=True)
            else:
                await self.on_message(edited)
        elif exchange.question.content != edited.content:
            exchange.question = edited
            incoming = await self._incoming(edited)
            self._background.start(hear_edit(incoming, exchange, self._core))

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self._deleted(event.message_id)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        for message in event.message_ids:
            self._deleted(message)

    async def on_thread_remove(self, thread: discord.Thread) -> None:
        """The bot was removed from a thread: it is silent there until somebody turns to it."""
        await self._answers.threads.removed_from(thread)

    def _deleted(self, message: int) -> None:
        """The asker deletes the question: generation stops and the answer goes.

        Somebody takes the answer away: generation stops.
        """
        exchanges = self._answers.exchanges
        if exchanges.to(str(message)) or message in self._hearing:
            self._background.start(self._delete_answer_to(message))
        elif exchange := exchanges.showing(str(message)):
            exchange.taken_away(str(message))

    async def _delete_answer_to(self, message: int) -> None:
        """Take the answer away, also if it is only about to begin."""
        await self._until_heard(message)
        if exchange := self._answers.exchanges.to(str(message)):
            await exchange.delete()

    def _may_ask(self, message: discord.Message) -> bool:
        """Whether its author may be answered: a person, or another bot where that is allowed."""
        place = place_of(message.channel, message.guild.id if message.guild else None)
        if not message.author.bot and message.webhook_id is None:
            self._other_bots.person_spoke(place)
            return True
        if message.author == self._me or self._me not in message.mentions:
            return False
        return self._other_bots.may_ask(place, self._core.config())

    async def _is_for_me(self, message: discord.Message) -> bool:
        if message.guild is None or self._me in message.mentions:
            return True
        if message.guild.self_role in message.role_mentions:
            return True
        answered = message.reference.resolved if message.reference else None
        if isinstance(answered, discord.Message) and answered.author == self._me:
            return True
        if not (message.content or has_more_than_text(message)):
            return False  # without the intent there is nothing to read
        if addressee(message.content) or _is_to_another_person(message, answered):
            return False
        channel = message.channel
        settings = await self._core.settings(place_of(channel, message.guild.id))
        if settings.answer.value is AnswerMode.ALWAYS:
            return True
        if settings.thread_mentions.value or not isinstance(channel, discord.Thread):
            return False
        return await self._answers.threads.takes_part_in(channel, message)

    def _hear(self, message: discord.Message, *, again: bool = False) -> None:
        self._hearing[message.id] = task = self._background.start(self._take(message, again=again))
        task.add_done_callback(lambda _: self._hearing.pop(message.id, None))

    async def _until_heard(self, message: int) -> None:
        if hearing := self._hearing.get(message):
            await asyncio.wait({hearing})

    async def _take_copy(self, copy: discord.Message, original: discord.Message) -> None:
        """Answer the copy of a question in its place; a line about the original is said once."""
        await self._delete_answer_to(original.id)
        if exchange := self._answers.exchanges.to(str(original.id)):
            if exchange.place.thread == str(original.id):
                await self._answers.threads.delete_for(original)
            copy.reference = copy.reference or original.reference
            await self._take(copy)

    async def _take(self, message: discord.Message, *, again: bool = False) -> None:
        """Hear a message, where its channel can be answered in."""
        if missing := missing_to_send(message.channel):
            await self._tell_owner(message, missing.permission)
        else:
            incoming, exchanges = await self._incoming(message), self._answers.exchanges
            await hear(incoming, self._core, exchanges, self._background, again=again)
            await exchanges.until_heard(str(message.id))

    async def _incoming(self, message: discord.Message) -> DiscordMessage:
        place = await self._answers.threads.place_of_answer(message)
        return DiscordMessage(message, self._me, self._answers, self._pace, self._background, place)

    async def _tell_owner(self, message: discord.Message, permission: str) -> None:
        """Nothing can be said in the channel: once, in private, to who can change that."""
        channel, guild = message.channel, message.guild
        assert guild is not None
        if (channel.id, permission) in self._reported_to_owner or guild.owner_id is None:
            return
        self._reported_to_owner.add((channel.id, permission))
        log.warning("discord: a permission is missing", channel=channel.id, permission=permission)
        texts = (await self._core.read(place_of(channel, guild.id))).texts
        name = getattr(channel, "name", "")
        line = texts("lacks_send_in", channel=name, server=guild.name, permission=permission)
        owner = await self._client.fetch_user(guild.owner_id)
        await self._pace.retried(owner.send, own_line(line))


def _is_to_another_person(message: discord.Message, answered: object) -> bool:
    """Whether the message replies to a person, `answered` being the message that it replies to."""
    if not isinstance(answered, discord.Message):
        return False
    return not answered.author.bot and answered.author != message.author
