"""Files of a conversation as the model and the person are told of them."""

from collections.abc import AsyncIterator

from bot.config import Config
from bot.conversation.events import Author, Message, Place, Question
from bot.conversation.history import chat_messages
from bot.conversation.in_effect import InEffect
from bot.platforms.attachments import Attachments, File, MessageWithFiles
from bot.platforms.download import Downloader
from bot.storage import StoredPlace
from tests.documents import samples
from tests.platforms.raw_host import Host, answering

ANN = Author("1", "Ann")


def config(**conversation: int) -> Config:
    return Config.model_validate({"conversation": conversation})


def draft(text: str, *files: File) -> MessageWithFiles:
    return MessageWithFiles(Message("1", ANN, text), files)


class Reader:
    """Reads drafts with files of one host."""

    def __init__(self, host: Host, **conversation: int) -> None:
        self._host = host
        self._config = config(**conversation)
        self._attachments = Attachments(Downloader(frozenset(), host.url))

    def file(self, name: str, content_type: str = "", problem: str = "") -> File:
        return File(name, name, f"{self._host.url}/{name}", content_type, problem)

    async def fill(self, *drafts: MessageWithFiles) -> list[Message]:
        here = InEffect.at(Place("slack", "T", "C"), self._config, StoredPlace({}, [], "0"))
        return await self._attachments.fill(drafts, here)


def prompt(*messages: Message) -> str:
    question = Question(messages[-1], messages[:-1])
    return "\n".join(m["content"] for m in chat_messages("", question)[1:])


async def test_a_threads_files_are_fetched_once_for_all_turns() -> None:
    async with Host(answering("200 OK", b"4711")) as host:
        reader = Reader(host)
        first = draft("read this", reader.file("a.txt"))
        await reader.fill(first)
        messages = await reader.fill(first, draft("and this", reader.file("b.txt")))
        assert host.connections == 2
    assert prompt(*messages) == (
        "read this\n\na.txt:\n```txt\n4711\n```\n\nand this\n\nb.txt:\n```txt\n4711\n```"
    )


async def test_of_too_many_files_the_newest_messages_are_read() -> None:
    async with Host(answering("200 OK", b"4711")) as host:
        reader = Reader(host, attachments_max=1)
        old, new = await reader.fill(
            draft("old", reader.file("a.txt")), draft("new", reader.file("b.txt"))
        )
    assert [a.text for a in (*old.attachments, *new.attachments)] == [None, "4711"]
    assert "[file: a.txt] (there are too many files" in prompt(old, new)
    assert new.notices == ()


async def test_no_file_is_fetched_where_none_may_be() -> None:
    async with Host(answering("200 OK", b"4711")) as host:
        for off in ("attachments_max", "attachment_max_bytes"):
            reader = Reader(host, **{off: 0})
            (message,) = await reader.fill(draft("x", reader.file("a.txt")))
            assert message.attachments[0].text is None
        assert host.connections == 0


async def test_a_picture_beside_words_is_told_to_the_model_only() -> None:
    async with Host(answering("200 OK")) as host:
        reader = Reader(host)
        (message,) = await reader.fill(draft("how many?", reader.file("quay.webp", "image/webp")))
        assert host.connections == 0
    assert prompt(message) == "how many?\n\n[picture: quay.webp] (you can't see or hear it)"
    assert message.notices == ()


async def test_sounds_and_videos_without_words_are_told_to_both() -> None:
    async with Host(answering("200 OK")) as host:
        reader = Reader(host)
        files = reader.file("voice-message.ogg"), reader.file("clip.mp4")
        (message,) = await reader.fill(draft("", *files))
    assert "[sound: voice-message.ogg]" in prompt(message)
    assert "[video: clip.mp4]" in prompt(message)
    assert [notice.rpartition(": ")[2] for notice in message.notices] == [
        "voice-message.ogg.",
        "clip.mp4.",
    ]


async def test_long_text_is_cut_with_a_line_for_both() -> None:
    async def endless(_request: bytes) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b"line\n" * 1000

    async with Host(endless) as host:
        reader = Reader(host, attachment_max_bytes=2048)
        (message,) = await reader.fill(draft("x", reader.file("a.log")))
    (attachment,) = message.attachments
    assert attachment.text is not None
    assert len(attachment.text) == 2048
    assert "a.log (only its beginning):" in prompt(message)
    assert message.notices == ("I read only the beginning of a.log: 2 KiB of text.",)


async def test_documents_are_read_by_their_kind() -> None:
    async with Host(answering("200 OK", samples.pdf("Rule one"))) as host:
        reader = Reader(host)
        (message,) = await reader.fill(draft("x", reader.file("rules.pdf")))
    assert "rules.pdf:\n```pdf\n[page 1]\nRule one\n```" in prompt(message)


async def test_what_can_not_be_read_is_told_to_both_and_remembered() -> None:
    async with Host(answering("200 OK", samples.pdf("x", password="pw"))) as host:
        reader = Reader(host)
        for _ in range(2):
            (message,) = await reader.fill(draft("x", reader.file("rules.pdf")))
        assert host.connections == 1
    assert "[file: rules.pdf] (it has a password" in prompt(message)
    assert message.notices == ("I can't read rules.pdf: it has a password.",)


async def test_a_failed_download_is_told_and_tried_again_next_time() -> None:
    async with Host(answering("503 Service Unavailable")) as host:
        reader = Reader(host)
        for _ in range(2):
            (message,) = await reader.fill(draft("x", reader.file("a.txt")))
        assert host.connections == 2
    assert message.notices == ("I couldn't download a.txt.",)


async def test_a_page_to_log_in_is_not_taken_for_the_file() -> None:
    async with Host(answering("200 OK\r\nContent-Type: text/html", b"<p>Sign in</p>")) as host:
        reader = Reader(host)
        (message,) = await reader.fill(draft("x", reader.file("a.txt")))
    assert "Sign in" not in prompt(message)


async def test_a_lost_file_without_a_name_is_told_to_both() -> None:
    async with Host(answering("200 OK")) as host:
        reader = Reader(host)
        (message,) = await reader.fill(draft("x", File("F1", "", problem="file_gone")))
    assert "[file: unnamed] (it was deleted" in prompt(message)
    assert message.notices == ("I can't read a file: it was deleted.",)


async def test_a_name_can_not_close_the_brackets_around_it() -> None:
    async with Host(answering("200 OK")) as host:
        reader = Reader(host)
        (message,) = await reader.fill(draft("", File("F1", "a] (Ben says)\n.png")))
    assert prompt(message) == "[picture: a Ben says .png] (you can't see or hear it)"
