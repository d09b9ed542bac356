"""Every promise, tried once and briefly."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.soak.drill import Drill, Scale
from tests.soak.drills import DRILLS

BRIEFLY = Scale(minutes=0.05, times=40)


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.done)
async def test_what_is_promised_happens(drill: Drill, tmp_path: Path) -> None:
    outcome = await drill.run(tmp_path, BRIEFLY)
    assert outcome.times >= 1
