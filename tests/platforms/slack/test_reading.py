"""What the model is shown of messages on Slack: all that people see of them."""

from typing import Any

import pytest

from tests.documents import samples
from tests.doubles.slack import Channel, Message, SlackDouble, Workspace
from tests.doubles.slack.payloads import file_payload
from tests.doubles.slack.state import File
from tests.platforms.slack.conftest import Running, Scene

BOARD = {
    "is_msg_unfurl": True,
    "is_share": True,
    "author_name": "Marlo",
    "text": "Berth nine is closed &amp; dredged.",
    "fallback": "[March 7th, 2022] marlo_v: Berth nine is closed",
    "footer": "Posted in #board",
    "message_blocks": [
        {
            "message": {
                "blocks": [
                    {
                        "type": "rich_text",
                        "elements": [
                            {
                                "type": "rich_text_section",
                                "elements": [
                                    {"type": "text", "text": "Berth nine is closed & dredged."}
                                ],
                            }
                        ],
                    }
                ]
            }
        }
    ],
}
ALERT_BLOCKS = [
    {"type": "header", "text": {"type": "plain_text", "text": "Sluice west does not close"}},
    {
        "type": "section",
        "fields": [
            {"type": "mrkdwn", "text": "*Gauge*\nG-22"},
            {"type": "mrkdwn", "text": "*Level*\n&gt; 4.71 m"},
        ],
    },
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "rule: spring tide"}]},
]
ALERT = {
    "subtype": "bot_message",
    "bot_id": "B05PAGER6JN",
    "username": "Tide pager",
    "user": None,
    "blocks": None,
    "attachments": [{"fallback": "[no preview available]", "blocks": ALERT_BLOCKS}],
}
JOB = {
    "bot_id": "B05JOBS9RTA",
    "app_id": "A05JOBS1YHC",
    "bot_profile": {"id": "B05JOBS9RTA", "name": "Jobs"},
}


def section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}


def text(words: str, **style: bool) -> dict[str, Any]:
    return {"type": "text", "text": words} | ({"style": style} if style else {})


def asked(scene: Scene) -> str:
    """All that the model was shown of the last conversation."""
    return "\n---\n".join(message["content"] for message in scene.last_prompt()[1:])


async def under(scene: Scene, root: Message, question: str = "what comes first?") -> str:
    await scene.ask(question, thread=root)
    return asked(scene)


async def test_a_forwarded_message_is_shown_with_its_author_and_not_twice(scene: Scene) -> None:
    await scene.ask("is this still right?", extra={"attachments": [BOARD]})
    assert asked(scene) == (
        "[forwarded message of Marlo]\n> Berth nine is closed & dredged.\n\nis this still right?"
    )


async def test_a_forward_with_nothing_but_the_mention_is_answered(scene: Scene) -> None:
    await scene.ask("", extra={"attachments": [BOARD]})
    assert "Berth nine" in asked(scene)


async def test_words_that_are_forwarded_are_no_command(scene: Scene) -> None:
    share = BOARD | {"text": "/forget", "message_blocks": []}
    await scene.ask("", extra={"attachments": [share]})
    assert "> /forget" in asked(scene)


async def test_other_apps_posts_are_shown_under_their_names_and_never_answered(
    scene: Scene,
) -> None:
    root = scene.ben.say(scene.general, "@bot", extra=ALERT)
    scene.ben.say(scene.general, "@bot Gate motor restarted by job 3307", thread=root, extra=JOB)
    shown = await under(scene, root)
    assert shown == (
        "(Tide pager says)\n"
        "Sluice west does not close\n\n*Gauge*\nG-22\n*Level*\n> 4.71 m\n\nrule: spring tide\n\n"
        "(Jobs says)\nGate motor restarted by job 3307\n\n(Ann says)\nwhat comes first?"
    )
    assert len(scene.inference.requests) == 1


