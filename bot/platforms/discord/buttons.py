"""The buttons under an answer. They work after a restart: all they need is in their ids."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import discord

from bot.config import Effort
from bot.conversation.texts import Texts
from bot.platforms.buttons import DECISIONS, VOTES, Action

EMOJI = {
    Action.ALLOW: "✅",
    Action.DENY: "🚫",
    Action.STOP: "⏹️",
    Action.REGENERATE: "🔁",
    Action.HARDER: "🧠",
    Action.DELETE: "🗑️",
    Action.KEEP: None,
    Action.UP: "👍",
    Action.DOWN: "👎",
}
TEMPLATE = (
    r"gptoss:(?P<action>[a-z]+):(?P<asker>\d+):(?P<question>\d+):(?P<effort>[a-z]+)"
    r"(?::(?P<answer>\d+))?"
    r"(?::c(?P<call>[0-9a-f]+))?"
)


@dataclass(frozen=True)
class ButtonId:
    """What a button knows, as its custom_id.

    question: the id of the question's message.
    answer: that of the answer's last message, where the button stands in another one.
    call: the key of the call that it decides on, if it does.
    """

    action: Action
    asker: int
    question: int
    effort: Effort
    answer: int | None = None
    call: str = ""

    @classmethod
    def parse(cls, match: re.Match[str]) -> "ButtonId":
        """Raises ValueError for an action or effort that this version lacks."""
        return cls(
            Action(match["action"]),
            int(match["asker"]),
            int(match["question"]),
            Effort(match["effort"]),
            int(match["answer"]) if match["answer"] else None,
            match["call"] or "",
        )

    def __str__(self) -> str:
        known = (self.action, self.asker, self.question, self.effort, self.answer)
        id = ":".join(["gptoss", *(str(part) for part in known if part is not None)])
        return f"{id}:c{self.call}" if self.call else id


class AnswerButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=TEMPLATE):
    """One button. The platform sets `on_press` once, before it connects."""

    on_press: ClassVar[Callable[[discord.Interaction, ButtonId], Awaitable[None]]]

    def __init__(self, id: ButtonId, label: str | None = None) -> None:
        super().__init__(
            discord.ui.Button(
                label=label,
                emoji=EMOJI[id.action],
                style=discord.ButtonStyle.secondary,
                custom_id=str(id),
            )
        )
        self._button = id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(ButtonId.parse(match))

    async def callback(self, interaction: discord.Interaction) -> None:
        await type(self).on_press(interaction, self._button)


def buttons_of(message: discord.Message) -> Iterator[ButtonId]:
    """The bot's buttons under a message."""
    for row in message.components:
        for button in row.children if isinstance(row, discord.ActionRow) else ():
            if match := re.fullmatch(TEMPLATE, getattr(button, "custom_id", None) or ""):
                yield ButtonId.parse(match)


def view_of(
    actions: Sequence[Action],
    asker: int,
    question: int,
    effort: Effort,
    texts: Texts,
    call: str = "",
) -> discord.ui.View | None:
    """The buttons as discord.py's view; None for none. `call`: the one that they decide on."""
    if not actions:
        return None
    ids = [
        ButtonId(action, asker, question, effort, call=call if action in DECISIONS else "")
        for action in actions
    ]
    return _view(ids, texts)


def deletion_view(pressed: ButtonId, answer: int, texts: Texts) -> discord.ui.View:
    """Below the question whether the answer with this last message is to go."""
    choices = (Action.DELETE, Action.KEEP)
    return _view([replace(pressed, action=action, answer=answer) for action in choices], texts)


def _view(ids: Sequence[ButtonId], texts: Texts) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for id in ids:
        label = None if id.action in VOTES else texts(f"button_{id.action}")
        view.add_item(AnswerButton(id, label))
    view.stop()  # discord.py need not keep it: a pressed button is found by its id
    return view
