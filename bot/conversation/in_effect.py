"""What is in effect at a place: read once for a message, and handed on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from bot.config import Config, Effort
from bot.conversation.events import Author, Place
from bot.conversation.personas import Persona, all_personas
from bot.conversation.settings import Setting, Settings, resolve
from bot.conversation.texts import Texts
from bot.storage import StoredPlace


@dataclass(frozen=True)
class InEffect:
    """Everything that an answer or a command at `place` depends on.

    personas: those that the place's server can use, by name.
    conversation_start: the id after which messages are part of the conversation.
    """

    place: Place
    config: Config
    settings: Settings
    personas: Mapping[str, Persona]
    texts: Texts
    conversation_start: str

    @classmethod
    def at(cls, place: Place, config: Config, stored: StoredPlace) -> "InEffect":
        settings = resolve(config, place, stored.settings)
        return cls(
            place,
            config,
            settings,
            all_personas(config, stored.personas),
            Texts(config, settings.language.value, place.platform),
            stored.conversation_start,
        )

    def zone_of(self, author: Author) -> tzinfo:
        """The time zone of what the author types and reads: their own, else the one set here."""
        zone = self.settings.time_zone.value
        return author.zone or (ZoneInfo(zone) if zone else UTC)

    def for_message(self, effort: Effort | None) -> "InEffect":
        """The same for a message that asks for an effort of its own, if it does."""
        return replace(self, settings=self.settings.with_effort(effort))

    @property
    def persona(self) -> Persona:
        """The persona that answers here.

        One that was deleted while in use gives way to the file's default, so that the bot never
        falls silent over a name.
        """
        if self.settings.system_prompt is not None:
            return Persona("", self.settings.system_prompt.value)
        default = self.personas[self.config.defaults.persona]
        return self.personas.get(self.settings.persona.value, default)

    @property
    def effort(self) -> Setting[Effort]:
        """What was set here, else the persona's, else the default."""
        default = self.config.defaults.effort
        return self.settings.effective_effort(self.persona.effort, default)

    @property
    def listed(self) -> list[tuple[str, Setting[object]]]:
        """Each setting by its name, in the order in which people are shown them."""
        found = self.settings
        persona = (
            ("persona", Setting(self.persona.name, found.persona.source))
            if found.system_prompt is None
            else ("system_prompt", found.system_prompt)
        )
        names = ("answer", "thread_mentions", "channel_messages", "time_zone")
        rest = (*names, "language", "show_reasoning")
        return [persona, ("effort", self.effort), *((name, getattr(found, name)) for name in rest)]
