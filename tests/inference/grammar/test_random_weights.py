"""Calls drawn at temperature 1 by the CPU engine's loop from a model of random weights."""

import json
from collections import Counter
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("llguidance")

from torch import Tensor  # noqa: E402

from bot.inference.engines.base import Sampling, Sequence  # noqa: E402
from bot.inference.engines.causal import CausalEngine  # noqa: E402
from bot.inference.grammar.turns import Rules  # noqa: E402
from bot.inference.text.delta import Delta  # noqa: E402
from bot.inference.text.generation import CallPolicy, Generation  # noqa: E402
from bot.inference.text.prompt import ChatFormat  # noqa: E402
from tests.inference.grammar.test_calls import (  # noqa: E402
    FORMATS,
    PARAMETERS,
    check_calls,
    functions,
)
from tests.inference.grammar.test_json_schema import form  # noqa: E402

CALLS = 500
MAX_TOKENS = 600


class RandomBigrams:
    """The smallest causal model: a random row of logits for each last token and length."""

    device = torch.device("cpu")
    context = 4096
    chunk = 512
    can_fork = True

    def __init__(self, vocabulary: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self._logits = 2 * torch.randn(vocabulary, vocabulary, generator=generator)

    def new_cache(self) -> list[int]:
        return []

    def fork(self, cache: list[int], length: int) -> list[int]:
        return cache[:length]

    def forward(
        self, tokens: list[int], cache: list[int], abandoned: Callable[[], bool] = bool
    ) -> Tensor:
        cache += tokens
        return self._logits[(tokens[-1] + len(cache)) % len(self._logits)]


def turn(
    chat_format: ChatFormat, engine: CausalEngine[list[int]], rules: Rules, seed: int
) -> tuple[Delta, str | None]:
    sequence = Sequence(
        chat_format.render([{"role": "user", "content": f"Number {seed}"}]), Sampling(seed=seed)
    )
    generation = Generation(
        chat_format,
        sequence,
        max_tokens=MAX_TOKENS,
        reasoning_budget=30,
        calling=CallPolicy(frozenset(PARAMETERS), rules.must_call, rules.parallel),
        form=form(chat_format, rules, holds_answers=chat_format is not FORMATS["harmony"]),
    )
    engine.admit(sequence)
    shown = Delta()
    while generation.finish_reason is None:
        for _, token in engine.step():
            shown += generation.push(token)
    engine.release(sequence)
    return shown + generation.finish(), generation.finish_reason


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_no_call_of_a_model_with_random_weights_is_malformed(name: str) -> None:
    chat_format = FORMATS[name]
    vocabulary = chat_format.grammars.vocabulary.vocab_size
    engine = CausalEngine(RandomBigrams(vocabulary), slots=1)
    reasons, called, seed = Counter[str | None](), Counter[str](), 0
    while sum(called.values()) < CALLS:
        rules = Rules(functions(), must_call=seed % 3 != 0, parallel=seed % 2 == 0)
        shown, reason = turn(chat_format, engine, rules, seed)
        seed += 1
        reasons[reason] += 1
        if reason == "length":  # cut off, and said so
            continue
        called.update(check_calls(shown))
        assert bool(shown.calls) == (reason == "tool_calls")
        assert all(isinstance(json.loads(call.arguments), dict) for call in shown.calls)
    assert set(called) == set(PARAMETERS)