async def test_a_message_of_blocks_only_keeps_lists_links_code_and_tables(scene: Scene) -> None:
    link = {"type": "link", "url": "https://rules.example/start", "text": "the start rules"}
    first = {"type": "rich_text_list", "style": "ordered", "indent": 0}
    inner = {"type": "rich_text_list", "style": "bullet", "indent": 1}
    rich = [
        section(text("Before the race: "), {"type": "user", "user_id": scene.ann.id}),
        first | {"elements": [section(text("grease the winch", bold=True))]},
        inner | {"elements": [section(text("both drums"))]},
        first | {"elements": [section(text("read "), link)], "offset": 1},
        {"type": "rich_text_preformatted", "elements": [text("flags: P < X")]},
        {"type": "rich_text_quote", "elements": [text("wind & tide")]},
    ]
    table = {
        "type": "table",
        "rows": [
            [{"type": "raw_text", "text": "Boat"}, {"type": "raw_text", "text": "Crew"}],
            [
                {"type": "raw_text", "text": "Petrel"},
                {"type": "rich_text", "elements": [section(text("four"))]},
            ],
        ],
    }
    blocks = [{"type": "rich_text", "elements": rich}, table]
    root = scene.ben.say(scene.general, "", extra={"blocks": blocks})
    shown = await under(scene, root)
    assert shown.startswith(
        "Before the race: @Ann\n1. *grease the winch*\n    - both drums\n"
        "2. read the start rules (https://rules.example/start)\n"
        "```\nflags: P < X\n```\n> wind & tide\n\n"
        "| Boat | Crew |\n| --- | --- |\n| Petrel | four |"
    )


async def test_what_stands_in_text_and_blocks_is_shown_once(scene: Scene) -> None:
    await scene.ask("who is on Petrel & Gull?")
    assert asked(scene) == "who is on Petrel & Gull?"


async def test_only_the_mention_goes_and_names_stand_for_ids(running: Running) -> None:
    async with running() as scene:
        scene.team.group("crew", scene.ann)
        scene.team.bot.name = "Robo"
        question = scene.ann.say(
            scene.general, "@Robo is mail@Robotics.example right, @Ben and @crew? :wave: @here"
        )
        await scene.answer_to(question)
        group = scene.team.groups[0].id
        assert asked(scene) in (
            f"is mail@Robotics.example right, @Ben and @{name}? :wave: @here"
            for name in ("crew", group)
        )


async def test_a_legacy_attachment_is_shown_with_its_fields(scene: Scene) -> None:
    attachment = {
        "pretext": "Build failed",
        "author_name": "ci",
        "title": "main #412",
        "title_link": "https://ci.example/412",
        "text": "3 tests failed",
        "fields": [{"title": "Branch", "value": "main"}],
        "footer": "took 4 min",
        "fallback": "Build failed: main #412",
    }
    root = scene.ben.say(scene.general, "", extra=ALERT | {"attachments": [attachment]})
    shown = await under(scene, root)
    assert shown.startswith(
        "(Tide pager says)\n"
        "Build failed\nci\nmain #412 (https://ci.example/412)\n3 tests failed\nBranch: main\n"
        "took 4 min"
    )


async def test_a_person_whom_slack_does_not_tell_of_gets_an_answer_and_a_stand_in(
    scene: Scene,
) -> None:
    scene.slack.fail("users.info", "user_not_visible", times=None)
    await scene.ask("and is @Ben right?")
    assert f"@{scene.ben.id}" in asked(scene)


async def test_a_moderators_group_that_can_not_be_read_costs_no_answer(running: Running) -> None:
    async with running(slack={"moderator_groups": ["S0NOSUCH"]}) as scene:
        assert "Hello there." in (await scene.ask("hi")).text


async def test_the_message_that_a_long_thread_is_about_stays(running: Running) -> None:
    async with running(conversation={"max_messages": 2}) as scene:
        root = scene.ben.say(scene.general, "the mast goes to the sailmaker")
        for word in ("later", "fine", "see you"):
            scene.ben.say(scene.general, word, thread=root)
        shown = await under(scene, root)
    assert shown.startswith("the mast goes to the sailmaker\n\nsee you")


# Other apps

JOBS_ASK = "@bot summarize the alert"


def answering_bots(_: SlackDouble, team: Workspace, __: Channel) -> dict[str, Any]:
    return {"servers": {team.id: {"answer_bots": "mentions"}}}


async def test_another_apps_mention_is_answered_where_that_is_allowed_but_not_in_a_loop(
    running: Running,
) -> None:
    async with running(prepare=answering_bots) as scene:
        jobs = scene.team.member("Jobs")
        first = jobs.say(scene.general, JOBS_ASK, extra=JOB)
        await scene.answer_to(first)
        jobs.say(scene.general, "@bot thanks, and now?", thread=first, extra=JOB)
        await scene.ask("a person speaks", thread=first)
        assert len(scene.inference.requests) == 2
        again = jobs.say(scene.general, "@bot and now?", thread=first, extra=JOB)
        await scene.answer_to(again)


