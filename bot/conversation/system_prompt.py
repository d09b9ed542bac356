"""The system prompt: who answers, what day it is, and where the answer is read."""

from datetime import datetime
from zoneinfo import ZoneInfo

from bot.conversation.in_effect import InEffect

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""As strftime has them only where nothing has set a locale."""
SHOWS = {
    "discord": "You write on Discord, which shows Markdown, but no tables, formulas or pictures.",
    "slack": "You write on Slack, which shows Markdown and tables, but no formulas or pictures.",
}
"""By platform: where the answer is read, and what can be seen there."""


def system_prompt(here: InEffect, now: datetime) -> str:
    """The persona's prompt, whole, and then what the model has to know; the same all day long.

    now: an aware time.
    """
    parts = (
        here.persona.prompt,
        f"{_today(here, now)} {SHOWS.get(here.place.platform, '')}".strip(),
        here.texts("answer_language"),
    )
    return "\n\n".join(filter(None, parts))


def _today(here: InEffect, now: datetime) -> str:
    zone = here.settings.time_zone.value
    today = now.astimezone(ZoneInfo(zone) if zone else None)
    where = f" in the time zone {zone}" if zone else ""
    return f"Today is {DAYS[today.weekday()]}, {today:%Y-%m-%d}{where}."
