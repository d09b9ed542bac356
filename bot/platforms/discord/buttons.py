"""The buttons under an answer. They work after a restart: all they need is in their ids."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

import discord

from bot.config import Effort
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts


class Action(StrEnum):
    """What a button does."""

    STOP = "stop"
    REGENERATE = "regenerate"
    HARDER = "harder"
    DELETE = "delete"
    UP = "up"
    DOWN = "down"


EMOJI = {
    Action.STOP: "⏹️",
    Action.REGENERATE: "🔁",
    Action.HARDER: "🧠",
    Action.DELETE: "🗑️",
    Action.UP: "👍",
    Action.DOWN: "👎",
}
TEMPLATE = r"gptoss:(?P<action>[a-z]+):(?P<asker>\d+):(?P<question>\d+):(?P<effort>[a-z]+)"


@dataclass(frozen=True)
class Pressed:
    """What a button knows: `question` is the id of the question's message."""

    action: Action
    asker: int
    question: int
    effort: Effort

    @classmethod
    def parse(cls, match: re.Match[str]) -> "Pressed":
        """Raises ValueError for an action or effort that this version lacks."""
        return cls(
            Action(match["action"]),
            int(match["asker"]),
            int(match["question"]),
            Effort(match["effort"]),
        )

    @property
    def custom_id(self) -> str:
        return f"gptoss:{self.action}:{self.asker}:{self.question}:{self.effort}"


class AnswerButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=TEMPLATE):
    """One button. The platform sets `on_press` once, before it connects."""

    on_press: ClassVar[Callable[[discord.Interaction, Pressed], Awaitable[None]]]

    def __init__(self, pressed: Pressed, label: str | None = None) -> None:
        super().__init__(
            discord.ui.Button(
                label=label,
                emoji=EMOJI[pressed.action],
                style=discord.ButtonStyle.secondary,
                custom_id=pressed.custom_id,
            )
        )
        self._pressed = pressed

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(Pressed.parse(match))

    async def callback(self, interaction: discord.Interaction) -> None:
        await type(self).on_press(interaction, self._pressed)


def buttons_under(reply: Reply, *, again: bool) -> tuple[Action, ...]:
    """The buttons for the reply as it is; `again`: whether it can be made again."""
    if not reply.state.final:
        return (Action.STOP,)
    remake = [Action.REGENERATE, Action.HARDER] if again else []
    if reply.effort is Effort.HIGH and again:
        remake = [Action.REGENERATE]
    if reply.state is ReplyState.FAILED:
        return (*remake[:1], Action.DELETE)
    return (*remake, Action.DELETE, Action.UP, Action.DOWN)


def pressed_under(message: discord.Message) -> Iterator[Pressed]:
    """What pressing each of the buttons under `message` would mean."""
    for row in message.components:
        for button in row.children if isinstance(row, discord.ActionRow) else ():
            if match := re.fullmatch(TEMPLATE, getattr(button, "custom_id", None) or ""):
                yield Pressed.parse(match)


def view_of(
    actions: Sequence[Action], asker: int, question: int, effort: Effort, texts: Texts
) -> discord.ui.View | None:
    """The buttons as discord.py's view; None for none."""
    if not actions:
        return None
    view = discord.ui.View(timeout=None)
    for action in actions:
        label = None if action in (Action.UP, Action.DOWN) else texts(f"button_{action}")
        view.add_item(AnswerButton(Pressed(action, asker, question, effort), label))
    view.stop()  # discord.py need not keep it: a pressed button is found by its id
    return view
