"""What a card can't run is found without the card; `make kernels` looks at the engine's own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
def test_too_much_shared_memory_and_an_instruction_that_a_card_lacks_are_told(
    tmp_path: Path,
) -> None:
    """In a process of its own: here, Triton's kernels are run by its interpreter."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.compiled.misfits"],
        cwd=ROOT,
        env=os.environ | {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_INTERPRET": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    on_a_t4 = said.stdout.splitlines()[:2]
    on_an_a100 = said.stdout.splitlines()[2:]
    assert on_a_t4[0] == "needs 131072 bytes of shared memory, and the card has 65536"
    assert "requires .target sm_80 or higher" in on_a_t4[1]
    assert on_an_a100 == ["fits", "fits"]
