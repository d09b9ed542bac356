from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from bot.bench.served import serve  # noqa: E402
from bot.inference.engines import EngineError  # noqa: E402
from bot.inference.engines.gptoss.synthetic import write_tokenizer  # noqa: E402


def test_the_service_is_timed_from_its_command_and_by_an_answer_of_the_model(
    tmp_path: Path,
) -> None:
    config = LlamaConfig(
        vocab_size=1000,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=None,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    write_tokenizer(tmp_path, 1000)
    served = serve(tmp_path, "cpu", prompt_tokens=20, answer_tokens=20)
    assert min(served.start, served.speed) > 0


def test_a_service_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^bot serve ended: .*it has no config\.json"):
        serve(tmp_path / "nothing", "cpu", prompt_tokens=1, answer_tokens=2)
