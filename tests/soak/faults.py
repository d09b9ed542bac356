"""Faults of the machine: time that stops or jumps, a full disk, broken files, a taken port."""

import asyncio
import os
import re
import resource
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import psutil

from bot.exit_code import ExitCode
from tests.doubles.inference import Say, ScriptedInference
from tests.end_to_end.processes import converse, piped, service_of, write_config
from tests.inference.processes import command
from tests.inference.tiny_model import save_tiny_model
from tests.soak.chat import answered, ask, chat, engine_taken, is_ready, is_waiting, is_writing
from tests.soak.drill import Drill, Outcome, Scale

NONSENSE = b"nonsense" * 1000


async def paused(folder: Path, scale: Scale) -> Outcome:
    seconds = min(30.0, scale.minutes * 6)
    async with chat(folder) as bot:
        await ask(bot, "One?")
        await is_writing(bot)
        os.kill(service_of(bot), signal.SIGSTOP)
        await asyncio.sleep(seconds)  # the fault itself
        os.kill(service_of(bot), signal.SIGCONT)
        await answered(bot)
    return Outcome(1, f"after {seconds:.0f} s the answer went on to its end")


async def clock_jumps(folder: Path, scale: Scale) -> Outcome:
    async with chat(folder) as bot:
        await is_ready(bot)
        processes = (bot.process.pid, service_of(bot))
        async with engine_taken(bot, folder):
            await ask(bot, "One?")
            await is_waiting(bot)
            for pid in processes * 2:  # a day ahead, then a day back
                os.kill(pid, signal.SIGUSR2)
        await is_writing(bot)
        for pid in processes * 2:
            os.kill(pid, signal.SIGUSR2)
        await answered(bot)
        assert processes == (bot.process.pid, service_of(bot))
    return Outcome(4, "the question waited on, the answer went on to its end")


async def disk_full(folder: Path, scale: Scale) -> Outcome:
    """No file of the bot may grow any more."""
    async with ScriptedInference().running() as inference:
        inference.default = [Say("Still here.")]
        config = write_config(folder, inference={"url": inference.url, "model": "scripted"})
        async with piped(config) as bot:
            bot.type("/effort low\n")
            await bot.out.see("Effort is now")
            process = psutil.Process(bot.process.pid)
            process.rlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            bot.type("/effort high\n")
            await bot.out.see("couldn't be saved")
            bot.type("Hi\n")
            await bot.out.see("Still here")
            process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            bot.type("/effort high\n")
            await bot.out.see("Effort is now")
            bot.process.terminate()
            assert await bot.exit_code() == ExitCode.OK
        assert "Traceback" not in bot.err.text
    return Outcome(1, "as promised")


async def broken_files(folder: Path, scale: Scale) -> Outcome:
    """The model's weights end early; database and configuration are nonsense."""
    save_tiny_model(folder / "tiny")
    weights = folder / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    inference = {"model": str(folder / "tiny"), "device": "cpu"}
    await _is_unusable(write_config(folder, inference=inference), "tiny can't be read from")
    (folder / "bot.db").write_bytes(NONSENSE)
    await _is_unusable(write_config(folder, inference=inference), "bot.db")
    assert (folder / "bot.db").read_bytes() == NONSENSE
    (folder / "bot.yaml").write_bytes(NONSENSE)
    await _is_unusable(folder / "bot.yaml", "bot.yaml:1")
    return Outcome(3, "as promised; nothing was overwritten")


async def _is_unusable(config: Path, reason: str) -> None:
    bot, code = await converse(config, "Hi\n")
    assert code == ExitCode.UNUSABLE
    assert len([line for line in bot.err.text.splitlines() if re.search(reason, line)]) == 1
    assert "Traceback" not in bot.err.text


async def port_taken(folder: Path, scale: Scale) -> Outcome:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *command(folder, listen=listen), stdin=DEVNULL, stderr=PIPE
        )
        _, errors = await process.communicate()
    assert errors.decode().splitlines() == [
        f"inference.listen is {listen}, but listening there failed: Address already in use."
    ]
    assert process.returncode == ExitCode.FAILURE
    return Outcome(1, "as promised")


DRILLS = [
    Drill("SIGSTOP of the service in mid-answer", "the answer goes on after it", paused),
    Drill(
        "the clock jumps a day ahead and back, in the queue and in mid-answer",
        "nothing times out, ends or hangs",
        clock_jumps,
    ),
    Drill(
        "no space for the database",
        "answers go on; what could not be stored is said; no restart needed",
        disk_full,
    ),
    Drill(
        "a model file cut short; a database and a configuration of nonsense",
        "one line that names the file, exit code 2, nothing overwritten",
        broken_files,
    ),
    Drill("the port is taken", "one line that names it, exit code 1: try again", port_taken),
]
