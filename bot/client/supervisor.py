"""Runs `bot serve` as a child process: starts it, restarts it after a crash, ends it."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from tenacity import RetryCallState, retry, retry_if_exception_type, wait_exponential

from bot.client.errors import ServiceUnusable
from bot.exit_code import ExitCode
from bot.listener import HANDED_DOWN, address_of, bind

log = structlog.get_logger()

STOP_SECONDS = 4.0
"""How long a child may drain after SIGTERM before it is killed."""
STABLE_SECONDS = 60.0
"""After a child has run for so long, the backoff begins again with its shortest pause."""


class _Crashed(Exception):
    """The child ended soon after its start."""


def _log_restart(state: RetryCallState) -> None:
    pause = state.next_action.sleep if state.next_action else 0.0
    log.warning("inference service ended, restarting", pause_seconds=pause)


async def start_service(
    command: Sequence[str],
    listener: socket.socket,
    environment: Mapping[str, str],
    **options: Any,
) -> asyncio.subprocess.Process:
    """Start `command`, a `bot serve` that serves what comes to `listener`.

    It ends when its stdin closes, so it can't outlive a parent that was killed. `options` are those
    of asyncio.create_subprocess_exec.
    """
    descriptor = listener.fileno()
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        env={**environment, "BOT_SUPERVISED": "1", HANDED_DOWN: str(descriptor)},
        pass_fds=[descriptor],
        **options,
    )


class Supervisor:
    """One `bot serve` on a loopback port of its own, reachable at `url` whenever it is up.

    The port is listened on here and handed down, so that nothing else can take it while the
    service restarts; who connects meanwhile is served once it is back. Variables of the environment
    that hold one of the `withheld` secrets are empty for the service.
    """

    def __init__(self, config_path: Path | None, withheld: Collection[str] = ()) -> None:
        self._listener = bind("127.0.0.1:0", secret="")
        self._listen = address_of(self._listener)
        self._config_path = config_path
        self._withheld = withheld
        self._process: asyncio.subprocess.Process | None = None
        self._worked = False
        self.url = f"http://{self._listen}/v1"

    async def run(self) -> None:
        """Keep the service running until cancelled, then end it.

        Raises ServiceUnusable when its first start ends so. Later the configuration was good once:
        a file that is broken while the bot runs must not end it, so the service is tried again.
        """
        try:
            while True:
                await self._run_with_backoff()
        finally:
            await self._end()
            self._listener.close()

    @retry(
        retry=retry_if_exception_type(_Crashed),
        wait=wait_exponential(multiplier=0.5, min=0.5, max=30),
        before_sleep=_log_restart,
    )
    async def _run_with_backoff(self) -> None:
        """Returns when a child that had run well ended; the backoff then begins again."""
        started = time.monotonic()
        code = await self._run_once()
        if code == ExitCode.UNUSABLE and not self._worked:
            raise ServiceUnusable
        self._worked = True
        if time.monotonic() - started < STABLE_SECONDS:
            raise _Crashed(code)

    async def _run_once(self) -> int:
        command = [sys.executable, "-m", "bot", "serve", "--listen", self._listen]
        if self._config_path is not None:
            command += ["--config", str(self._config_path)]
        self._process = await start_service(
            command,
            self._listener,
            self._environment(),
            stdout=2,  # sys.stderr can be a proxy at the moment
            start_new_session=True,  # Ctrl-C in the terminal is for the bot only
        )
        log.info("inference service started", pid=self._process.pid)
        return await self._process.wait()

    def _environment(self) -> dict[str, str]:
        # Empty, not missing: the configuration file that the service reads too may name them.
        return {
            name: "" if any(secret in value for secret in self._withheld) else value
            for name, value in os.environ.items()
        }

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
