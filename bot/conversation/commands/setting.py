"""`/set`: which messages are answered, and what of the conversation the model is told."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.config import AnswerMode
from bot.conversation.commands.definition import Command, CommandError, Context, Option, OptionKind
from bot.conversation.commands.effort import SCOPE

YES_OR_NO = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
MOST_MESSAGES = 100


def _answer(text: str) -> str:
    return AnswerMode(text.lower()).value


def _yes_or_no(text: str) -> bool:
    return YES_OR_NO[text.lower()]


def _channel_messages(text: str) -> int:
    if not (text.isdecimal() and int(text) <= MOST_MESSAGES):
        raise ValueError
    return int(text)


def _time_zone(text: str) -> str:
    return ZoneInfo(text).key


SETTINGS: dict[str, Callable[[str], object]] = {
    "answer": _answer,
    "thread_mentions": _yes_or_no,
    "channel_messages": _channel_messages,
    "time_zone": _time_zone,
}
"""The parser of each setting's value; raises for what isn't allowed."""

CHOICES = {"answer": tuple(AnswerMode), "thread_mentions": ("true", "false")}
"""The values of the settings that have only a few."""


async def set_value(context: Context, setting: str, value: str, scope: str | None = None) -> str:
    texts, name = context.texts, setting.lower().replace("-", "_")
    if name not in SETTINGS:
        allowed = texts.choice(SETTINGS)
        raise CommandError(texts("bad_setting", found=setting, allowed=allowed))
    try:
        parsed = SETTINGS[name](value)
    except (ValueError, KeyError, OSError, ZoneInfoNotFoundError) as error:
        choices = CHOICES.get(name)
        allowed = texts.choice(choices) if choices else texts(f"allowed_{name}")
        raise CommandError(
            texts("bad_value", found=value, setting=name, allowed=allowed)
        ) from error
    target = context.scope(scope)
    context.require_change(target.kind)
    await context.store.settings.set(target, name, parsed, context.author.id)
    shown = str(parsed).lower() if isinstance(parsed, bool) else parsed
    return texts("setting_set", setting=name, value=shown, scope=texts(f"scope_{target.kind}"))


COMMANDS = [
    Command(
        "set",
        set_value,
        (
            Option(OptionKind.SETTING, "option_setting"),
            Option(OptionKind.VALUE, "option_value"),
            SCOPE,
        ),
    )
]
