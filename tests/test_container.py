"""The images and compose.yaml give the processes what they need, and no more.

Where no Docker is, the files are read as Compose and BuildKit read them, and the steps that need
neither root nor a network are run.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config import fernet_keys, load_config

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("bot", "inference", "inference-cpu")
SECRETS = {"DISCORD_TOKEN", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_TOKEN_KEY", "STATUS_TOKEN"}


def stages() -> dict[str, str]:
    """Each stage's instructions, those of the stages below it first."""
    found: dict[str, str] = {}
    for part in re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]:
        below, name = re.match(r"FROM (\S+) AS (\S+)", part).groups()  # type: ignore[union-attr]
        found[name] = found.get(below, "") + part
    return found


def instructions(name: str, stage: str) -> list[str]:
    return re.findall(rf"^{name} +(.*)$", stages()[stage], re.MULTILINE)


@pytest.mark.parametrize("stage", ["cpu", "cuda"])
def test_an_image_ends_as_a_user_without_rights(stage: str) -> None:
    (user,) = instructions("USER", stage)
    assert int(user) > 0  # a name would not do for Kubernetes' runAsNonRoot
    text = stages()[stage]
    assert re.search(rf"useradd .*--uid {user}\b", text)
    assert text.rindex("\nRUN ") < text.index("\nUSER ") < text.index("\nENTRYPOINT ")
    assert instructions("HEALTHCHECK", stage)


@pytest.mark.parametrize("stage", ["cpu", "cuda"])
def test_what_is_written_goes_to_the_volume(stage: str) -> None:
    assert instructions("VOLUME", stage) == ["/data"]
    folders = [line for line in instructions("ENV", stage) if "CACHE" in line]
    assert folders
    for line in folders:
        assert all(part.partition("=")[2].startswith("/data/") for part in line.split())
    (storage,) = (line for line in instructions("ENV", stage) if "STORAGE_URL" in line)
    assert "STORAGE_URL=sqlite+aiosqlite:////data/" in storage


def test_the_default_image_is_cuda_s() -> None:
    assert list(stages())[-1] == "cuda"
    named = {service["build"]["target"] for service in SERVICES.values()}
    assert named <= set(stages())


def test_the_images_that_ours_are_built_on_are_named_by_digest() -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(.*)$", DOCKERFILE, re.MULTILINE))
    named = re.findall(r"^FROM (\S+)|COPY --from=(\S+)", DOCKERFILE, re.MULTILINE)
    foreign = {a or b for a, b in named} - set(stages())
    assert foreign
    for image in foreign:
        name = re.sub(r"^\$\{(\w+)\}$", lambda argument: arguments[argument[1]], image)
        assert re.search(r"@sha256:[0-9a-f]{64}$", name), f"{name} moves with its tag"


def test_nothing_is_installed_that_the_lock_file_does_not_pin() -> None:
    for sync in re.findall(r"uv sync [^&]*", DOCKERFILE):
        assert {"--locked", "--no-install-project"} <= set(sync.split())
    with_hashes, torch = re.findall(r"uv pip install [^&]*", DOCKERFILE)
    assert "--require-hashes" in with_hashes
    assert re.search(r'--torch-backend cpu\s+"torch==\$\(uv export .*--locked', torch)
    assert not re.search(r"(?<!uv )pip install", DOCKERFILE)


