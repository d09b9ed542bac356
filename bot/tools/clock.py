"""The clock: what time it is, in the machine's time zone or in one that is named."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from bot.tools.definition import Arguments, Tool, ToolError, ToolResult


def now(zone: str = "", moment: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """The time as JSON. `zone` is a name of the IANA's. Raises ToolError for one it lacks."""
    here = moment().astimezone(_zone(zone) if zone else None)
    found = {
        "time": here.isoformat(timespec="seconds"),
        "weekday": f"{here:%A}",
        "timezone": zone or here.tzname(),
        "utc": f"{here.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    return json.dumps(found)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name.strip().replace(" ", "_"))
    except (LookupError, ValueError, OSError):
        known = {key.lower(): key for key in available_timezones()}
    if key := known.get(name.strip().replace(" ", "_").lower()):
        return ZoneInfo(key)
    cities = {key.rpartition("/")[2].lower(): key for key in known.values()}
    wanted = name.rpartition("/")[2].strip().replace(" ", "_").lower()
    if wanted in cities:
        return ZoneInfo(cities[wanted])
    near = get_close_matches(wanted, cities, n=1)
    hint = f"did you mean {cities[near[0]]}?" if near else "for example Europe/Berlin"
    raise ToolError(f"unknown time zone {name[:64]!r}: {hint}")


def clock(default: str) -> Tool:
    """The tool; `default` is the zone of a call that names none, "" the machine's."""

    async def run(arguments: Arguments) -> ToolResult:
        found = now(arguments.get("timezone") or default)
        return ToolResult(found, json.loads(found)["time"])

    here = f"the default is {default}" if default else "left out: the bot's own"
    return Tool(
        "now",
        "The current date, time and weekday.",
        {
            "type": "object",
            "properties": {
                "timezone": {
                    "type": "string",
                    "description": f"An IANA name such as Europe/Berlin; {here}",
                }
            },
            "additionalProperties": False,
        },
        run,
        about=lambda arguments: str(arguments.get("timezone") or ""),
    )
