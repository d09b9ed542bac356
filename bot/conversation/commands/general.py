"""`/settings`, `/stop`, `/regenerate`, `/forget`, `/status` and `/privacy`."""

import time

from bot.client import InferenceError
from bot.conversation.commands.definition import Command, CommandError, Context
from bot.conversation.settings import Setting


async def settings(context: Context) -> str:
    """What is in effect here, and where each value comes from."""
    here, texts = context.here, context.texts
    found = here.settings
    rows: list[tuple[str, Setting[object]]] = [
        ("effort", here.effort),
        ("answer", found.answer),
        ("language", found.language),
        ("show_reasoning", found.show_reasoning),
    ]
    if found.system_prompt is None:
        rows.insert(0, ("persona", Setting(here.persona.name, found.persona.source)))
    else:
        rows.insert(0, ("system_prompt", found.system_prompt))
    return "\n".join(
        texts(
            "setting_line",
            key=key,
            value=str(s.value).lower() if isinstance(s.value, bool) else s.value,
            source=texts(f"source_{s.source}"),
        )
        for key, s in rows
    )


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
    if not await context.conversation.regenerate():
        raise CommandError(context.texts("nothing_to_regenerate"))
    return context.texts("regenerating")


async def forget(context: Context) -> str:
    await context.store.forget_user(context.place.platform, context.author.id)
    await context.conversation.forget()
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
        lines.append(texts("status_speed", speed=round(speed)))
    uptime = texts.duration(time.monotonic() - context.started)
    lines.append(texts("status_uptime", uptime=uptime))
    return "\n".join(lines)


async def privacy(context: Context) -> str:
    return context.texts("privacy")


COMMANDS = [
    Command("settings", "What is in effect here, and where it comes from", settings),
    Command("stop", "Stop the answer that is being written", stop),
    Command("regenerate", "Answer your last question again", regenerate),
    Command("forget", "Delete what is stored about you and start the conversation over", forget),
    Command(
        "status", "The model, its queue, its speed, and how long the bot has been running", status
    ),
    Command("privacy", "What is stored, and where", privacy),
]
