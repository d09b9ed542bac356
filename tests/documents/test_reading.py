"""What becomes of a file's bytes: text, cut text, or one reason why not."""

import signal
import subprocess
import sys
import zlib
from datetime import datetime
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import psutil
import pytest

from bot.documents.kinds import Kind, kind_of
from bot.documents.problems import FileProblem, UnreadableFile
from bot.documents.reading import Document, _environment, _problem, read_document
from tests.documents import samples
from tests.waiting import HANG_SECONDS

MUCH = 1 << 20


async def text_of(data: bytes, kind: Kind = Kind.TEXT, limit: int = MUCH) -> str:
    return (await read_document(data, kind, limit, seconds=HANG_SECONDS)).text


async def problem_of(
    data: bytes, kind: Kind, *, complete: bool = True, seconds: float = HANG_SECONDS
) -> FileProblem:
    with pytest.raises(UnreadableFile) as raised:
        await read_document(data, kind, MUCH, complete=complete, seconds=seconds)
    return raised.value.problem


# Plain text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("10 €", "cp1252"),
        ("[mooring]\nGebühr = 40 €\n", "cp1252"),
        ("price: 10 €\nprice: 20 €\n", "cp1252"),
        ("“quoted” naïve café ©", "cp1252"),
        ("5 £", "latin-1"),
        ("Größe", "cp1252"),
        ("año nuevo", "latin-1"),
        ("é", "latin-1"),
        ("10 €", "utf-8"),
        ("10 €", "utf-8-sig"),
        ("10 €", "utf-16"),
        ("10 €", "utf-16-le"),
        ("10 €", "utf-16-be"),
        ("läuft seit 41 Tagen\n", "utf-16-le"),
        ("Привет мир", "utf-16-be"),
        ("10 €", "utf-32"),
        ("Это довольно длинный текст на русском языке.", "cp1251"),
        ("Wszyscy ludzie rodzą się wolni i równi, żyją w pokoju", "cp1250"),
        ("Καλημέρα κόσμε, αυτό είναι ένα κείμενο", "cp1253"),
        ("こんにちは世界、これはテストです", "shift_jis"),
        ("你好世界这是一个测试文件。", "gb18030"),
    ],
)
async def test_text_is_read_in_the_encoding_it_was_written_in(text: str, encoding: str) -> None:
    assert await text_of(text.encode(encoding)) == text


async def test_line_ends_of_windows_become_plain_ones() -> None:
    assert await text_of(b"a\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)),
        b"\x7fELF\x02\x01\x01\0\0\0" + b"\x90\xff" * 50,
        bytes(100),
        b"\xff\xd8\0\1",
        b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(range(255, 0, -1)),
        b"\xff\xfe\0\0\0",
    ],
)
async def test_what_is_no_text_is_told_so(data: bytes) -> None:
    assert await problem_of(data, Kind.TEXT) is FileProblem.NOT_TEXT


async def test_an_empty_file_is_an_empty_text() -> None:
    assert await read_document(b"", Kind.TEXT, MUCH) == Document("")


async def test_long_text_is_cut_between_two_characters() -> None:
    document = await read_document("ä€".encode() * 100, Kind.TEXT, 9)
    assert document == Document("ä€ä", cut=True)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-16-le", "shift_jis"])
async def test_the_beginning_of_a_file_is_read_though_it_ends_in_half_a_character(
    encoding: str,
) -> None:
    lines = "Grüße an alle\n" * 20 if encoding != "shift_jis" else "これはテストです\n" * 20
    data = lines.encode(encoding)[:-3]
    document = await read_document(data, Kind.TEXT, MUCH, complete=False)
    assert document.cut
    assert lines.startswith(document.text)
    assert len(document.text) > len(lines) - 20


# Documents


async def test_a_pdf_has_its_pages_named() -> None:
    text = await text_of(samples.pdf("First words", "", "Last words"), Kind.PDF)
    assert text == "[page 1]\nFirst words\n\n[page 3]\nLast words\n\n"


async def test_a_pdf_that_only_its_owner_may_change_is_read() -> None:
    assert "Rules" in await text_of(samples.pdf("Rules", owner="secret"), Kind.PDF)


