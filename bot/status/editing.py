"""Personas and settings, changed from the page with the very commands that people give in chat.

So the same checks hold, and the same versions and changes are recorded.
"""

from datetime import datetime

from wtforms import Field, StringField

from bot.conversation.commands import COMMANDS, CommandCall, CommandError, CommandResult, Context
from bot.conversation.commands.setting import SETTINGS
from bot.conversation.core import Core
from bot.conversation.events import Author, Place
from bot.conversation.in_effect import InEffect
from bot.status.forms import GuardedForm

STATUS_PAGE = Author("status page", "status page", admin=True)
"""Who changes things here: everybody with the token."""


EDITABLE = ("effort", "persona", *SETTINGS)
"""The settings that people can change in chat."""


class SettingForm(GuardedForm):
    """`channel` is empty for the whole server."""

    value = StringField()
    channel = StringField()


class PersonaForm(GuardedForm):
    name = StringField()
    text = StringField()
    description = StringField()
    level = StringField()


class Nowhere:
    """The conversation that commands from the page have: none."""

    async def start_over(self) -> None:
        pass

    async def is_of(self, person: str) -> bool:
        return False

    async def regenerate(self, author: Author) -> bool:
        return False

    async def attached(self, here: InEffect) -> tuple[str, bytes] | None:
        return None

    async def summarize(
        self, here: InEffect, author: Author, since: datetime | None, channel: str
    ) -> None:
        raise CommandError(here.texts("summary_not_here"))


class Editor:
    """Gives commands at a server, and at one of its channels where one is named."""

    def __init__(self, core: Core, platform: str, server: str) -> None:
        self._core = core
        self._platform = platform
        self._server = server

    async def context(self, channel: str = "") -> Context:
        """What is in effect there. Raises StorageError."""
        # The operator's own, so that access lists don't hold.
        place = Place(self._platform, self._server, channel, local=True)
        return self._core.context(await self._core.read(place), STATUS_PAGE, Nowhere())

    async def change_setting(self, key: str, form: SettingForm) -> CommandResult:
        """Set one of EDITABLE. Raises StorageError."""
        value, channel = _filled(form.value), _filled(form.channel)
        command, values = "set", {"setting": key, "value": value}
        if key == "effort":
            command, values = "effort", {"level": value}
        elif key == "persona":
            command, values = "persona use", {"name": value}
        scope = "channel" if channel else "server"
        return await self._run(command, channel, values | {"scope": scope})

    async def create_persona(self, form: PersonaForm) -> CommandResult:
        """Make a persona. Raises StorageError."""
        return await self._run("persona create", "", {"name": _filled(form.name)} | _said(form))

    async def edit_persona(self, name: str, form: PersonaForm) -> CommandResult:
        """Save a new version. Raises StorageError."""
        return await self._run("persona edit", "", {"name": name} | _said(form))

    async def undo_persona(self, name: str) -> CommandResult:
        """Go back one version. Raises StorageError."""
        return await self._run("persona undo", "", {"name": name})

    async def delete_persona(self, name: str) -> CommandResult:
        """Delete a persona. Raises StorageError."""
        return await self._run("persona delete", "", {"name": name})

    async def _run(self, command: str, channel: str, values: dict[str, str]) -> CommandResult:
        return await self._core.run(
            CommandCall(COMMANDS[command], values), await self.context(channel)
        )


def _said(form: PersonaForm) -> dict[str, str]:
    return {name: _filled(form[name]) for name in ("text", "description", "level")}


def _filled(field: Field) -> str:
    return (field.data or "").replace("\r\n", "\n").strip()
