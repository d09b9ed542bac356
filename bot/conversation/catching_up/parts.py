"""Splits texts into as few parts as fit the model's context."""

from collections.abc import Sequence

from bot.conversation.history import ChatMessage, CountTokens, estimate_tokens

SAMPLED_LENGTH = 200_000
"""Characters whose tokens are counted, to learn how long the texts' tokens are."""
SPARE = 0.95
"""Of a part's room; an estimate may be wrong by the rest."""


async def in_parts(texts: Sequence[str], room: int, count: CountTokens) -> list[range]:
    """The indices of each part's texts: in order, each text in one part, the parts about even.

    room: tokens that a part may have; a text that is longer has a part of its own.
    """
    scale = await _scale(texts, count)
    sizes = [_estimate(text) * scale for text in texts]
    left = sum(sizes)
    even = _even(left, room)
    parts: list[range] = []
    begin, filled = 0, 0.0
    for at, size in enumerate(sizes):
        is_full = filled + size > room or filled + size / 2 > even
        if begin < at and is_full:
            parts.append(range(begin, at))
            left -= filled
            even = _even(left, room)  # of the rest, so that no small one comes last
            begin, filled = at, 0.0
        filled += size
    return [*parts, range(begin, len(texts))]


def _even(tokens: float, room: int) -> float:
    """The tokens of each part, where all are alike."""
    return tokens / max(1, -(-tokens // (max(room, 1) * SPARE)))


async def _scale(texts: Sequence[str], count: CountTokens) -> float:
    """Tokens that the texts have for each that is estimated, by a sample."""
    sample: list[str] = []
    length = 0
    for text in texts:
        length += len(text)
        if sample and length > SAMPLED_LENGTH:
            break
        sample.append(text)
    message = ChatMessage(role="user", content="\n".join(sample))
    return await count([message]) / max(1, sum(map(_estimate, sample)))


def _estimate(text: str) -> int:
    return estimate_tokens([ChatMessage(role="user", content=text)]) - 8 + 1
