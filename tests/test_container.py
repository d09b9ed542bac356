"""The image and compose.yaml give the processes no more than they need."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)


def test_the_image_ends_as_a_user_without_rights() -> None:
    (user,) = instructions("USER")
    assert int(user) > 0  # a name would not do for Kubernetes' runAsNonRoot
    assert re.search(rf"useradd .*--uid {user}\b", DOCKERFILE)
    last_root = max(DOCKERFILE.rindex(f"\n{name} ") for name in ("RUN", "COPY"))
    assert last_root < DOCKERFILE.index("\nUSER ") < DOCKERFILE.index("\nENTRYPOINT ")


def test_what_is_written_goes_to_the_volume() -> None:
    assert instructions("VOLUME") == ["/data"]
    (folders,) = (line for line in instructions("ENV") if "CACHE" in line and "UV_" not in line)
    assert all(part.partition("=")[2].startswith("/data/") for part in folders.split())
    for service in SERVICES.values():
        assert service["volumes"] == ["./config:/config:ro", "data:/data"]
    assert "////data/" in SERVICES["bot"]["environment"]["STORAGE_URL"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_read_only_root_and_no_rights_to_gain(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "user", "network_mode", "pid", "ports"}


@pytest.mark.parametrize("name", SERVICES)
def test_the_containers_do_not_start_without_a_key_between_them(name: str) -> None:
    assert SERVICES[name]["environment"]["INFERENCE_API_KEY"].startswith("${INFERENCE_API_KEY:?")


def test_nothing_is_installed_that_the_lock_file_does_not_pin() -> None:
    assert "pip install" not in DOCKERFILE
    (sync,) = re.findall(r"uv sync .*", DOCKERFILE)
    assert {"--locked", "--no-install-project"} <= set(sync.split())