async def test_a_pdf_with_a_password_is_told_so() -> None:
    assert await problem_of(samples.pdf("x", password="pw"), Kind.PDF) is FileProblem.ENCRYPTED


async def test_a_pdf_of_scanned_pages_is_told_so() -> None:
    assert await problem_of(samples.pdf("", ""), Kind.PDF) is FileProblem.EMPTY


async def test_a_word_document_keeps_the_order_of_text_lists_and_tables() -> None:
    text = await text_of(samples.word(), Kind.WORD)
    assert text.split("\n") == [
        "# Harbour rules",
        "",
        "Berths cost 40 € a night.",
        "",
        "- Lock the gate",
        "Boat | Crew",
        "Petrel | four",
        "",
        "Signed, the harbour master.",
        "",
        "",
    ]


async def test_a_workbook_has_its_sheets_named() -> None:
    data = samples.sheets(
        Costs=[
            ["Item", "Price"],
            ["Paint, red", 10.5],
            [None, None],
            ["When", datetime(2026, 5, 1)],
        ],
        Empty=[],
        Crew=[["Petrel", 4]],
    )
    text = await text_of(data, Kind.SHEETS)
    assert text == (
        '[sheet Costs]\nItem,Price\n"Paint, red",10.5\nWhen,2026-05-01\n\n'
        "[sheet Crew]\nPetrel,4\n\n"
    )


async def test_a_web_page_keeps_its_words_lists_links_and_tables() -> None:
    page = """<html><head><title>Budget</title><style>p {}</style></head><body>
        <script>alert(1)</script><h1>Plan</h1><p>We spend 10 &euro; on <b>paint</b>, see
        <a href="https://example.org/a">the rules</a>.</p><ul><li>One</li><li>Two</li></ul>
        <table><tr><th>Boat</th></tr><tr><td>Petrel</td></tr></table>
        <pre>x = 1\n  y = 2</pre></body></html>"""
    text = await text_of(page.encode(), Kind.WEB_PAGE)
    for shown in (
        "[title] Budget",
        "# Plan",
        "10 € on **paint**",
        "[the rules](https://example.org/a)",
        "* One\n* Two",
        "| Petrel |",
        "x = 1\n  y = 2",
    ):
        assert shown in text
    assert "alert" not in text
    assert "p {}" not in text


async def test_a_web_page_is_read_in_the_encoding_that_it_names() -> None:
    page = "<meta charset='windows-1251'><p>Привет</p>".encode("cp1251")
    assert "Привет" in await text_of(page, Kind.WEB_PAGE)


async def test_a_long_document_is_cut() -> None:
    document = await read_document(
        samples.pdf("word " * 50, "more"), Kind.PDF, 100, seconds=HANG_SECONDS
    )
    assert document.cut
    assert len(document.text) == 100


@pytest.mark.parametrize("kind", [Kind.PDF, Kind.WORD, Kind.SHEETS])
async def test_of_a_document_that_was_not_fetched_whole_nothing_is_read(kind: Kind) -> None:
    assert await problem_of(b"PK", kind, complete=False) is FileProblem.TOO_BIG


# Attacks


@pytest.mark.parametrize("kind", [Kind.PDF, Kind.WORD, Kind.SHEETS])
@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\nPK\x03\x04"])
async def test_a_broken_document_is_told_so(kind: Kind, data: bytes) -> None:
    assert await problem_of(data, kind) in (FileProblem.BROKEN, FileProblem.EMPTY)


@pytest.mark.parametrize("kind", [Kind.WORD, Kind.SHEETS])
async def test_an_archive_that_unpacks_to_too_much_is_refused(kind: Kind) -> None:
    archive = BytesIO()
    with ZipFile(archive, "w", ZIP_DEFLATED) as bomb:
        bomb.writestr("word/document.xml", bytes(200 << 20))
    assert await problem_of(archive.getvalue(), kind) is FileProblem.TOO_BIG


async def test_a_document_with_a_password_is_told_so() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)
    assert await problem_of(data, Kind.WORD) is FileProblem.ENCRYPTED


