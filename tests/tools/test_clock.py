"""The clock knows time zones."""

import json
from datetime import UTC, datetime

import pytest

from bot.tools.clock import now
from bot.tools.definition import ToolError


def moment() -> datetime:
    return datetime(2026, 7, 1, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Asia/Tokyo", "asia/tokyo", "Tokyo"])
def test_it_tells_the_time_in_a_zone_that_is_named(name: str) -> None:
    found = json.loads(now(name, moment))
    assert found["time"] == "2026-07-02T07:30:00+09:00"
    assert found["weekday"] == "Thursday"
    assert found["utc"] == "2026-07-01T22:30:00Z"


def test_summer_time_counts() -> None:
    assert json.loads(now("Europe/Berlin", moment))["time"] == "2026-07-02T00:30:00+02:00"


def test_without_a_zone_it_is_the_machines() -> None:
    assert json.loads(now("", moment))["utc"] == "2026-07-01T22:30:00Z"


@pytest.mark.parametrize("name", ["Europe/Berlln", "../../etc/passwd", "\0", "Nowhere"])
def test_an_unknown_zone_is_an_error_that_says_so(name: str) -> None:
    with pytest.raises(ToolError, match="unknown time zone"):
        now(name, moment)
