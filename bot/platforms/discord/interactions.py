"""What people press, choose and fill in. Each is acknowledged at once: Discord waits 3 s."""

from __future__ import annotations  # some of discord.py's types exist for checkers alone

from typing import Any

import discord

from bot.config import Effort
from bot.conversation.commands import Command, CommandError
from bot.conversation.core import Core
from bot.conversation.events import Author, Message, Place, Question
from bot.conversation.personas import personas_at
from bot.platforms.background import Background
from bot.platforms.conversation import ChannelConversation
from bot.platforms.discord.answers import Answers
from bot.platforms.discord.buttons import Action, Pressed
from bot.platforms.discord.forms import CommandForm, EditAgain, QuestionForm
from bot.platforms.discord.limits import CONTENT_LENGTH
from bot.platforms.discord.messages import Channel, author_of, own_line, place_of, read
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.view import DiscordView, Look, Shown
from bot.platforms.exchange import Asked, Exchange
from bot.platforms.markdown.splitting import split_markdown


class Interactions:
    """Answers slash commands, the message menu, forms and buttons."""

    def __init__(self, core: Core, answers: Answers, pace: Pace, background: Background) -> None:
        self._core = core
        self._answers = answers
        self._pace = pace
        self._background = background

    # Commands and forms

    async def command(
        self, interaction: discord.Interaction, command: Command, values: dict[str, str]
    ) -> None:
        """A slash command was given."""
        if command.fill_form is not None:
            await self._open_form(interaction, command, values)
            return
        await interaction.response.defer(ephemeral=command.private)
        answer = await self._core.run(command, values, *self._given(interaction))
        await self._answer(interaction, answer)

    async def persona_names(self, interaction: discord.Interaction) -> list[str]:
        """What can be proposed for a persona."""
        place = _place(interaction)
        return list(await personas_at(self._core.config(), self._core.store, place))

    async def _open_form(
        self, interaction: discord.Interaction, command: Command, values: dict[str, str]
    ) -> None:
        texts = await self._core.texts(_place(interaction))
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
                await self._answer(sent, answer)

        await interaction.response.send_modal(CommandForm(command, filled, texts, submit))

    async def _answer(self, interaction: discord.Interaction, answer: str) -> None:
        for part in split_markdown(answer, CONTENT_LENGTH):
            text = part.text
            await self._pace.landed(lambda text=text: interaction.followup.send(text))  # type: ignore[misc]

    def _given(self, interaction: discord.Interaction) -> tuple[Place, Author, ChannelConversation]:
        place = _place(interaction)
        here = self.conversation(interaction.channel, place, interaction.id, interaction.user.id)
        return place, _author(interaction), here

    def conversation(
        self, channel: Channel | None, place: Place, newest: int, person: int
    ) -> ChannelConversation:
        """What a command that the person gives in the channel acts on."""

        async def again() -> bool:
            exchange = await self._answers.latest_of(person, channel)
            if exchange is not None:
                self._background.start(exchange.answer())
            return exchange is not None

        return ChannelConversation(self._core.store, place, str(newest), again)

    # A question about a message

    async def ask_about(self, interaction: discord.Interaction, about: discord.Message) -> None:
        """The message menu's entry was chosen: asks what, and answers the interaction."""
        place, author = _place(interaction), _author(interaction)
        texts = await self._core.texts(place)
        if problem := await self._core.refusal(place, author):
            await interaction.response.send_message(own_line(problem), ephemeral=True)
            return

        async def submit(sent: discord.Interaction, text: str) -> None:
            await sent.response.defer(thinking=True)

            async def ask(text: str, effort: Effort | None) -> Asked:
                limit = self._core.config().conversation.attachment_max_bytes
                target = await read(about, _me(sent), limit, texts)
                question = Message(str(sent.id), author, text)
                return Asked(Question(place, question, [target.message], effort), target.notices)

            async def send(after: Shown | None, content: str, **options: Any) -> discord.Message:
                options.pop("nonce", None)  # not for an interaction's answers
                message: discord.Message = await sent.followup.send(content, wait=True, **options)
                return message

            heading = texts("asked_about", name=author.name, question=" ".join(text.split()))
            look = Look(texts, sent.user.id, sent.id, heading=heading, again=False)
            view = DiscordView(look, send, self._pace)
            exchange = Exchange(text, ask, view, self._core.responder)
            self._answers.remember(sent.id, exchange)
            self._background.start(exchange.answer())

        await interaction.response.send_modal(QuestionForm(texts, submit))

    # Buttons

    async def press(self, interaction: discord.Interaction, pressed: Pressed) -> None:
        """A button under an answer was pressed."""
        await interaction.response.defer()
        texts = await self._core.texts(_place(interaction))
        if pressed.action in (Action.UP, Action.DOWN):
            await self._vote(interaction, 1 if pressed.action is Action.UP else -1)
            await self._whisper(interaction, texts("thanks"))
            return
        rights = interaction.permissions
        moderates = rights.manage_messages or rights.manage_channels
        if interaction.user.id != pressed.asker and not moderates:
            await self._whisper(interaction, texts("not_yours"))
            return
        exchange = await self._answers.found(pressed, interaction.message)
        if exchange is None:
            await self._whisper(interaction, texts("question_gone"))
        elif pressed.action is Action.DELETE:
            await exchange.delete()
        elif pressed.action is Action.STOP:
            exchange.stop()
        else:
            effort = pressed.effort.harder if pressed.action is Action.HARDER else None
            self._background.start(exchange.answer(effort))

    async def _vote(self, interaction: discord.Interaction, vote: int) -> None:
        place = _place(interaction)
        assert interaction.message is not None
        message, user = str(interaction.message.id), str(interaction.user.id)
        await self._core.store.set_feedback(
            place.platform, place.server, place.channel, message, user, vote
        )

    async def _whisper(self, interaction: discord.Interaction, text: str) -> None:
        """A line that only who pressed sees."""
        await self._pace.landed(lambda: interaction.followup.send(own_line(text), ephemeral=True))


def _me(interaction: discord.Interaction) -> discord.ClientUser:
    assert interaction.client.user is not None
    return interaction.client.user


def _place(interaction: discord.Interaction) -> Place:
    assert interaction.channel is not None
    return place_of(interaction.channel, interaction.guild_id)


def _author(interaction: discord.Interaction) -> Author:
    rights = None if interaction.guild_id is None else interaction.permissions
    return author_of(interaction.user, rights, _me(interaction))
