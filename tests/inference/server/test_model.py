"""Model files that can't be read are one clear line, not a traceback."""

from pathlib import Path

import pytest

pytest.importorskip("transformers")

from bot.config.schema import InferenceConfig
from bot.inference.models.sources import ModelUnavailable
from bot.inference.server.model import load_model
from tests.inference.tiny_model import save_tiny_model


@pytest.mark.parametrize("damage", ["cut short", "nonsense"])
@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "config.json"])
def test_a_damaged_file_is_one_line_that_names_the_model(
    name: str, damage: str, tmp_path: Path
) -> None:
    model = tmp_path / "tiny"
    save_tiny_model(model)
    file = model / name
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage == "cut short" else b"nonsense" * 1000)
    with pytest.raises(ModelUnavailable) as refusal:
        load_model(InferenceConfig(model=str(model)), lambda stage, share: None)
    assert str(model) in str(refusal.value)
    assert "\n" not in str(refusal.value)
