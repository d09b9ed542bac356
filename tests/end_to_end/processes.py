"""`bot …` as a process of its own, at a pipe or at a terminal, and waiting for what it writes."""

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.command import environment
from tests.end_to_end.output import Output
from tests.made_database import make_database
from tests.waiting import HANG_SECONDS

COLUMNS = 120
NOBODY = "http://127.0.0.1:9/v1"
"""Where no inference service listens."""


class Bot:
    """A running `bot`: `out` and `err` are the same at a terminal."""

    def __init__(self, process: asyncio.subprocess.Process, write: Callable[[bytes], Any]) -> None:
        self.process = process
        self.out = Output()
        self.err = Output()
        self._write = write
        self._reading: list[asyncio.Task[None]] = []

    def type(self, text: str) -> None:
        """Text as typed: `\\n` is the return key, `\\x03` Ctrl-C."""
        self._write(text.encode())

    def close_output(self) -> None:
        """Read standard output no further, as `head` does when it has seen enough."""
        self.process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Ask it to end."""
        self.process.terminate()

    async def exit_code(self) -> int:
        """Wait for its end."""
        async with asyncio.timeout(HANG_SECONDS):
            code = await self.process.wait()
            await asyncio.gather(*self._reading)
        return code

    def read(self, stream: asyncio.StreamReader, output: Output) -> None:
        async def read() -> None:
            while data := await stream.read(65536):
                output.feed(data)

        self._reading.append(asyncio.create_task(read()))


def write_config(folder: Path, *, database: bool = True, **sections: Any) -> Path:
    """A configuration and its database in `folder`, which the bot makes where `database` is off."""
    url = f"sqlite+aiosqlite:///{folder / 'bot.db'}"
    if database:
        make_database(folder / "bot.db")
    storage = {"storage": {"url": url}}
    path = folder / "bot.yaml"
    path.write_text(yaml.safe_dump(storage | sections), encoding="utf-8")
    return path


def write_greedy_config(folder: Path, model: Path | str, tokens: int, **sections: Any) -> Path:
    """With a persona whose answers end at their limit of `tokens` alone: what a random model says.

    At effort low it is 16.
    """
    return write_config(
        folder,
        inference={"model": str(model), "device": "cpu"},
        personas={"greedy": {"prompt": "Go on.", "sampling": {"temperature": 0}}},
        defaults={"persona": "greedy"},
        efforts={"medium": {"max_tokens": tokens}, "low": {"max_tokens": 16}},
        **sections,
    )


@asynccontextmanager
async def piped(
    config: Path, *, command: str = "chat", stdin: Any = PIPE, **variables: str
) -> AsyncIterator[Bot]:
    """`bot chat`, or another command, with pipes."""
    arguments = [command, "--config", str(config)]
    async with process_of(arguments, stdin=stdin, **variables) as bot:
        yield bot


@asynccontextmanager
async def process_of(
    arguments: list[str], *, stdin: Any = PIPE, **variables: str
) -> AsyncIterator[Bot]:
    """`bot` with any arguments, with pipes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        stdin=stdin,
        stdout=PIPE,
        stderr=PIPE,
        env=environment(variables),
    )
    bot = Bot(process, process.stdin.write if process.stdin else lambda data: None)
    assert process.stdout
    assert process.stderr
    bot.read(process.stdout, bot.out)
    bot.read(process.stderr, bot.err)
    async with _ended(bot):
        yield bot


async def converse(config: Path, text: str, **variables: str) -> tuple[Bot, int]:
    """`bot chat` with `text` piped in, run to its end."""
    async with piped(config, **variables) as bot:
        bot.type(text)
        assert bot.process.stdin
        bot.process.stdin.close()
        return bot, await bot.exit_code()


@asynccontextmanager
async def at_terminal(config: Path, **variables: str) -> AsyncIterator[tuple[Bot, int]]:
    """`bot chat` in a terminal of its own, and the terminal's descriptor."""
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
    # The test's terminal doesn't answer questions about the cursor's position.
    variables = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"} | variables
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "chat", "--config", str(config)),
        stdin=screen,
        stdout=screen,
        stderr=screen,
        env=environment(variables),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # Ctrl-C is a signal then
    )
    bot = Bot(process, lambda data: os.write(keyboard, data))
    bot.err = bot.out
    loop = asyncio.get_running_loop()
    loop.add_reader(keyboard, lambda: bot.out.feed(os.read(keyboard, 65536)))
    try:
        async with _ended(bot):
            yield bot, screen
    finally:
        loop.remove_reader(keyboard)
        os.close(keyboard)
        os.close(screen)


def children(pid: int) -> list[int]:
    """The processes that process `pid` started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def service_of(bot: Bot) -> int:
    """The process id of the one `bot serve`."""
    (pid,) = children(bot.process.pid)
    return pid


def url_of(pid: int) -> str:
    """Where the `bot serve` that a bot started listens."""
    arguments = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
    return f"http://{arguments[arguments.index('--listen') + 1]}"


async def gone(pid: int) -> None:
    """Wait until process `pid` has ended."""
    async with asyncio.timeout(HANG_SECONDS):
        while _state(pid) not in (None, "Z"):  # noqa: ASYNC110 (not our child: no event)
            await asyncio.sleep(0.02)


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return None


@asynccontextmanager
async def _ended(bot: Bot) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if bot.process.returncode is None:
            bot.process.kill()
        await bot.process.wait()
