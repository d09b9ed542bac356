"""When something began, as people type it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.conversation.since import parse_since

NOW = datetime(2026, 11, 28, 14, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # a Saturday
GERMAN_DAYS = ("Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag")
GERMAN_MONTHS = (
    *((1, "Januar"), (2, "Februar"), (3, "März"), (4, "April"), (5, "Mai"), (6, "Juni")),
    *((7, "Juli"), (8, "August"), (9, "September"), (10, "Oktober"), (11, "November")),
    (12, "Dezember"),
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2h", "2026-11-28 12:30"),
        ("3 days", "2026-11-25 14:30"),
        ("1h 30min", "2026-11-28 13:00"),
        ("1.5 hours", "2026-11-28 13:00"),
        ("2 weeks ago", "2026-11-14 14:30"),
        ("last 3 days", "2026-11-25 14:30"),
        ("vor 2 Stunden", "2026-11-28 12:30"),
        ("3 Tage", "2026-11-25 14:30"),
        ("9:00", "2026-11-28 09:00"),
        ("9am", "2026-11-28 09:00"),
        ("9 Uhr", "2026-11-28 09:00"),
        ("20:00", "2026-11-27 20:00"),
        ("today", "2026-11-28 00:00"),
        ("yesterday 17:00", "2026-11-27 17:00"),
        ("gestern", "2026-11-27 00:00"),
        ("friday", "2026-11-27 00:00"),
        ("since Friday", "2026-11-27 00:00"),
        ("Samstag 9:00", "2026-11-28 09:00"),
        ("saturday 16:00", "2026-11-21 16:00"),
        ("2026-11-20", "2026-11-20 00:00"),
        ("2026-11-05 09:15", "2026-11-05 09:15"),
        ("2026-11-20T09:00Z", "2026-11-20 10:00"),
        ("Nov 20", "2026-11-20 00:00"),
        ("Nov 30", "2025-11-30 00:00"),
        ("20.11.2026", "2026-11-20 00:00"),
        ("5.11.", "2026-11-05 00:00"),
        ("30.11. 9:00", "2025-11-30 09:00"),
        ("heute", "2026-11-28 00:00"),
        ("1,5 Stunden", "2026-11-28 13:00"),
        ("14:30", "2026-11-28 14:30"),
        ("14:31", "2026-11-27 14:31"),
        ("2026-11-28 14:35", "2026-11-28 14:35"),
        *((day, f"2026-11-{at} 00:00") for at, day in enumerate(GERMAN_DAYS, 22)),
        *((f"3. {month} 2025", f"2025-{at:02}-03 00:00") for at, month in GERMAN_MONTHS),
    ],
)
def test_a_time_is_understood_in_the_persons_time_zone(text: str, meant: str) -> None:
    expected = datetime.fromisoformat(meant).replace(tzinfo=NOW.tzinfo)
    assert parse_since(text, NOW) == expected.astimezone(UTC)


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        ("m min mins minute minutes Minuten", timedelta(minutes=1)),
        ("h hr hrs hour hours Std std. Stunde Stunden", timedelta(hours=1)),
        ("d day days Tag Tage Tagen", timedelta(days=1)),
        ("w week weeks Woche Wochen", timedelta(weeks=1)),
    ],
)
def test_each_word_of_a_duration_is_understood(words: str, unit: timedelta) -> None:
    for word in words.split():
        assert parse_since(f"3 {word}", NOW) == NOW.astimezone(UTC) - 3 * unit, word


def test_a_day_begins_at_midnight_to_the_microsecond() -> None:
    now = NOW.replace(second=7, microsecond=9)
    assert parse_since("today", now) == NOW.replace(hour=0, minute=0).astimezone(UTC)


@pytest.mark.parametrize("text", ["last", "Last", "zuletzt"])
def test_last_is_no_time(text: str) -> None:
    assert parse_since(text, NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2026-11-28 14:36",
            "",
            " ",
            "soon",
            "10",
            "2 parsecs",
            "2h please",
            "2026-13-40",
            "2027-01-01",
            "today at",
        ),
        *("99999 weeks 99999 weeks", "9999999 days", "0x10", "()", "12.34.56.78", "\x00"),
    ],
)
def test_what_is_no_time_or_still_to_come_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # its words are for nobody
        parse_since(text, NOW)
