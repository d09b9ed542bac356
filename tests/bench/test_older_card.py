import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton.backends.nvidia")

from triton.backends.nvidia.compiler import CUDABackend  # noqa: E402
from triton.backends.nvidia.driver import CudaDriver  # noqa: E402

from bot.bench.older_card import run_as  # noqa: E402
from bot.inference.engines import EngineError  # noqa: E402


@pytest.fixture
def a_card_of_8_6(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is changed for good is put back after the test."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (8, 6))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "Some Card")
    monkeypatch.setattr(CudaDriver, "get_current_target", CudaDriver.get_current_target)
    monkeypatch.setattr(CUDABackend, "make_cubin", CUDABackend.make_cubin)
    monkeypatch.setenv("TRITON_CACHE_DIR", "the card's own")


@pytest.mark.usefixtures("a_card_of_8_6")
@pytest.mark.parametrize("capability", ["7.5", "8.0", "8.6"])
def test_triton_compiles_for_the_older_card_and_the_driver_gets_its_ptx(capability: str) -> None:
    run_as(capability)
    number = int(capability.replace(".", ""))
    assert CudaDriver.get_current_target(None).arch == number
    assert CUDABackend.make_cubin(None, "ptx", {}, None, number) == b"ptx\0"
    assert torch.cuda.get_device_capability() == divmod(number, 10)
    assert torch.cuda.get_device_name() == f"Some Card as {capability}"


@pytest.mark.usefixtures("a_card_of_8_6")
def test_a_newer_card_can_not_be_had_so() -> None:
    with pytest.raises(EngineError, match=r"--as 8\.9: Some Card has compute capability 8\.6"):
        run_as("8.9")


def test_without_a_card_it_is_refused_in_one_line() -> None:
    with pytest.raises(EngineError, match=r"--as 8\.0 needs a CUDA card, and the device is cpu"):
        run_as("8.0", "cpu")
