"""`/settings`, `/stop`, `/regenerate`, `/new`, `/forget`, `/status` and `/privacy`."""

import time
from datetime import UTC, datetime

from bot.client import InferenceError
from bot.conversation.access import Window
from bot.conversation.commands.definition import Command, CommandError, Context
from bot.conversation.settings import Setting
from bot.conversation.texts import Texts


async def settings(context: Context) -> str:
    """What is in effect here, and where each value comes from."""
    texts = context.texts
    return "\n".join(
        texts(
            "setting_line",
            key=key,
            value=shown_value(setting, texts),
            source=texts(f"source_{setting.source}"),
        )
        for key, setting in context.here.listed
    )


def shown_value(setting: Setting[object], texts: Texts) -> str:
    """A setting's value as people are shown it."""
    if setting.value == "":
        return texts("not_set")
    value = str(setting.value)
    return value.lower() if isinstance(setting.value, bool) else value


async def stop(context: Context) -> str:
    """Stop the person's own answers here; a moderator stops everybody's."""
    may_stop_all = context.author.moderator or context.author.admin
    replies = [
        reply
        for reply in context.responder.running(context.place)
        if may_stop_all or reply.asker == context.author.id
    ]
    if not replies:
        raise CommandError(context.texts("nothing_to_stop"))
    for reply in replies:
        reply.stop()
    return context.texts("stopping", count=len(replies))


async def regenerate(context: Context) -> str:
    if not await context.conversation.regenerate(context.author):
        raise CommandError(context.texts("nothing_to_regenerate"))
    return context.texts("regenerating")


async def new(context: Context) -> str:
    """Start the conversation over: in private, in one's own thread, or with the right to."""
    place, conversation = context.place, context.conversation
    own = place.direct or (place.thread is not None and await conversation.is_of(context.author.id))
    if not own:
        context.require_change("channel")
    await conversation.start_over()
    return context.texts("started_over")


async def forget(context: Context) -> str:
    """Delete what is stored about the person; what they used in this window goes on counting."""
    window = Window.around(datetime.now(UTC), context.config.quotas.window_hours)
    await context.store.forget_user(context.place.platform, context.author.id, window.start)
    return context.texts("forgotten")


async def status(context: Context) -> str:
    texts = context.texts
    health = await context.client.health()
    if not health.ready:
        share = "" if health.progress is None else f" {health.progress:.0%}"
        return texts("status_not_ready", stage=health.status, progress=share)
    try:
        model = await context.client.model_info()
    except InferenceError:
        return texts("status_not_ready", stage="connecting", progress="")
    lines = [texts("status_model", model=model.id)]
    details = health.metrics or {}
    if "waiting" in details:
        lines.append(texts("status_queue", running=details["running"], waiting=details["waiting"]))
    if speed := details.get("tokens_per_second"):
        lines.append(texts("status_speed", count=round(speed)))
    uptime = texts.duration(time.monotonic() - context.started)
    lines.append(texts("status_uptime", uptime=uptime))
    return "\n".join(lines)


async def privacy(context: Context) -> str:
    return context.texts("privacy")


COMMANDS = [
    Command("settings", "What is in effect here, and where it comes from", settings),
    Command("stop", "Stop the answer that is being written", stop),
    Command("regenerate", "Answer your last question again", regenerate),
    Command("new", "Start the conversation over", new, private=False),
    Command("forget", "Delete what is stored about you", forget, for_anybody=True),
    Command(
        "status", "The model, its queue, its speed, and how long the bot has been running", status
    ),
    Command("privacy", "What is stored, and where", privacy, for_anybody=True),
]
