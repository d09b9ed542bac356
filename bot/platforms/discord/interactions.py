"""What people press, choose and fill in. Each is acknowledged at once: Discord waits 3 s."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

from dataclasses import replace
from functools import partial
from typing import Any

import discord

from bot.conversation.commands import (
    COMMANDS,
    Command,
    CommandCall,
    CommandError,
    CommandResult,
    Context,
)
from bot.conversation.core import Core
from bot.conversation.events import Message, Question, QuestionKey
from bot.conversation.gate import NotAdmitted, check_access
from bot.conversation.in_effect import InEffect
from bot.platforms.attachments import File
from bot.platforms.background import Background
from bot.platforms.buttons import Action, press
from bot.platforms.discord.acknowledging import if_first
from bot.platforms.discord.answers import Answers
from bot.platforms.discord.buttons import ButtonId
from bot.platforms.discord.catching_up import Requester
from bot.platforms.discord.forms import CommandForm, EditAgainButton, FormButton, QuestionForm
from bot.platforms.discord.layout import Look
from bot.platforms.discord.limits import CONTENT_LENGTH
from bot.platforms.discord.messages import author_in, me_in, own_line, place_in
from bot.platforms.discord.pressing import DiscordPress, take_away
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.view import DiscordView, SentMessage
from bot.platforms.exchange import Exchange
from bot.platforms.markdown.splitting import split_markdown
from bot.storage import StorageError

INVALID_TOKEN = 50027
"""Of an interaction that is 15 minutes old:
https://docs.discord.com/developers/topics/opcodes-and-status-codes#json"""


