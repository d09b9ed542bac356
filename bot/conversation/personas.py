"""The personas that a server can use: its own from chat, above the configuration file's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bot.config import Config, Effort, SamplingConfig
from bot.storage import StoredPersona


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


def all_personas(config: Config, stored: Iterable[StoredPersona]) -> dict[str, Persona]:
    """A server's personas by name, sorted: those that are `stored` for it, and the file's."""
    found = {
        name: Persona(name, p.prompt, p.description, p.effort, p.sampling, p.suggestions)
        for name, p in config.personas.items()
    }
    for row in stored:
        found[row.name] = Persona(
            row.name,
            row.prompt,
            row.description,
            Effort(row.effort) if row.effort else None,
            version=row.version,
        )
    return dict(sorted(found.items()))


def persona_named(personas: Mapping[str, Persona], name: str) -> Persona:
    """The persona `name`. Raises UnknownPersona."""
    if name not in personas:
        raise UnknownPersona(name, list(personas))
    return personas[name]
