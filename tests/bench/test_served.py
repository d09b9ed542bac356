import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from bot.bench.served import answer_speed, serve  # noqa: E402
from bot.client import InferenceClient  # noqa: E402
from bot.inference.engines import EngineError  # noqa: E402
from bot.inference.engines.gptoss.synthetic import write_tokenizer  # noqa: E402
from tests.doubles.inference import Say, ScriptedInference  # noqa: E402


@pytest.fixture
def among_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine where others take each port as soon as it is free, and where a proxy is set."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    close = socket.socket.close
    with ExitStack() as taken:

        def close_and_lose(it: socket.socket) -> None:
            listens = it.fileno() != -1 and it.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            address = it.getsockname() if listens else None
            close(it)
            if address:
                with suppress(OSError):  # somebody has it
                    taken.callback(close, socket.create_server(address))

        monkeypatch.setattr(socket.socket, "close", close_and_lose)
        yield
        monkeypatch.undo()


@pytest.mark.usefixtures("among_others")
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


async def test_an_answer_that_comes_in_one_piece_is_followed_by_a_longer_one_that_is_timed() -> (
    None
):
    async with ScriptedInference().running() as inference:
        inference.script(Say("word1 word2"))
        inference.script(Say("word1"), Say(" word2"))
        client = InferenceClient(inference.url, "", "scripted")
        speed = await answer_speed(client, prompt_tokens=3, answer_tokens=20)
        await client.close()
    assert speed > 0
    assert [asked["max_completion_tokens"] for asked in inference.requests] == [20, 40]
