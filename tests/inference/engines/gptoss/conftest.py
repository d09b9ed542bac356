from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from transformers import GptOssForCausalLM  # noqa: E402

from bot.inference.engines.gptoss.config import read_config  # noqa: E402
from bot.inference.engines.gptoss.weights import load_weights  # noqa: E402
from tests.inference.engines.gptoss.tiny import CPU, Tiny, reference, save  # noqa: E402


@pytest.fixture(autouse=True)
def poisoned_memory() -> Iterator[None]:
    """Fresh tensors are full of NaN, so that a result nobody wrote can't look right."""
    torch.use_deterministic_algorithms(True)
    with torch.inference_mode():
        yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session", autouse=True)
def language_patched_once_a_launch() -> Iterator[None]:
    """Triton's interpreter patches its language whenever a function calls another: 40 % of a test.

    Once a launch and module is enough, as all of them are given back at its end.
    """
    from triton.runtime import interpreter

    launch, patch_lang = interpreter.GridExecutor.__call__, interpreter._patch_lang
    patched: set[frozenset[int]] = set()

    def launched(self: object, *arguments: Any, **named: Any) -> None:
        patched.clear()
        launch(self, *arguments, **named)

    def patched_once(function: Any) -> Any:
        names = function.__globals__
        langs = frozenset(id(names[name]) for name in ("tl", "core") if name in names)
        if langs in patched:
            return SimpleNamespace(restore=lambda: None)
        patched.add(langs)
        return patch_lang(function)

    with ExitStack() as patches:
        patches.enter_context(patch.object(interpreter.GridExecutor, "__call__", launched))
        patches.enter_context(patch.object(interpreter, "_patch_lang", patched_once))
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = save(tmp_path_factory.mktemp("gpt-oss"))
    config = read_config(folder)
    weights = load_weights(folder, config, CPU, torch.float32, lambda share: None)
    model: GptOssForCausalLM = reference(folder)
    return Tiny(folder, config, weights, model)
