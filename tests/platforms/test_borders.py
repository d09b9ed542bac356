"""A conversation that is too long to be read whole begins at the same message for several turns."""

from bot.platforms.borders import from_border


def test_the_beginning_stays_while_the_conversation_grows() -> None:
    ids = [1_000 + 37 * at for at in range(400)]
    windows = [from_border(ids[at : at + 100], lambda id: id) for at in range(0, 300, 2)]
    assert len({window[0] for window in windows}) <= len(windows) // 3
    assert all(len(window) >= 50 for window in windows)


def test_of_few_messages_none_is_left_out() -> None:
    assert from_border([8, 9, 16], lambda id: id) == [8, 9, 16]
    assert from_border([9, 16, 17], lambda id: id) == [9, 16, 17]
