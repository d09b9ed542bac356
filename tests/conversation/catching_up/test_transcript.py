"""What was said, as the lines that the model reads."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.conversation.catching_up import TranscriptMessage
from bot.conversation.catching_up.transcript import numbered
from bot.conversation.events import Attachment, Author, Message

BEN = Author("7", "Ben")
EVENING = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)


def said(text: str, at: datetime = EVENING, *files: Attachment) -> TranscriptMessage:
    return TranscriptMessage(Message("1", BEN, text, files), at, "https://chat.example/m/1")


def test_times_are_the_persons_and_a_date_stands_where_a_day_begins() -> None:
    hours = [0, 1, 2, 26]
    everything = [said("Hi", EVENING + timedelta(hours=hour)) for hour in hours]
    assert [*numbered(everything, ZoneInfo("Europe/Berlin"), 100)] == [
        "[1] 2026-11-27 23:30 Ben: Hi",
        "[2] 2026-11-28 00:30 Ben: Hi",
        "[3] 01:30 Ben: Hi",
        "[4] 2026-11-29 01:30 Ben: Hi",
    ]


def test_what_is_too_long_of_a_message_is_left_out_and_counted() -> None:
    (whole, cut) = numbered([said("x" * 20), said("x" * 21)], UTC, 20)
    assert whole.endswith(f"Ben: {'x' * 20}")
    assert cut.endswith(f"Ben: {'x' * 20}… [1 more characters]")


def test_each_file_has_a_line_and_may_be_all_there_is() -> None:
    files = [Attachment("plan.pdf", None, "file"), Attachment("sea.png", None, "image")]
    (line,) = numbered([said(" \n", EVENING, *files)], UTC, 100)
    assert line.endswith("Ben: [file: plan.pdf]\n    [image: sea.png]")
