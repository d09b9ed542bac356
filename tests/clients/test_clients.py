"""The clients that people use, as their makers publish them, against the service.

A small random model is enough: what it calls and answers is well-formed by the masks. The clients
are installed once, in a folder of their own beside the models. Without a network they are skipped.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from pathlib import Path

import pytest
from platformdirs import user_cache_path

torch = pytest.importorskip("torch")
pytest.importorskip("llguidance")

from bot.inference.engines.causal import CausalEngine  # noqa: E402
from bot.inference.engines.transformers import TransformersModel  # noqa: E402
from bot.inference.text.prompt import ChatFormat  # noqa: E402
from tests.inference.serving import NAME, loaded, serving  # noqa: E402
from tests.inference.tiny_model import save_tiny_model  # noqa: E402
from tests.inference.tokenizers_fixture import QWEN3_TOOLS_TEMPLATE  # noqa: E402

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PYTHON = sorted(file.name for file in HERE.glob("with_*.py"))


def installed(what: Path, install: Callable[[Path], None]) -> Path:
    """A folder in which `install` has put what the file `what` lists."""
    digest = hashlib.sha256(what.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = user_cache_path("gptoss-bot") / "clients" / digest
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            install(folder)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"the clients can't be installed: {error.stderr[-300:]!r}")
        (folder / "installed").touch()
    return folder


def run(*command: str | Path, folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def python() -> Path:
    """An interpreter with the clients."""
    requirements = HERE / "requirements.txt"

    def install(folder: Path) -> None:
        uv = (sys.executable, "-m", "uv")
        run(*uv, "venv", "--allow-existing", folder)
        run(*uv, "pip", "install", "--python", folder / "bin" / "python", "-r", requirements)

    return installed(requirements, install) / "bin" / "python"


@pytest.fixture(scope="module")
def node_modules() -> Path:
    if not shutil.which("npm"):
        pytest.skip("needs Node.js")

    def install(folder: Path) -> None:
        shutil.copy(HERE / "package.json", folder)
        run("npm", "install", "--no-audit", "--no-fund", folder=folder)

    return installed(HERE / "package.json", install) / "node_modules"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_tiny_model(folder, template=QWEN3_TOOLS_TEMPLATE)
    return folder


async def succeeds(model: Path, *command: str | Path, folder: Path = HERE) -> None:
    """`command` ends well, beside a service with `model`."""
    engine = CausalEngine(TransformersModel(model, torch.device("cpu")), slots=1)
    async with serving(loaded(ChatFormat.from_folder(model), engine)) as (_, url):
        environment = os.environ | {"BASE_URL": f"{url}/v1", "MODEL": NAME}
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-4000:]


@pytest.mark.parametrize("script", PYTHON)
async def test_a_client_in_python_gets_its_calls_and_objects(
    script: str, python: Path, model: Path
) -> None:
    await succeeds(model, python, HERE / script)


async def test_the_ai_sdk_gets_its_calls_and_objects(
    node_modules: Path, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    shutil.copy(HERE / "with_ai_sdk.mjs", tmp_path)
    await succeeds(model, "node", "with_ai_sdk.mjs", folder=tmp_path)