class Interactions:
    """Answers slash commands, the message menu, forms and buttons."""

    def __init__(self, core: Core, answers: Answers, pace: Pace, background: Background) -> None:
        self._core = core
        self._answers = answers
        self._pace = pace
        self._background = background

    # Commands and forms

    @if_first
    async def command(self, interaction: discord.Interaction, call: CommandCall) -> None:
        """A slash command was given."""
        if call.needs_form:
            await self._open_form(interaction, call)
            return
        await interaction.response.defer(ephemeral=True)
        result = await self._run(call, interaction)
        await self._answer(interaction, result.text, result.then)

    async def persona_names(self, interaction: discord.Interaction) -> list[str]:
        """What can be proposed for a persona."""
        return list((await self._core.read(place_in(interaction))).personas)

    async def _open_form(self, interaction: discord.Interaction, call: CommandCall) -> None:
        try:
            context = await self._context(interaction)
            filled = await self._core.fill_form(call, context)
        except (CommandError, StorageError) as error:
            line = self._core.explained(error)
            await interaction.response.send_message(own_line(line), ephemeral=True)
            return
        texts = context.texts

        @if_first
        async def submit(sent: discord.Interaction, written: dict[str, str]) -> None:
            await sent.response.defer(ephemeral=True, thinking=True)
            result = await self._run(replace(call, values={**call.values, **written}), sent)
            if result.done:
                await self._answer(sent, result.text)
            else:
                again = EditAgainButton(
                    lambda: CommandForm(call.command, written, texts, submit), texts
                )
                await sent.followup.send(result.text, view=again, ephemeral=True)

        await interaction.response.send_modal(CommandForm(call.command, filled, texts, submit))

    async def _answer(
        self, interaction: discord.Interaction, answer: str, then: Command | None = None
    ) -> None:
        """Show what a command answers, and a button for the form of the one that it proposes.

        Each message says for itself that it is private.
        """
        parts = [part.text for part in split_markdown(answer, CONTENT_LENGTH)] if answer else []
        for at, part in enumerate(parts, 1):
            options: dict[str, Any] = {"ephemeral": True}
            if then is not None and at == len(parts):
                options["view"] = await self._form_button(interaction, then)
            send = partial(interaction.followup.send, part, **options)
            await self._pace.retried(send)

    async def _form_button(self, interaction: discord.Interaction, command: Command) -> FormButton:
        @if_first
        async def open_form(pressed: discord.Interaction) -> None:
            await self._open_form(pressed, CommandCall(command))

        texts = (await self._core.read(place_in(interaction))).texts
        return FormButton(texts("form_review"), open_form)

    async def _run(self, call: CommandCall, interaction: discord.Interaction) -> CommandResult:
        try:
            return await self._core.run(call, await self._context(interaction))
        except StorageError as error:
            return CommandResult(self._core.storage_failed(error), done=False)

    async def _context(self, interaction: discord.Interaction) -> Context:
        place = place_in(interaction)
        conversation = self._answers.conversation(_requester(interaction), place)
        here = await self._core.read(place)
        return self._core.context(here, author_in(interaction), conversation)

    # A message's menu

    @if_first
    async def catch_up(self, interaction: discord.Interaction, first: discord.Message) -> None:
        """Somebody wants to know what was said from a message on."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        call = CommandCall(COMMANDS["summary"], {"since": first.created_at.isoformat()})
        await self._answer(interaction, (await self._run(call, interaction)).text)

    @if_first
    async def ask_about(self, interaction: discord.Interaction, about: discord.Message) -> None:
        """The message menu's entry was chosen: asks what, and answers the interaction."""
        place = place_in(interaction)
        here = await self._core.read(place)
        try:
            check_access(here, author_in(interaction))
        except NotAdmitted as error:
            await interaction.response.send_message(own_line(str(error)), ephemeral=True)
            return

        @if_first
        async def submit(sent: discord.Interaction, text: str) -> None:
            author = author_in(sent)

            async def read_question(text: str, here: InEffect) -> Question:
                (target,) = await self._answers.reader.read(about, [], me_in(sent), here)
                message = Message(str(sent.id), author, text)
                return Question(message, [target], notices=target.notices)

            async def send(
                after: SentMessage | None, content: str, **options: Any
            ) -> discord.Message:
                options.pop("nonce", None)  # not for an interaction's answers
                message: discord.Message = await sent.followup.send(content, wait=True, **options)
                return message

            question = " ".join(text.split())
            heading = here.texts("asked_about", name=author.name, question=question)
            look = Look(
                here.texts,
                sent.user.id,
                sent.id,
                getattr(sent.channel, "name", "") or "",
                heading=heading,
                again=False,
                embeds=here.settings.show_reasoning.value,
            )
            whisper = self._pace.whisper_to(sent.user)
            view = DiscordView(look, send, whisper, self._pace, self._answers.written)
            key = QuestionKey(str(me_in(sent).id), str(sent.id))
            exchange = Exchange(text, key, author.id, place, read_question, view, self._core)
            try:
                admission = await exchange.admit(author)
            except (NotAdmitted, StorageError) as error:
                line = own_line(self._core.explained(error))
                await sent.response.send_message(line, ephemeral=True)
                return
            try:
                await sent.response.defer(thinking=True)
            except Exception:
                await admission.withdraw()
                raise
            self._answers.exchanges.add(exchange)
            self._background.start(exchange.answer(admission))

        await interaction.response.send_modal(QuestionForm(here.texts, submit))

    # Buttons

    @if_first
    async def press(self, interaction: discord.Interaction, id: ButtonId) -> None:
        """A button under an answer was pressed."""
        await interaction.response.defer()
        if id.action is Action.KEEP:
            await take_away(interaction)
            return
        pressed = DiscordPress(interaction, id, self._answers, self._pace)
        await press(pressed, self._core, self._background)


def _requester(interaction: discord.Interaction) -> Requester:
    """A wish to catch up; the summary's first message takes the place of "thinking…"."""

    async def send(after: SentMessage | None, content: str, **options: Any) -> discord.Message:
        options.pop("nonce", None)  # not for an interaction's answers
        follow_up = interaction.followup.send
        try:
            return await follow_up(content, wait=True, ephemeral=True, **options)
        except discord.HTTPException as error:
            if error.code != INVALID_TOKEN:
                raise
        return await interaction.user.send(content, **options)

    assert interaction.channel is not None
    channel, guild = interaction.channel, interaction.guild
    data: dict[str, Any] = {**(interaction.data or {})}
    resolved = data.get("resolved") or {}
    files = [
        File(id, str(file["filename"]), str(file["url"]), str(file.get("content_type") or ""))
        for id, file in resolved.get("attachments", {}).items()
    ]
    id = interaction.id
    return Requester(interaction.user, channel, guild, id, id, send, files)
