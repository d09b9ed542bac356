"""`/settings`, `/stop`, `/regenerate`, `/details`, `/new`, `/forget`, `/status` and `/privacy`."""

import time
from datetime import UTC, datetime

from bot.client import InferenceError
from bot.conversation.access import Window
from bot.conversation.commands.definition import Command, CommandError, Context
from bot.conversation.settings import Setting
from bot.conversation.status import receipt_text
from bot.conversation.texts import Texts
from bot.conversation.tool_context import context_of_author
from bot.tools.toolbox import PAGES


async def settings(context: Context) -> str:
    """What is in effect here: what it means, where it comes from, and how to change it."""
    texts = context.texts
    lines = [
        texts(
            f"setting_{key}",
            value=_in_words(key, setting, texts),
            source=texts(f"source_{setting.source}"),
        )
        for key, setting in context.here.listed
    ]
    if not context.place.direct:  # there it is all the same
        in_channel = bool(context.place.channel)
        lines.append(texts("settings_scope" if in_channel else "settings_everywhere"))
    return "\n".join(lines)


def _in_words(key: str, setting: Setting[object], texts: Texts) -> str:
    """The value of the setting `key` as a sentence has it."""
    match key:
        case "answer":
            return texts(f"answer_{setting.value}")
        case "thread_mentions":
            return texts("mentions_needed" if setting.value else "mentions_not_needed")
        case "show_reasoning":
            return texts("reasoning_shown" if setting.value else "reasoning_hidden")
        case "language":
            return texts.language_name(str(setting.value))
        case _:
            return shown_value(setting, texts)


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


async def details(context: Context) -> str:
    """What the person's last answer took."""
    texts = context.texts
    answer = context.responder.last_answer(context.place, context.author.id)
    if answer is None:
        raise CommandError(texts("nothing_to_tell"))
    usage = answer.usage
    lines = [
        texts("details_model", model=context.client.model),
        texts("details_effort", effort=answer.effort),
        texts("details_time", seconds=texts.elapsed(usage.seconds)),
        texts("details_prompt", count=usage.prompt_tokens),
        texts("details_answer", count=usage.answer_tokens),
    ]
    if answer.persona:
        lines.insert(1, texts("details_persona", name=answer.persona))
    if usage.reasoning_tokens:
        lines.insert(-1, texts("details_reasoning", count=usage.reasoning_tokens))
    return "\n".join(f"- {line}" for line in lines)


async def new(context: Context) -> str:
    """Start the conversation over: in private, in one's own thread, or with the right to."""
    place, conversation = context.place, context.conversation
    own = place.thread is not None and await conversation.is_of(context.author.id)
    if not own:
        context.require_change("channel", "not_allowed_new")
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
    """What is stored, what tools may reach, and what has left for this server."""
    texts, place, config = context.texts, context.place, context.config
    tool_context = context_of_author(context.here, context.author)
    lines = [texts("privacy")]
    if hosts := context.responder.toolbox.reachable(config, tool_context):
        named = [texts("privacy_pages") if host == PAGES else host for host in hosts]
        lines.append(texts("privacy_may_leave", hosts=", ".join(named)))
    if sent := context.responder.toolbox.sent(place.platform, place.server):
        lines.append(texts("privacy_left", what=receipt_text(sent, texts)))
    else:
        lines.append(texts("privacy_nothing_left"))
    return "\n".join(lines)


COMMANDS = [
    Command("settings", settings),
    Command("stop", stop),
    Command("regenerate", regenerate),
    Command("details", details),
    Command("new", new),
    Command("forget", forget, for_anybody=True),
    Command("status", status),
    Command("privacy", privacy, for_anybody=True),
]
