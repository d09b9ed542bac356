"""The app of `bot run` in the tests' own process, in a thread with an event loop of its own.

The doubles and the tests keep theirs, so both sides run at the same time and talk over real
sockets. Where the subject is a process (signals, restarts, several bots, the command line), tests
take `processes` instead.
"""

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from bot.app import App
from bot.config import load_config
from bot.exit_code import ExitCode
from tests import logs
from tests.end_to_end.output import Output


class _Stderr:
    """Takes the bot's log lines; those of the doubles, in the main thread, go their usual way."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, text: str) -> None:
        if threading.current_thread() is threading.main_thread():
            sys.stderr.write(text)
        else:
            self._output.feed(text.encode())

    def flush(self) -> None:
        sys.stderr.flush()


class InProcessBot:
    """An App: `err` is its log, as its process would write it."""

    def __init__(self, config: Path) -> None:
        self.err = Output()
        self._app = App(load_config(config))
        self._loop = asyncio.new_event_loop()
        self._ended: asyncio.Task[ExitCode]

    def start(self) -> None:
        self._ended = asyncio.create_task(asyncio.to_thread(self._run))

    def stop(self) -> None:
        """Do what SIGTERM does."""
        if not self._ended.done():
            self._loop.call_soon_threadsafe(self._app.stop)

    async def exit_code(self) -> ExitCode:
        """Wait for its end."""
        return await asyncio.shield(self._ended)

    def _run(self) -> ExitCode:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            return runner.run(self._app.run(console=False))


@asynccontextmanager
async def in_process(config: Path) -> AsyncIterator[InProcessBot]:
    """The app with this configuration; at the end its running answers are stopped."""
    bot = InProcessBot(config)
    with pytest.MonkeyPatch.context() as patch, _logging_to(bot.err):
        bot.start()
        try:
            yield bot
        finally:
            patch.setattr("bot.app.GRACE_SECONDS", 0.0)
            bot.stop()
            await bot.exit_code()
            gc.unfreeze()  # what App froze does not stay for ever in this process


@contextmanager
def _logging_to(output: Output) -> Iterator[None]:
    handler = logs.handler()
    handler.setStream(_Stderr(output))
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
