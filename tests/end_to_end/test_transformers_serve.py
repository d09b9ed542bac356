"""`bot chat` with a real `transformers serve` and the default model behind `inference.url`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

pytest.importorskip("transformers.cli.serve")

from bot.config.schema import InferenceConfig
from bot.exit_code import ExitCode
from bot.inference.models.catalog import ModelUnavailable, fetch
from tests.end_to_end.processes import converse, piped, write_config
from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

Configure = Callable[..., Path]


@pytest.fixture(scope="module")
def model() -> Path:
    config = InferenceConfig()
    try:
        return fetch(config.model, config.models_dir, lambda *_: None)
    except ModelUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has loaded `model`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model)]
    command += ["--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("wb") as output:
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + HANG_SECONDS
    try:
        while not healthy(address):
            assert server.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield address
    finally:
        server.kill()
        server.wait()


def healthy(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/health", trust_env=False, timeout=HANG_SECONDS).is_success
    except httpx2.HTTPError:
        return False


@pytest.fixture
def configure(model: Path, url: str, tmp_path: Path) -> Configure:
    def configure(
        sampling: dict[str, float] | None = None, max_tokens: int = 64, name: str = ""
    ) -> Path:
        persona = {"prompt": "Be brief.", "sampling": {"temperature": 0} | (sampling or {})}
        return write_config(
            tmp_path,
            inference={"url": f"{url}/v1", "model": name or str(model)},
            personas={"greedy": persona},
            defaults={"persona": "greedy"},
            efforts={"medium": {"max_tokens": max_tokens}},
        )

    return configure


async def test_the_bot_answers_with_it(configure: Configure) -> None:
    bot, code = await converse(configure(), "What is the capital of France?\n")
    assert code == ExitCode.OK
    assert "Paris" in bot.out.text
    assert "refuses" not in bot.err.text


async def test_an_answers_budget_of_tokens_holds(configure: Configure) -> None:
    bot, code = await converse(configure(max_tokens=16), "Tell me a very long story.\n")
    assert code == ExitCode.OK
    assert "length limit" in bot.err.text


async def test_fields_that_it_refuses_are_left_out(configure: Configure) -> None:
    config = configure(sampling={"min_p": 0.1})
    bot, code = await converse(config, "What is the capital of France?\n")
    assert code == ExitCode.OK
    assert "Paris" in bot.out.text
    assert "the server refuses some fields" in bot.err.text


async def test_a_model_that_it_does_not_serve_is_one_clear_line(configure: Configure) -> None:
    bot, code = await converse(configure(name="qwen3-0.6b"), "Hi\n")
    assert code == ExitCode.FAILURE
    assert bot.err.text.count("Something went wrong, and I couldn't answer.") == 1
    assert "Traceback" not in bot.err.text


async def test_a_stop_ends_an_answer_and_the_next_one_comes(configure: Configure) -> None:
    async with piped(configure(max_tokens=4000)) as bot:
        bot.type("Tell me a very long story.\n")
        await bot.out.see(r"\w+ \w+ \w+")
        bot.process.send_signal(signal.SIGINT)
        await bot.err.see("Stopped")
        bot.type("What is the capital of France?\n")
        await bot.out.see(r"\w+")
