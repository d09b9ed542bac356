"""The tables of what is stored. Never the text of a message."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import JSON, DateTime, Double, ForeignKey, String, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

ScopeKind = Literal["thread", "channel", "server"]


@dataclass(frozen=True)
class ScopeKey:
    """A thread, channel or server of a platform: what a setting can be made for."""

    platform: str
    kind: ScopeKind
    id: str


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes; SQLite would give them back without their time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcDateTime, float: Double, Any: JSON}  # noqa: RUF012


class SettingRow(Base):
    """One value that was set in chat."""

    __tablename__ = "settings"

    platform: Mapped[str] = mapped_column(primary_key=True)
    scope_kind: Mapped[ScopeKind] = mapped_column(String, primary_key=True)
    scope_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]


class ConversationStartRow(Base):
    """The message after which the conversation in a scope starts."""

    __tablename__ = "conversation_starts"

    platform: Mapped[str] = mapped_column(primary_key=True)
    scope_kind: Mapped[ScopeKind] = mapped_column(String, primary_key=True)
    scope_id: Mapped[str] = mapped_column(primary_key=True)
    after: Mapped[str]


class RegisteredCommandsRow(Base):
    """Which commands a platform has of an application."""

    __tablename__ = "registered_commands"

    platform: Mapped[str] = mapped_column(primary_key=True)
    application: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]


class PersonaRow(Base):
    """A server's own persona; what it says is in its versions, the newest one in effect."""

    __tablename__ = "personas"
    __table_args__ = (UniqueConstraint("platform", "server", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[str]
    server: Mapped[str]
    name: Mapped[str]


class PersonaVersionRow(Base):
    """A persona as it was saved once. A deleted one gets a version that says so."""

    __tablename__ = "persona_versions"

    persona_id: Mapped[int] = mapped_column(ForeignKey("personas.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    prompt: Mapped[str]
    description: Mapped[str]
    effort: Mapped[str | None]
    deleted: Mapped[bool]
    restores: Mapped[int | None]
    """The version that this one brought back, so that another undo goes further."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class TakenRow(Base):
    """A question that was taken, so that it is taken once, whatever the platform repeats."""

    __tablename__ = "taken"

    platform: Mapped[str] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    taken_at: Mapped[datetime]
    run: Mapped[str | None]
    """The run that took it, until the question is admitted; see RunningAnswerRow."""
    server: Mapped[str | None]
    channel: Mapped[str | None]
    thread: Mapped[str | None]


class RunningAnswerRow(Base):
    """An answer that is being made; `run` names the run of the bot that makes it."""

    __tablename__ = "running_answers"

    id: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[str]
    platform: Mapped[str]
    bot: Mapped[str]
    server: Mapped[str]
    channel: Mapped[str]
    thread: Mapped[str | None]
    question: Mapped[str]
    asker: Mapped[str]
    user_id: Mapped[str]
    effort: Mapped[str]
    messages: Mapped[Any]
    hour: Mapped[datetime]
    reserved_tokens: Mapped[int]
    attempts: Mapped[int]
    begun_at: Mapped[datetime]


class RunRow(Base):
    """A run of the bot, and when it last said that it goes on; see runs.py."""

    __tablename__ = "runs"

    run: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]


class ThreadRow(Base):
    """A thread that the bot takes part in."""

    __tablename__ = "threads"

    platform: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    thread: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[str]
    """The message that it joined with."""
    joined_at: Mapped[datetime]


class FeedbackRow(Base):
    """A person's 👍 (1) or 👎 (-1) on an answer."""

    __tablename__ = "feedback"

    platform: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
    """Unique only in its channel: Slack's is a time."""
    user_id: Mapped[str] = mapped_column(primary_key=True)
    vote: Mapped[int]
    created_at: Mapped[datetime]


class AnswersHourRow(Base):
    """The answers of an hour, by server (empty: direct messages) and persona."""

    __tablename__ = "answers_by_hour"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    """Its beginning."""
    platform: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str] = mapped_column(primary_key=True)
    persona: Mapped[str] = mapped_column(primary_key=True)
    answers: Mapped[int]
    failed: Mapped[int]
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    first_texts: Mapped[int]
    first_text_seconds: Mapped[float]
    writing_tokens: Mapped[int]
    writing_seconds: Mapped[float]


class LoadHourRow(Base):
    """How busy the service was in an hour."""

    __tablename__ = "load_by_hour"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    """Its beginning."""
    looks: Mapped[int]
    running: Mapped[int]
    waiting: Mapped[int]
    most_waiting: Mapped[int]
    most_tokens_per_second: Mapped[float]


class ChangeRow(Base):
    """A setting or a persona that was changed, and who did it.

    `platform` is empty for the configuration file.
    """

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    platform: Mapped[str]
    scope_kind: Mapped[ScopeKind] = mapped_column(String)
    scope_id: Mapped[str]
    kind: Mapped[Literal["setting", "persona", "file"]] = mapped_column(String)
    name: Mapped[str]
    before: Mapped[Any | None]
    after: Mapped[Any | None]


class UsageRow(Base):
    """What a person used in an hour."""

    __tablename__ = "usage"

    platform: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    """Its beginning."""
    requests: Mapped[int]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
