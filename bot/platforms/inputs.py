"""A long text in a form: over several inputs where one can't hold it."""

from collections.abc import Mapping

_NUMBER = "#"


def cut_for_inputs(name: str, text: str, limit: int, most: int) -> dict[str, str]:
    """The texts of at most `most` inputs, by name; `joined_inputs` puts them together again.

    None begins or ends with white space, which clients and platforms take away from an input,
    unless every input has to be as full as it can be.
    """
    pieces: list[str] = []
    while len(text) > limit:
        later = (most - len(pieces) - 1) * limit
        shortest = max(limit // 2, len(text) - later)
        borders = range(limit, shortest - 1, -1)
        at = next((b for b in borders if not (text[b - 1].isspace() or text[b].isspace())), limit)
        pieces.append(text[:at])
        text = text[at:]
    pieces.append(text)
    return {f"{name}{_NUMBER}{at}" if at else name: piece for at, piece in enumerate(pieces)}


def joined_inputs(values: Mapping[str, str]) -> dict[str, str]:
    """What was written in a form's inputs, by the name of the option."""
    joined: dict[str, str] = {}
    for key, value in values.items():
        name = key.partition(_NUMBER)[0]
        joined[name] = joined.get(name, "") + value
    return {name: value.strip() for name, value in joined.items()}
