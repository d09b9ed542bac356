"""The personas that a server can use: its own from chat, above the configuration file's."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bot.config import Config, Effort, SamplingConfig
from bot.conversation.events import Place
from bot.conversation.settings import Settings
from bot.storage import Store


@dataclass(frozen=True)
class Persona:
    """A named system prompt. `version` is None for those of the configuration file."""

    name: str
    prompt: str
    description: str = ""
    effort: Effort | None = None
    sampling: SamplingConfig | None = None
    suggestions: Sequence[str] = ()
    """Questions that are proposed where the platform proposes some."""
    version: int | None = None


class UnknownPersona(Exception):
    """No persona has this name here; `nearest` is the closest name there is, if any."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known
        self.nearest = next(iter(get_close_matches(name, known, n=1)), None)


async def personas_at(config: Config, store: Store, place: Place) -> dict[str, Persona]:
    """All personas of the place's server by name, sorted."""
    found = {
        name: Persona(name, p.prompt, p.description, p.effort, p.sampling, p.suggestions)
        for name, p in config.personas.items()
    }
    for row in await store.list_personas(place.platform, place.server):
        found[row.name] = Persona(
            row.name,
            row.prompt,
            row.description,
            Effort(row.effort) if row.effort else None,
            version=row.version,
        )
    return dict(sorted(found.items()))


async def persona_named(config: Config, store: Store, place: Place, name: str) -> Persona:
    """The persona `name` of the place's server. Raises UnknownPersona."""
    personas = await personas_at(config, store, place)
    if name not in personas:
        raise UnknownPersona(name, list(personas))
    return personas[name]


async def persona_in_force(
    config: Config, store: Store, place: Place, settings: Settings
) -> Persona:
    """The persona that answers at `place`.

    One that was deleted while in use gives way to the file's default, so that the bot never falls
    silent over a name.
    """
    if settings.system_prompt is not None:
        return Persona("", settings.system_prompt.value)
    personas = await personas_at(config, store, place)
    return personas.get(settings.persona.value) or personas[config.defaults.persona]
