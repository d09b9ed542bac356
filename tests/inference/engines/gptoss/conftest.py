from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from transformers import GptOssForCausalLM  # noqa: E402

from bot.inference.engines.gptoss.config import read_config  # noqa: E402
from bot.inference.engines.gptoss.weights import load_weights  # noqa: E402
from tests.inference.engines.gptoss import interpreter  # noqa: E402
from tests.inference.engines.gptoss.tiny import CPU, Tiny, reference, save  # noqa: E402


@pytest.fixture(autouse=True)
def poisoned_memory() -> Iterator[None]:
    """Fresh tensors are full of NaN, so that a result nobody wrote can't look right."""
    torch.use_deterministic_algorithms(True)
    with torch.inference_mode():
        yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session", autouse=True)
def faster_interpreter() -> Iterator[None]:
    with interpreter.made_faster():
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = save(tmp_path_factory.mktemp("gpt-oss"))
    config = read_config(folder)
    weights = load_weights(folder, config, CPU, torch.float32, lambda share: None)
    model: GptOssForCausalLM = reference(folder)
    return Tiny(folder, config, weights, model)
