"""Lines of standard input that are read while other things happen."""

import asyncio
import os
import pty
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bot.platforms.console.lines import StdinLines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    with suppress(OSError):  # a test may have closed it
        os.close(writing)


async def test_lines_come_one_at_a_time_and_the_last_needs_no_end(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = StdinLines(reading)
    with lines.reading():
        os.write(writing, b"one\r\ntw")
        assert await lines.next() == "one"
        os.write(writing, "o \xe4 ".encode() + b"\xff\n\nend")
        os.close(writing)
        assert [await lines.next() for _ in range(4)] == ["two ä �", "", "end", None]


async def test_lines_that_are_not_wanted_stay_for_later(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = StdinLines(reading)
    with lines.reading():
        os.write(writing, b"Hi\n/stop\nBye\n")
        assert await lines.next(lambda line: line.startswith("/")) == "/stop"
    assert lines.waiting
    assert [await lines.next(), await lines.next()] == ["Hi", "Bye"]
    assert not lines.waiting


async def test_outside_of_reading_input_is_left_to_others(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = StdinLines(reading)
    with lines.reading():
        os.write(writing, b"mine\n")
        assert await lines.next() == "mine"
    os.write(writing, b"yours\n")
    await asyncio.sleep(0)
    assert os.read(reading, 100) == b"yours\n"


async def test_the_inputs_end_during_an_answer_is_not_forgotten() -> None:
    keyboard, screen = pty.openpty()
    lines = StdinLines(screen)
    with lines.reading():
        os.write(keyboard, b"\x04")
        assert await lines.next(lambda line: False) is None
    assert lines.waiting
    assert await lines.next() is None
    os.close(keyboard)
    os.close(screen)


async def test_a_terminal_that_is_gone_is_the_inputs_end() -> None:
    keyboard, screen = pty.openpty()
    lines = StdinLines(screen)
    with lines.reading():
        os.close(keyboard)
        assert await lines.next() is None
    os.close(screen)
