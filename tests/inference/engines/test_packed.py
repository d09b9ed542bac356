"""The packed decoder beside transformers' own Llama on the same, dequantized weights."""

from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gguf")

from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from bot.config import InferenceConfig  # noqa: E402
from bot.inference.engines import load_engine  # noqa: E402
from bot.inference.engines.base import Sampling, Sequence  # noqa: E402
from bot.inference.engines.causal import Abandoned, CausalEngine  # noqa: E402
from bot.inference.engines.packed import THREADS, PackedLlama  # noqa: E402
from bot.inference.models.catalog import ModelUnavailable, fetch  # noqa: E402
from bot.inference.models.convert import convert_gguf  # noqa: E402
from tests.inference.tiny_gguf import write_gguf  # noqa: E402

TOKENS = torch.randint(3, 250, (100,), generator=torch.Generator().manual_seed(1)).tolist()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("converted")
    source = tmp_path_factory.mktemp("source") / "tiny.gguf"
    original = write_gguf(source)
    convert_gguf(source, folder, lambda share: None)
    with torch.inference_mode():
        yield PackedLlama(folder), original(torch.tensor([TOKENS])).logits[0], folder


def assert_close(logits, expected, tolerance: float) -> None:
    """Within `tolerance` of the spread of the expected logits, at the worst token."""
    assert (logits - expected).abs().max() < tolerance * expected.std()


def test_what_a_token_gets_does_not_depend_on_those_read_with_it(tiny) -> None:
    model, _, _ = tiny
    at_once, one_by_one = model.new_cache(), model.new_cache()
    for start in range(0, 100, 50):  # chunks of two pieces, each looking back at those before
        together = model.forward(TOKENS[start : start + 50], at_once)
        for token in TOKENS[start : start + 50]:
            by_itself = model.forward([token], one_by_one)
        assert_close(together, by_itself, 0.001)


def test_logits_are_as_close_to_float32_as_those_of_transformers_in_bfloat16(tiny) -> None:
    model, expected, folder = tiny
    rounded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    in_bfloat16 = rounded(torch.tensor([TOKENS])).logits[0]
    cache = model.new_cache()
    logits = torch.stack([model.forward([token], cache) for token in TOKENS])
    assert (logits - expected).std() < 1.2 * (in_bfloat16 - expected).std()


def test_a_fork_continues_from_the_prefix_and_leaves_its_source_alone(tiny) -> None:
    model, _, _ = tiny
    cache, cold = model.new_cache(), model.new_cache()
    model.forward(TOKENS[:60], cache)
    forked = model.fork(cache, 30)
    model.forward(TOKENS[:30], cold)
    assert torch.equal(model.forward([5, 6], forked), model.forward([5, 6], cold))
    after = model.forward(TOKENS[60:], cache)
    whole = model.new_cache()
    model.forward(TOKENS[:60], whole)
    assert torch.equal(after, model.forward(TOKENS[60:], whole))


def test_a_forward_pass_that_is_abandoned_midway_leaves_the_sequence_as_it_was(tiny) -> None:
    model, _, _ = tiny
    cache, whole = model.new_cache(), model.new_cache()
    for each in (cache, whole):
        model.forward(TOKENS[:40], each)
    going_on = iter([False, True])
    with pytest.raises(Abandoned):
        model.forward(TOKENS[40:], cache, lambda: next(going_on))
    assert torch.equal(model.forward(TOKENS[40:], cache), model.forward(TOKENS[40:], whole))


def test_a_seed_gives_one_answer_cold_warm_after_a_prefix_and_beside_another(tiny) -> None:
    model, _, _ = tiny
    sampling = Sampling(temperature=0.8, top_p=0.95, seed=311)

    def answer(engine: CausalEngine, other: list[int] | None = None) -> list[int]:
        sequence, found = Sequence(TOKENS, sampling), []
        beside = Sequence(other or [], Sampling())
        if other:
            engine.admit(beside)
            engine.step()
        engine.admit(sequence)
        while len(found) < 24:
            found += [token for one, token in engine.step() if one is sequence]
        for one in [sequence, *([beside] if other else [])]:
            engine.release(one)
        return found

    cold = answer(CausalEngine(model, slots=2))
    engine = CausalEngine(model, slots=2)
    for unseeded in (TOKENS[:60], TOKENS):  # leave a prefix, and all of it, in the cache
        sequence = Sequence(unseeded, Sampling(temperature=0))
        engine.admit(sequence)
        while not engine.step():
            pass
        engine.release(sequence)
        assert answer(engine) == cold
    assert answer(engine) == cold
    assert answer(engine, other=TOKENS[::-1] * 2) == cold


def test_torch_draws_in_the_engines_own_thread_and_leaves_the_cores_to_the_graph(tiny) -> None:
    _, _, folder = tiny
    again = PackedLlama(folder)._session.get_session_options()
    with ThreadPoolExecutor(1) as engines_thread:
        assert engines_thread.submit(torch.get_num_threads).result() == 1
    assert again.intra_op_num_threads == THREADS


def test_a_folder_with_packed_weights_gets_the_packed_engine_on_a_cpu(tiny) -> None:
    _, _, folder = tiny
    stages: list[str] = []
    engine = load_engine(folder, device="cpu", progress=lambda stage, _: stages.append(stage))
    assert isinstance(engine.model, PackedLlama)
    assert stages == ["loading", "warming up"]


def test_the_default_model_says_what_transformers_says() -> None:
    config = InferenceConfig()
    try:
        folder = fetch(config.model, config.models_dir, lambda *_: None)
    except ModelUnavailable as error:
        pytest.skip(str(error))
    question = [{"role": "user", "content": "Name the capital of France."}]
    prompt = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        question, add_generation_prompt=True, return_dict=False
    )
    engine = load_engine(folder, device="cpu", progress=lambda *_: None)
    sequence = Sequence(prompt, Sampling(temperature=0))
    engine.admit(sequence)
    answer = [token for _ in range(8) for _, token in engine.step()]
    expected = AutoModelForCausalLM.from_pretrained(folder).generate(
        torch.tensor([prompt]), do_sample=False, max_new_tokens=8
    )
    assert answer == expected[0, len(prompt) :].tolist()