async def test_entities_that_multiply_are_not_expanded() -> None:
    lol = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    sheet = f'<?xml version="1.0"?>{lol}]><worksheet><sheetData><row><c t="inlineStr"><is><t>'
    sheet += "&i;</t></is></c></row></sheetData></worksheet>"
    packed, whole = BytesIO(), samples.sheets(One=[["x"]])
    with ZipFile(BytesIO(whole)) as old, ZipFile(packed, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            evil = name == "xl/worksheets/sheet1.xml"
            new.writestr(name, sheet if evil else old.read(name))
    assert await problem_of(packed.getvalue(), Kind.SHEETS) is FileProblem.BROKEN


async def test_a_pdf_whose_page_inflates_ends_within_its_memory() -> None:
    data = samples.pdf("x")
    stream = zlib.compress(b"BT (" + bytes(300 << 20) + b") Tj ET")
    plain = b"BT /F1 12 Tf 20 100 Td (x) Tj ET"
    head, _, tail = data.partition(plain)
    head = head.replace(
        f"/Length {len(plain)}".encode(), b"/Filter /FlateDecode /Length %d" % len(stream)
    )
    problem = await problem_of(head + stream + tail, Kind.PDF)
    assert problem in (FileProblem.TOO_BIG, FileProblem.BROKEN, FileProblem.EMPTY)


async def test_a_page_of_deep_tags_is_told_to_be_broken() -> None:
    assert await problem_of(b"<div>" * 50_000 + b"deep", Kind.WEB_PAGE) is FileProblem.BROKEN


async def test_a_file_that_takes_too_long_is_given_up_and_leaves_no_process() -> None:
    assert await problem_of(samples.word(), Kind.WORD, seconds=0.001) is FileProblem.TOO_SLOW
    running = [child.cmdline() for child in psutil.Process().children()]
    assert not [command for command in running if "bot.documents" in command]


def test_a_parser_out_of_cpu_time_ends_by_the_signal_that_says_so() -> None:
    code = "from bot.documents import limits; limits.CPU_SECONDS = 1; limits.set_limits()"
    loop = subprocess.run(
        [sys.executable, "-c", f"{code}\nwhile True: pass"], timeout=300, check=False
    )
    assert loop.returncode == -signal.SIGXCPU
    assert _problem(loop.returncode) is FileProblem.TOO_SLOW


def test_the_parsing_process_is_given_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SLACK_BOT_TOKEN" not in _environment({"SLACK_BOT_TOKEN": "xoxb-1", "PATH": "/bin"})


def test_the_bot_imports_no_parser() -> None:
    parsers = ("bs4", "docx", "lxml", "markdownify", "openpyxl", "pypdf")
    rooms = "bot.app, bot.platforms.discord, bot.platforms.slack"
    code = f"import sys, {rooms}; print([m for m in {parsers} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert result.stdout == "[]\n"


# Kinds


@pytest.mark.parametrize(
    ("name", "content_type", "kind"),
    [
        ("plan.png", "", Kind.PICTURE),
        ("plan", "image/webp", Kind.PICTURE),
        ("voice-message.ogg", "audio/ogg", Kind.SOUND),
        ("clip.mp4", "", Kind.VIDEO),
        ("a.pdf", "", Kind.PDF),
        ("a", "application/pdf", Kind.PDF),
        ("A.DOCX", "application/zip", Kind.WORD),
        ("a.xlsx", "", Kind.SHEETS),
        ("a.htm", "text/html; charset=utf-8", Kind.WEB_PAGE),
        ("main.ts", "video/mp2t", Kind.TEXT),
        ("main.py", "text/x-python; charset=utf-8", Kind.TEXT),
        ("data.csv", "text/csv", Kind.TEXT),
        ("Makefile", "", Kind.TEXT),
        ("a.zip", "application/zip", Kind.FILE),
        ("a.tar.gz", "application/gzip", Kind.FILE),
        ("old.doc", "", Kind.FILE),
        ("slides.pptx", "", Kind.FILE),
    ],
)
def test_the_kind_of_a_file(name: str, content_type: str, kind: Kind) -> None:
    assert kind_of(name, content_type) is kind