# Files


async def test_a_file_known_by_its_id_is_asked_for(scene: Scene) -> None:
    told = {"mode": "file_access", "file_access": "check_file_info"}
    file = File("soundings.csv", b"buoy;depth\nB4;2.6\n", scene.team, told=told)
    answer = await scene.ask("where is it shallow?", files=[file])
    assert "buoy;depth\nB4;2.6" in asked(scene)
    assert "couldn't download" not in answer.text


@pytest.mark.parametrize("error", ["file_not_found", "not_visible", "missing_scope"])
async def test_a_file_that_slack_does_not_tell_of_costs_a_line_but_no_answer(
    scene: Scene, error: str
) -> None:
    scene.slack.fail("files.info", error, times=None)
    told = {"mode": "file_access", "file_access": "check_file_info"}
    answer = await scene.ask("what?", files=[File("a.csv", b"x", scene.team, told=told)])
    assert "I couldn't download a file." in answer.text
    assert "[file: unnamed] (it couldn't be fetched)" in asked(scene)
    assert scene.general.status(answer) == ""


async def test_files_of_the_thread_that_are_gone_are_told_to_the_model(scene: Scene) -> None:
    files = [
        File("a", b"", scene.team, told={"mode": "hidden_by_limit"}),
        File("b", b"", scene.team, told={"mode": "tombstone"}),
    ]
    root = scene.ben.say(scene.general, "both charts are in here", files=files)
    shown = await under(scene, root, "which one is newer?")
    assert shown.count("[file: unnamed] (it ") == 2


async def test_a_deleted_file_beside_a_question_is_a_line_to_the_person(scene: Scene) -> None:
    gone = File("a", b"", scene.team, told={"mode": "tombstone"})
    answer = await scene.ask("which one is newer?", files=[gone])
    assert "I can't read a file: it was deleted." in answer.text


async def test_a_file_kept_elsewhere_is_told_and_not_asked_for(scene: Scene) -> None:
    told = {
        "name": "crane-plan.txt",
        "mode": "external",
        "is_external": True,
        "size": 0,
        "url_private": f"{scene.slack.url}/files-pri/T-F/crane-plan.txt",
    }
    answer = await scene.ask("the crane?", files=[File("x", b"secret", scene.team, told=told)])
    assert "I can't read crane-plan.txt: it is kept on another site." in answer.text
    assert "[file: crane-plan.txt] (it is kept on another site" in asked(scene)


async def test_a_canvas_is_shown_by_its_title(scene: Scene) -> None:
    told = {"title": "Season plan", "mode": "quip", "filetype": "quip", "url_private": "x"}
    await scene.ask("and now?", files=[File("x", b"", scene.team, told=told)])
    assert "[file: Season plan] (it is a canvas" in asked(scene)


async def test_a_forwarded_messages_files_are_read(scene: Scene) -> None:
    file = scene.slack.add_file(File("rules.pdf", samples.pdf("Rule one"), scene.team))
    share = BOARD | {"files": [file_payload(file)]}
    await scene.ask("which?", extra={"attachments": [share]})
    assert "[page 1]\nRule one" in asked(scene)


async def test_a_threads_files_are_fetched_once_for_all_turns(scene: Scene) -> None:
    root = scene.ann.say(scene.general, "@bot read", files={"notes.txt": b"The code is 4711."})
    await scene.answer_to(root)
    fetched = scene.slack.fetched
    await under(scene, root, "again")
    assert "4711" in asked(scene)
    assert scene.slack.fetched == fetched == 1


async def test_a_picture_is_told_to_the_model_and_alone_to_the_person_too(scene: Scene) -> None:
    answer = await scene.ask("how many?", files={"quay.png": b"\x89PNG\r\n\x1a\n\0"})
    assert "[picture: quay.png]" in asked(scene)
    assert "quay.png" not in answer.text
    question = scene.ann.dm("", files={"quay.png": b"\x89PNG\r\n\x1a\n\0"})
    answer = await scene.answer_to(question)
    assert "quay.png" in answer.text
