"""What can't be deployed is told in a line, without a traceback."""

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20"),  # Ray's own
]


@pytest.mark.parametrize(
    ("given", "inference", "told"),
    [
        ([], {}, "inference.api_key must be set: Ray's proxy listens to other machines too"),
        ([], {"slots": 0}, "bot.yaml:2: inference.slots: found 0, allowed: at least 1"),
        (["replica=2"], {}, "args.replica: unknown key, allowed: config, replicas, version"),
        (["replicas=two"], {}, "args.replicas: Input should be a valid integer"),
    ],
)
def test_the_command_of_ray_tells_what_is_wrong_in_a_line(
    tmp_path: Path, given: list[str], inference: dict[str, Any], told: str
) -> None:
    from click.testing import CliRunner
    from ray.serve.exceptions import RayServeException
    from ray.serve.scripts import run

    from bot.inference.ray.application import app

    config = tmp_path / "bot.yaml"
    config.write_text(yaml.safe_dump({"inference": inference}), encoding="utf-8")
    given = [f"config={config}", *given]
    done = CliRunner().invoke(run, ["bot.inference.ray.application:app", *given])
    assert done.exit_code == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    # With its file, Ray builds the application elsewhere: of errors of this kind it keeps the text.
    with pytest.raises(RayServeException, match=told.split(",")[0]):
        app(dict(argument.split("=", 1) for argument in given))
