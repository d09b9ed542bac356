import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gguf")
onnx = pytest.importorskip("onnx")

from onnx import numpy_helper  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: E402

from bot.inference.engines import PACKED_GRAPH  # noqa: E402
from bot.inference.models.convert import convert_gguf  # noqa: E402
from tests.inference.tiny_gguf import TEMPLATE, TOKENS, write_gguf  # noqa: E402


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LlamaForCausalLM]:
    folder = tmp_path_factory.mktemp("converted")
    source = tmp_path_factory.mktemp("source") / "tiny.gguf"
    model = write_gguf(source)
    convert_gguf(source, folder, lambda share: None)
    return folder, model


def test_transformers_loads_the_very_model_that_the_file_stands_for(converted) -> None:
    folder, original = converted
    tokens = torch.arange(100).unsqueeze(0)
    with torch.inference_mode():
        loaded = AutoModelForCausalLM.from_pretrained(folder)(tokens).logits
        torch.testing.assert_close(loaded, original(tokens).logits)


def test_the_packed_8_bit_head_holds_the_embedding_exactly(converted) -> None:
    folder, original = converted
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(folder / PACKED_GRAPH).graph.initializer
    }
    codes = weights["logits.codes"].float() - 128
    scales = weights["logits.scales"].view(*codes.shape[:2], 1)
    embedding = original.get_input_embeddings().weight.data
    torch.testing.assert_close((codes * scales).flatten(1), embedding)


def test_progress_ends_at_one(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    shares: list[float] = []
    (tmp_path / "out").mkdir()
    convert_gguf(tmp_path / "tiny.gguf", tmp_path / "out", shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


class TestTheTokenizer:
    @pytest.fixture
    def tokenizer(self, converted):
        return AutoTokenizer.from_pretrained(converted[0])

    def test_gives_any_text_back(self, tokenizer) -> None:
        text = "  hello,\n\tworld's 12 apples — naïve 日本 🎉  "
        assert tokenizer.decode(tokenizer.encode(text)) == text

    def test_merges_letters_but_never_digits(self, tokenizer) -> None:
        assert tokenizer.tokenize("hello12") == ["hell", "o", "1", "2"]

    def test_knows_the_end_of_a_turn_and_the_template(self, tokenizer) -> None:
        assert (tokenizer.eos_token, tokenizer.bos_token) == ("<|im_end|>", "<|im_start|>")
        assert tokenizer.encode("<|im_end|>") == [2]
        assert tokenizer.chat_template == TEMPLATE
        assert tokenizer.convert_ids_to_tokens(list(range(len(TOKENS)))) == TOKENS

    def test_and_the_model_agree_when_an_answer_ends(self, converted) -> None:
        config = json.loads((converted[0] / "generation_config.json").read_text())
        assert config["eos_token_id"] == 2


def test_another_architecture_is_refused_by_name(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", architecture="gemma")
    with pytest.raises(ValueError, match="not gemma"):
        convert_gguf(tmp_path / "tiny.gguf", tmp_path, lambda share: None)
