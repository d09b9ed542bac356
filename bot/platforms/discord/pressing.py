"""A press on a button under an answer, as buttons.press wants it told."""

from contextlib import suppress

import discord

from bot.conversation.events import Author
from bot.conversation.in_effect import InEffect
from bot.conversation.texts import Texts
from bot.platforms.discord.answers import Answers, DiscordExchange
from bot.platforms.discord.buttons import ButtonId, deletion_view
from bot.platforms.discord.messages import author_in, own_line, place_in
from bot.platforms.discord.sending import Pace


class DiscordPress:
    """See buttons.Press."""

    def __init__(
        self, interaction: discord.Interaction, id: ButtonId, answers: Answers, pace: Pace
    ) -> None:
        self.action = id.action
        self.effort = id.effort
        self.asker = str(id.asker)
        self.call = id.call
        self.place = place_in(interaction)
        self.message = str(interaction.message.id) if interaction.message else ""
        self._id = id
        self._interaction = interaction
        self._answers = answers
        self._pace = pace

    async def author(self) -> Author:
        return author_in(self._interaction)

    def moderates(self, author: Author) -> bool:
        rights = self._interaction.permissions
        return rights.manage_messages or rights.manage_channels

    async def exchange(self, here: InEffect) -> DiscordExchange | None:
        return await self._answers.find(self._id, await self._last_message())

    async def is_sure(self, texts: Texts) -> bool:
        interaction = self._interaction
        if self._id.answer is not None:
            await take_away(interaction)  # the question that was answered
            return True
        assert interaction.message is not None
        view = deletion_view(self._id, interaction.message.id, texts)
        ask, line = interaction.followup.send, own_line(texts("delete_ask"))
        await self._pace.retried(ask, line, view=view, ephemeral=True)
        return False

    async def _last_message(self) -> discord.Message | None:
        """The answer's last message."""
        interaction, channel = self._interaction, self._interaction.channel
        if self._id.answer is None or not isinstance(channel, discord.abc.Messageable):
            return interaction.message
        try:
            return await channel.fetch_message(self._id.answer)
        except discord.HTTPException:  # gone, or the bot isn't a member here
            return None

    async def whisper(self, line: str) -> None:
        send = self._interaction.followup.send
        await self._pace.retried(send, own_line(line), ephemeral=True)


async def take_away(interaction: discord.Interaction) -> None:
    """Delete the message whose button was pressed; who saw it may have dismissed it."""
    with suppress(discord.HTTPException):
        await interaction.delete_original_response()
