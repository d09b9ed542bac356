"""docs/scaling.md says what the code does."""

import re
from pathlib import Path

import pytest
import yaml

from bot.config import Config, load_config
from bot.conversation.budget import ASSUMED_CONTEXT
from bot.inference.models.catalog import presets
from tests.doubles.slack.limits import CONNECTIONS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SECRETS = {
    "INFERENCE_API_KEY": "sesame",
    "STORAGE_URL": "postgresql+asyncpg://bot:PASSWORD@db-box/bot",
}


def configurations(folder: Path) -> list[Config]:
    """The page's snippets of config/bot.yaml, each loaded as a file of its own."""
    found = []
    for snippet in SNIPPETS:
        file = folder / "bot.yaml"
        file.write_text(snippet, encoding="utf-8")
        found.append(load_config(file))
    return found


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return configurations(tmp_path)


def test_what_the_page_writes_into_the_configuration_loads(configured: list[Config]) -> None:
    server, storage, *_ = configured
    assert server.inference.url == "http://gpu-box:8000/v1"
    assert server.inference.api_key.get_secret_value() == "sesame"
    assert storage.storage.url == SECRETS["STORAGE_URL"]
    assert SECRETS["STORAGE_URL"] in PAGE


def test_the_bots_on_the_page_have_every_shard_once(configured: list[Config]) -> None:
    bots = [config.discord for config in configured if config.discord.shard_count]
    (count,) = {bot.shard_count for bot in bots}
    assert sorted(shard for bot in bots for shard in bot.shard_ids) == list(range(count or 0))


def test_rays_file_deploys_our_application_and_changes_its_deployments() -> None:
    file = yaml.safe_load((ROOT / "deploy/ray-serve.yaml").read_text(encoding="utf-8"))
    (application,) = file["applications"]
    module, _, name = application["import_path"].partition(":")
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    assert f"def {name}(" in source
    assert f"{module}:{name}" in PAGE
    assert Path(application["args"]["config"]) == Path("config/bot.yaml")
    for deployment in application["deployments"]:
        assert re.search(rf"serve\.deployment\(\s*{deployment['name']},", source)


def test_the_models_on_the_page_are_those_of_the_presets() -> None:
    named = set(re.findall(r"openai/gpt-oss-\w+", PAGE))
    known = {f"openai/{name}" for name in presets() if name.startswith("gpt-oss")}
    assert named == known


def test_the_pages_figures_are_those_of_the_code() -> None:
    assert re.search(rf"assumes\s+{ASSUMED_CONTEXT} tokens", PAGE)
    assert CONNECTIONS == 10
    assert "ten for an app" in " ".join(PAGE.split())


def test_the_extras_on_the_page_exist() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in ",".join(re.findall(r"'\.\[([\w,]+)\]'", PAGE)).split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)


def test_the_readme_leads_to_the_page() -> None:
    assert "](docs/scaling.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
