"""What the model is told before the conversation."""

import calendar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.config import Config
from bot.conversation.events import Place
from bot.conversation.in_effect import InEffect
from bot.conversation.system_prompt import system_prompt
from bot.storage import StoredPlace

UTC_ZONE = {"time_zone": "UTC"}
EVENING = datetime(2026, 11, 28, 23, 30, tzinfo=UTC)


def told(platform: str = "discord", now: datetime = EVENING, **sections: Any) -> str:
    config = Config.model_validate({"personas": {"default": "Help.\n\nNever guess."}} | sections)
    stored = StoredPlace({}, [], "0")
    return system_prompt(InEffect.at(Place(platform, "s", "c"), config, stored), now)


def test_the_persona_stands_whole_before_the_day_and_the_place() -> None:
    assert told("slack", conversation=UTC_ZONE) == (
        "Help.\n\nNever guess.\n\nToday is Saturday, 2026-11-28 in the time zone UTC."
        " You write on Slack, which shows Markdown and tables, but no formulas or pictures."
    )


@pytest.mark.parametrize(
    ("sections", "day"),
    [
        ({"conversation": {"time_zone": "Asia/Tokyo"}}, "Sunday, 2026-11-29"),
        ({"servers": {"s": {"time_zone": "America/New_York"}}}, "Saturday, 2026-11-28"),
        (
            {
                "conversation": {"time_zone": "UTC"},
                "servers": {"s": {"channels": {"c": {"time_zone": "Asia/Tokyo"}}}},
            },
            "Sunday, 2026-11-29",
        ),
    ],
)
def test_the_day_is_that_of_the_time_zone_that_is_set(sections: dict[str, Any], day: str) -> None:
    assert f"Today is {day} in the time zone" in told(**sections)


def test_without_a_time_zone_or_a_platform_that_shows_something_else_none_is_named() -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert told("console", noon).endswith("\n\nToday is Saturday, 2026-11-28.")


def test_the_model_knows_what_discord_does_not_show() -> None:
    assert "You write on Discord, which shows Markdown, but no tables" in told("discord")


def test_each_day_of_the_week_has_its_english_name() -> None:
    week = [told(now=EVENING + timedelta(days), conversation=UTC_ZONE) for days in range(7)]
    named = [prompt.partition("Today is ")[2].partition(",")[0] for prompt in week]
    assert named == [*calendar.day_name[5:], *calendar.day_name[:5]]


def test_it_is_the_same_all_day_long() -> None:
    day = [datetime(2026, 11, 28, hour, 59, 59, tzinfo=UTC) for hour in range(24)]
    assert len({told(now=now, conversation=UTC_ZONE) for now in day}) == 1
