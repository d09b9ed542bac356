"""When something began, as people type it: a time, a date, a duration or "last"."""

import re
from datetime import UTC, datetime, timedelta

AHEAD = timedelta(minutes=5)
"""How far a platform's clock may be ahead of this one, in the time of a message."""

_UNITS = {
    "minutes": ("m", "min", "mins", "minute", "minutes", "minuten"),
    "hours": ("h", "hr", "hrs", "hour", "hours", "std", "stunde", "stunden"),
    "days": ("d", "day", "days", "tag", "tage", "tagen"),
    "weeks": ("w", "week", "weeks", "woche", "wochen"),
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}
_PART = re.compile(r"(\d{1,5}(?:[.,]\d{1,3})?)\s*([a-z]+)\.?\s*")
_DAYS_AGO = {"today": 0, "heute": 0, "yesterday": 1, "gestern": 1}
_LAST = ("last", "zuletzt")
_AROUND = re.compile(r"^(?:since|seit|last|past|the last|the past|vor) | ago$")
_YEAR = timedelta(days=365)

_ENGLISH = {
    "montag": "monday",
    "dienstag": "tuesday",
    "mittwoch": "wednesday",
    "donnerstag": "thursday",
    "freitag": "friday",
    "samstag": "saturday",
    "sonntag": "sunday",
    "januar": "january",
    "februar": "february",
    "märz": "march",
    "mai": "may",
    "juni": "june",
    "juli": "july",
    "oktober": "october",
    "dezember": "december",
}


def parse_since(text: str, now: datetime) -> datetime | None:
    """The time that `text` means, in UTC; None for "last". `now` has the person's time zone.

    What has no date is the last such time before now: 20:00, typed at nine in the morning, was
    yesterday. Raises ValueError for other texts, and for times to come.
    """
    words = " ".join(_ENGLISH.get(word, word) for word in text.lower().split())
    if words in _LAST:
        return None
    words = _AROUND.sub("", words)
    try:
        duration = _duration(words)
        found = _date(words, now) if duration is None else now.astimezone(UTC) - duration
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error
    if found > now + AHEAD:
        raise ValueError(f"{text!r} is still to come")
    return found.astimezone(UTC)


def _duration(words: str) -> timedelta | None:
    """`2h`, `1 h 30 min`, `3 days`; None for anything else."""
    at, total = 0, timedelta()
    for part in _PART.finditer(words):
        unit = _UNIT_OF.get(part[2])
        if part.start() != at or unit is None:
            return None
        total += timedelta(**{unit: float(part[1].replace(",", "."))})
        at = part.end()
    return total if at == len(words) > 0 else None


def _date(words: str, now: datetime) -> datetime:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first, _, rest = words.partition(" ")
    if first in _DAYS_AGO:
        day = midnight - timedelta(days=_DAYS_AGO[first])
        return _parsed(rest, day) if rest else day
    if re.fullmatch(r"\d+", words):
        raise ValueError(f"{words!r} may be a day or an hour")
    # The last that is over; a weekday without a date would be the next one.
    found = _parsed(words, midnight)
    for back in (*(timedelta(days=days) for days in range(1, 8)), _YEAR):
        if found <= now:
            break
        found = _parsed(words, midnight - back)
    return found


def _parsed(words: str, default: datetime) -> datetime:
    """What the words lack is taken from `default`, its time zone too. Raises ValueError."""
    words = words.removesuffix("uhr").rstrip()
    words = re.sub(r"^(\d{1,2}\.\d{1,2}\.)(?!\d)", rf"\g<1>{default.year}", words)  # German
    if re.fullmatch(r"\d{1,2}", words):
        words += ":00"
    from dateutil import parser  # only for /summary with a date

    # Europe's dots have the day first, America's slashes the month.
    return parser.parse(words, dayfirst="." in words, default=default)