def test_torch_s_version_is_found_in_the_lock_file() -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not uv:
        pytest.skip("uv isn't installed")
    (command,) = re.findall(r'"torch==\$\((.*?)\)"', DOCKERFILE)
    command = command.replace("--locked", "--frozen")  # the same without asking the index
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{Path(uv).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout), done


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["build-cuda", "build-cpu"])
def test_the_steps_that_install_find_every_file_with_its_hash(tmp_path: Path, stage: str) -> None:
    """In an empty folder, up to the download: with --dry-run. It asks the package index."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    bash = shutil.which("bash")
    if not (uv and bash):
        pytest.skip("uv or bash isn't installed")
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (step,) = [line for line in instructions("RUN", stage) if "uv " in line]
    step = step.replace("/opt/", f"{tmp_path}/").replace("/tmp/locked", f"{tmp_path}/locked")
    step = re.sub(r"\buv (sync|pip install)", r"uv \1 --dry-run", step)
    step = step.replace("--torch-backend cpu", "")  # an index of its own: not asked here
    environment = os.environ | {
        "PATH": f"{Path(uv).parent}:{os.environ['PATH']}",
        "UV_NO_CACHE": "1",
        "UV_PROJECT_ENVIRONMENT": f"{tmp_path}/venv",
        "VIRTUAL_ENV": f"{tmp_path}/venv",
    }
    done = subprocess.run(
        [bash, "-o", "pipefail", "-c", step],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "+ accelerate==" in done.stderr
    assert "+ torch==" in done.stderr


def test_what_an_image_copies_is_enough_for_the_program(tmp_path: Path) -> None:
    for name in instructions("COPY", "program"):
        if not name.startswith("--from"):
            source, target = name.split()
            shutil.copytree(ROOT / source, tmp_path / "app" / target)
    done = subprocess.run(
        [sys.executable, "-m", "bot", "models", "list"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "app")},
        capture_output=True,
        text=True,
    )
    assert "smollm2-135m" in done.stdout, done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("there is no hadolint")
    done = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_build_is_given_what_it_copies_and_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert kept == {name for line in copied for name in line.split()}
    assert all((ROOT / name).exists() for name in kept)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_read_only_root_and_no_rights_to_gain(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "user", "pid", "ports"}


def test_the_database_is_the_bot_s_only_and_tokens_are_too() -> None:
    assert "data:/data" in SERVICES["bot"]["volumes"]
    for name in ("inference", "inference-cpu"):
        assert "models:/data" in SERVICES[name]["volumes"]
        assert not any(volume.startswith("data:") for volume in SERVICES[name]["volumes"])
        assert not SECRETS & SERVICES[name]["environment"].keys()
    assert SERVICES["bot"]["environment"].keys() >= SECRETS
    for name in OURS:
        assert "./config:/config:ro,z" in SERVICES[name]["volumes"]


def test_every_variable_of_the_configuration_reaches_the_container_that_needs_it() -> None:
    text = (ROOT / "config" / "bot.yaml").read_text(encoding="utf-8")
    variables = set(re.findall(r"\w: \$\{(\w+):-", text))
    reached = {name for service in OURS for name in SERVICES[service]["environment"]}
    assert variables - reached == {"MODELS_DIR", "METRICS_LISTEN"}  # set in the image
    for name in OURS:
        passed = SERVICES[name]["environment"]
        for variable in ("BOT_LOG_LEVEL", "HTTPS_PROXY", "OTEL_EXPORTER_OTLP_ENDPOINT"):
            assert passed[variable] is None  # as it is in .env or the shell
    for variable in ("HF_TOKEN", "HF_HOME", "INFERENCE_DEVICE"):
        assert variable in SERVICES["inference"]["environment"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_tells_its_health_by_python_that_compiles(name: str) -> None:
    command = SERVICES[name]["healthcheck"]["test"]
    assert command[:3] == ["CMD", "python", "-c"]
    compile(command[3], "healthcheck", "exec")


def test_both_find_the_key_that_the_first_start_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step itself is run, with a folder in place of the volume."""
    service = SERVICES["key"]
    (script,) = service["command"]
    run = [*service["entrypoint"], script.replace("/key/", f"{tmp_path}/")]
    subprocess.run(run, check=True)
    key = tmp_path / "inference_api_key"
    made = key.read_text(encoding="utf-8")
    assert key.stat().st_mode & 0o777 == 0o600
    (padded,) = fernet_keys(made)
    assert len(padded) == 44
    subprocess.run(run, check=True)
    assert key.read_text(encoding="utf-8") == made
    for name in OURS:
        passed = SERVICES[name]["environment"]
        assert passed["INFERENCE_API_KEY_FILE"] == "/key/inference_api_key"
        assert "key:/key:ro" in SERVICES[name]["volumes"]
        assert "key" in SERVICES[name]["depends_on"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFERENCE_API_KEY", "")
    monkeypatch.setenv("INFERENCE_API_KEY_FILE", str(key))
    assert load_config(None).inference.api_key.get_secret_value() == made.strip()


def test_without_a_card_another_service_answers_at_the_same_address() -> None:
    service = SERVICES["inference-cpu"]
    assert service["profiles"] == ["cpu"]
    assert service["networks"] == {"default": {"aliases": ["inference"]}}
    assert "deploy" not in service
    assert "//inference:8000" in SERVICES["bot"]["environment"]["INFERENCE_URL"]
    assert SERVICES["inference"]["deploy"]["resources"]["reservations"]["devices"]


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "gptoss-bot.service").read_text(encoding="utf-8")
    assert "\nRestartPreventExitStatus=2\n" in text
    named = {name.upper() for name in re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE)}
    assert named >= SECRETS
    assert named == {n.upper() for n in re.findall(r"^SetCredential=(\w+):", text, re.MULTILINE)}
    assert named <= set(re.findall(r"\$\{(\w+):-", (ROOT / "config/bot.yaml").read_text("utf-8")))
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")
    unit = tmp_path / "gptoss-bot.service"
    unit.write_text(re.sub("(?m)^ExecStart=.*", "ExecStart=/bin/true", text), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
