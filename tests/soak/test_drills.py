"""Every promise, tried once and briefly."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from bot.inference.models.sources import ModelUnavailable
from tests.soak.drill import Drill, Scale
from tests.soak.drills import DRILLS

BRIEFLY = Scale(minutes=0.05, times=40)


@pytest.mark.slow
@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.done)
async def test_what_is_promised_happens(drill: Drill, tmp_path: Path) -> None:
    try:
        outcome = await drill.run(tmp_path, BRIEFLY)
    except ModelUnavailable as error:
        pytest.skip(str(error))
    assert outcome.times >= 1
