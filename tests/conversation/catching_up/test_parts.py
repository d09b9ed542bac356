"""Long conversations are split into parts that a model's context takes."""

from collections.abc import Sequence

import pytest

from bot.conversation.catching_up.parts import SAMPLED_LENGTH, in_parts
from bot.conversation.history import ChatMessage


async def count(messages: Sequence[ChatMessage]) -> int:
    """A token for each character."""
    return sum(len(message["content"]) for message in messages)


@pytest.mark.parametrize("length", [1, 10, 99, 100, 300])
@pytest.mark.parametrize("texts", [1, 2, 7, 100])
async def test_parts_are_few_even_in_order_and_none_is_too_long(texts: int, length: int) -> None:
    room = 1000
    parts = await in_parts(["x" * length] * texts, room, count)
    assert [at for part in parts for at in part] == [*range(texts)]
    sizes = [len(part) for part in parts]
    assert max(sizes) * length <= room
    assert max(sizes) <= 2 * min(sizes)
    in_one = max(1, int(room * 0.95 / (length + 1)))
    assert len(parts) <= -(-texts // in_one)


async def test_a_text_that_would_not_fit_begins_the_next_part() -> None:
    parts = await in_parts(["x" * 700, "y" * 350, "z" * 800], 1000, count)
    assert parts == [range(1), range(1, 2), range(2, 3)]


async def test_a_text_that_is_too_long_has_a_part_of_its_own() -> None:
    parts = await in_parts(["x" * 5000, "y" * 10, "z" * 5000, "x" * 10], 1000, count)
    assert parts == [range(1), range(1, 2), range(2, 3), range(3, 4)]


async def test_nothing_is_one_part_without_texts() -> None:
    assert await in_parts([], 1000, count) == [range(0)]


async def test_tokens_are_counted_of_a_sample_and_at_least_of_one_text() -> None:
    counted: list[int] = []

    async def noted(messages: Sequence[ChatMessage]) -> int:
        counted.append(await count(messages))
        return counted[-1]

    await in_parts(["x" * 999] * 1000, 10_000, noted)
    await in_parts(["x" * (SAMPLED_LENGTH + 1), "x"], 10_000, noted)
    assert SAMPLED_LENGTH - 1000 <= counted[0] <= SAMPLED_LENGTH
    assert counted[1] == SAMPLED_LENGTH + 1
