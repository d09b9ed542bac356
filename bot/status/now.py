"""What the page tells of this moment, in words: the service, and the answers being made."""

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bot import __version__
from bot.client import ServiceMetrics
from bot.conversation.answer import Answer
from bot.conversation.core import Core
from bot.conversation.reply import ReplyState
from bot.conversation.status import receipt_text, status_line
from bot.conversation.texts import Texts
from bot.status.live import Live, ServiceSnapshot
from bot.status.recorder import WAITING, EndedAnswer, median_and_95
from bot.status.rendering import number, share

GIB = 2**30
NONE_YET = "\N{EN DASH}"


@dataclass(frozen=True)
class Figure:
    """One figure under its title. `share`, 0 to 1, is drawn as a bar where it is set."""

    title: str
    value: str
    note: str = ""
    share: float | None = None


@dataclass(frozen=True)
class AnswerEntry:
    """An answer that is being made. `who` and `where` are empty unless they may be shown."""

    platform: str
    waits: bool
    state: str
    persona: str
    effort: str
    seconds: str
    tokens: str
    who: str
    where: str


@dataclass(frozen=True)
class Now:
    """`ready` is whether the service answers."""

    ready: bool
    state: str
    cards: Sequence[Figure]
    rows: Sequence[AnswerEntry]
    shows_ids: bool


def now(live: Live, texts: Texts) -> Now:
    """Everything that changes while one watches."""
    snapshot, core = live.snapshot, live.core
    shows_ids = core.config().status.show_ids
    rows = [_row(answer, texts, shows_ids) for answer in core.responder.answers]
    return Now(snapshot.health.ready, _state(snapshot, texts), _cards(live, texts), rows, shows_ids)


def versions(live: Live, texts: Texts) -> list[tuple[str, str]]:
    """What runs here, and its version."""
    service = live.snapshot.version or texts("page_not_told")
    return [
        (texts("page_version_bot"), __version__),
        (texts("page_version_service"), service),
        ("Python", platform.python_version()),
    ]


def sent(live: Live, texts: Texts) -> str:
    """What tools have sent out since the bot started."""
    receipt = live.core.responder.toolbox.all_sent()
    return receipt_text(receipt, texts) if receipt else texts("page_sent_nothing")


def _state(snapshot: ServiceSnapshot, texts: Texts) -> str:
    if snapshot.health.ready:
        return texts("page_ready")
    progress = (
        "" if snapshot.health.progress is None else f" {share(snapshot.health.progress, texts)}"
    )
    return texts("status_not_ready", stage=snapshot.health.status, progress=progress)


def _cards(live: Live, texts: Texts) -> list[Figure]:
    snapshot, hour = live.snapshot, live.recorder.last_hour
    return [
        _model(snapshot, texts),
        _speed(live, texts),
        _first_text(hour, texts),
        _queue(live, texts),
        _card_memory(snapshot.metrics, texts),
        _prefix_hits(snapshot.metrics, texts),
        _ended(hour, texts),
        Figure(texts("page_uptime"), texts.duration(_uptime(live.core))),
    ]


def _model(snapshot: ServiceSnapshot, texts: Texts) -> Figure:
    title = texts("page_model")
    if snapshot.model is None:
        return Figure(title, texts("page_not_told"))
    context = snapshot.model.context
    note = texts("page_context", count=number(context, texts)) if context else ""
    return Figure(title, snapshot.model.id, note)


def _speed(live: Live, texts: Texts) -> Figure:
    speed = live.recorder.tokens_per_second
    value = NONE_YET if speed is None else number(speed, texts, 0 if speed >= 10 else 1)
    counted = (
        "page_counted_by_bot" if live.snapshot.metrics.generated is None else "page_all_clients"
    )
    return Figure(texts("page_speed"), value, texts(counted))


def _first_text(hour: Sequence[EndedAnswer], texts: Texts) -> Figure:
    found = median_and_95([e.first_text for e in hour if e.first_text is not None])
    title = texts("page_first_text")
    if found is None:
        return Figure(title, NONE_YET, texts("page_none_in_hour"))
    median, most = (number(seconds, texts, 1) for seconds in found)
    return Figure(title, f"{median} s", texts("page_95", seconds=most))


def _queue(live: Live, texts: Texts) -> Figure:
    answers, metrics = live.core.responder.answers, live.snapshot.metrics
    waiting = sum(answer.reply.state in WAITING for answer in answers)
    running = len(answers) - waiting
    note = ""
    if metrics.running is not None and metrics.waiting is not None:
        note = texts(
            "page_service_queue", running=int(metrics.running), waiting=int(metrics.waiting)
        )
    value = texts("page_queue_value", running=running, waiting=waiting)
    return Figure(texts("page_queue"), value, note)


def _card_memory(metrics: ServiceMetrics, texts: Texts) -> Figure:
    title, used, total = texts("page_card_memory"), metrics.card_used, metrics.card_total
    if used is None or total is None:
        return Figure(title, texts("page_not_told"))
    if not total:
        return Figure(title, texts("page_no_card"))
    value = texts(
        "page_memory_value", used=number(used / GIB, texts, 1), total=number(total / GIB, texts, 1)
    )
    return Figure(title, value, share(used / total, texts), used / total)


def _prefix_hits(metrics: ServiceMetrics, texts: Texts) -> Figure:
    title = texts("page_prefix_hits")
    if metrics.queried is None or metrics.hits is None:
        return Figure(title, texts("page_not_told"))
    found = metrics.hits / metrics.queried if metrics.queried else 0.0
    note = texts("page_prefix_note", count=number(metrics.queried, texts))
    return Figure(title, share(found, texts), note, found)


def _ended(hour: Sequence[EndedAnswer], texts: Texts) -> Figure:
    failed = sum(ended.outcome is ReplyState.FAILED for ended in hour)
    note = texts("page_ended_note", count=len(hour))
    return Figure(texts("page_failed"), number(failed, texts), note)


def _row(answer: Answer, texts: Texts, shows_ids: bool) -> AnswerEntry:
    reply, place = answer.reply, answer.here.place
    persona = answer.here.persona.name or texts("page_channel_prompt")
    writing = reply.state is ReplyState.WRITING
    where = " / ".join(filter(None, (place.server, place.channel, place.thread)))
    return AnswerEntry(
        platform=place.platform.capitalize(),
        waits=reply.state in WAITING,
        state=texts("page_writing") if writing else status_line(reply, texts),
        persona=persona,
        effort=reply.effort,
        seconds=texts.duration(time.monotonic() - answer.asked),
        tokens=number(reply.completion_tokens, texts),
        who=reply.asker if shows_ids else "",
        where=where if shows_ids else "",
    )


def _uptime(core: Core) -> float:
    return time.monotonic() - core.started
