"""Commands that open a form, as Discord's modals."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import discord

from bot.config import Effort
from bot.conversation.commands import Command, Option, OptionKind
from bot.conversation.texts import Texts
from bot.platforms.discord.limits import FORM_INPUTS, TEXT_INPUT_LENGTH
from bot.platforms.inputs import cut_for_inputs, joined_inputs

NO_LEVEL = "-"
"""Chosen for no effort level; Discord takes no empty value."""

Submit = Callable[[discord.Interaction, dict[str, str]], Awaitable[None]]
"""Takes the options by name, as they were filled in."""


class CommandForm(discord.ui.Modal):
    """Asks for a command's form options, beginning with `values`."""

    def __init__(
        self, command: Command, values: Mapping[str, str], texts: Texts, submit: Submit
    ) -> None:
        super().__init__(title=f"/{command.name}")
        self._submit = submit
        self._fields: dict[str, discord.ui.TextInput[Any] | discord.ui.RadioGroup[Any]] = {}
        most = FORM_INPUTS + 1 - len(command.form_options)  # of them, one is a long text
        for option in command.form_options:
            label, value = texts(f"form_{option.name}"), values.get(option.name, "")
            pieces = {option.name: value}
            if option.kind is OptionKind.TEXT:
                pieces = cut_for_inputs(option.name, value, TEXT_INPUT_LENGTH, most)
            for at, (name, piece) in enumerate(pieces.items(), 1):
                field = _field(option, piece, texts, is_first=at == 1)
                self._fields[name] = field
                text = label if at == 1 else f"{label} ({at}/{len(pieces)})"
                self.add_item(discord.ui.Label(text=text, component=field))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        written = {name: _written(field) for name, field in self._fields.items()}
        await self._submit(interaction, joined_inputs(written))


class QuestionForm(discord.ui.Modal):
    """Asks what the person would like to know about a message."""

    def __init__(
        self, texts: Texts, submit: Callable[[discord.Interaction, str], Awaitable[None]]
    ) -> None:
        super().__init__(title=texts("ask_title"))
        self._submit = submit
        self._question: discord.ui.TextInput[Any] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph,
            default=texts("ask_default"),
            max_length=TEXT_INPUT_LENGTH,
        )
        self.add_item(discord.ui.Label(text=texts("ask_label"), component=self._question))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await self._submit(interaction, self._question.value)


class FormButton(discord.ui.View):
    """A button that opens a form."""

    def __init__(
        self, label: str, open_form: Callable[[discord.Interaction], Awaitable[None]]
    ) -> None:
        super().__init__(timeout=900)
        button: discord.ui.Button[Any] = discord.ui.Button(label=label)
        button.callback = open_form  # type: ignore[assignment,method-assign]
        self.add_item(button)


class EditAgainButton(FormButton):
    """Under a refused form: a button that opens it again as it was filled in."""

    def __init__(self, form: Callable[[], CommandForm], texts: Texts) -> None:
        async def open_form(pressed: discord.Interaction) -> None:
            await pressed.response.send_modal(form())

        super().__init__(texts("form_again"), open_form)


def _written(field: discord.ui.TextInput[Any] | discord.ui.RadioGroup[Any]) -> str:
    value = field.value or ""
    return "" if isinstance(field, discord.ui.RadioGroup) and value == NO_LEVEL else value


def _field(
    option: Option, value: str, texts: Texts, *, is_first: bool
) -> discord.ui.TextInput[Any] | discord.ui.RadioGroup[Any]:
    if option.kind is OptionKind.EFFORT:
        choices = [("", texts("form_no_level")), *((str(e), str(e)) for e in Effort)]
        return discord.ui.RadioGroup(
            required=False,
            options=[
                discord.RadioGroupOption(label=label, value=key or NO_LEVEL, default=key == value)
                for key, label in choices
            ],
        )
    long = option.kind is OptionKind.TEXT
    return discord.ui.TextInput(
        style=discord.TextStyle.paragraph if long else discord.TextStyle.short,
        default=value or None,
        required=option.required and is_first,
        max_length=TEXT_INPUT_LENGTH if long else 200,
    )
