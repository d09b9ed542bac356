"""What the model is shown of messages on Discord: all that people see of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.documents import samples
from tests.doubles.discord import Channel, DiscordDouble, Guild, Message
from tests.doubles.discord.forms import Modal
from tests.platforms.discord.conftest import Running, Scene, ended


@pytest.fixture
async def scene(running: Running) -> AsyncIterator[Scene]:
    """With the message content intent: without it Discord hides what isn't said to the bot."""
    async with running(message_content=True) as scene:
        yield scene


ALERT = {
    "type": "rich",
    "author": {"name": "Tide pager"},
    "title": "Sluice east: no heartbeat",
    "url": "https://status.example.org/sluice-east",
    "description": "Last seen 08:52.",
    "fields": [
        {"name": "Pump", "value": "P-17", "inline": True},
        {"name": "Runbook", "value": "close gate B", "inline": False},
    ],
    "footer": {"text": "severity 2"},
}


def forwarded(content: str = "", **more: Any) -> dict[str, Any]:
    """What Discord has of a message that forwards another."""
    snapshot = {
        "type": 0,
        "content": content,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "timestamp": "2022-03-08T08:40:00+00:00",
        "edited_timestamp": None,
        "flags": 0,
        "components": [],
    }
    reference = {"type": 1, "message_id": "950674233755294358", "channel_id": "921326688669464347"}
    return {"message_snapshots": [{"message": snapshot | more}], "message_reference": reference}


def asked(scene: Scene) -> str:
    """All that the model was shown of the last conversation."""
    return "\n---\n".join(message["content"] for message in scene.inference.prompts[-1][1:])


async def about(scene: Scene, message: Message, text: str = "@bot is that urgent?") -> str:
    await scene.answer_to(scene.ann.say(message.channel, text, reply_to=message))
    return asked(scene)


async def test_a_forwarded_message_is_shown_as_such_before_the_question(scene: Scene) -> None:
    news = scene.ben.say(scene.general, "", extra=forwarded("Ferry 6 stays in port."))
    shown = await about(scene, news)
    assert shown.startswith("[forwarded message]\n> Ferry 6 stays in port.")
    assert shown.endswith("is that urgent?")


async def test_a_forward_beside_a_comment_is_shown_with_it(scene: Scene) -> None:
    await scene.ask("is that so?", extra=forwarded("Ferry 6 stays in port."))
    assert asked(scene) == "[forwarded message]\n> Ferry 6 stays in port.\n\nis that so?"


async def test_a_forward_in_private_needs_no_mention_and_has_its_embeds_and_files(
    scene: Scene,
) -> None:
    picture = {
        "id": "950674275697592977",
        "filename": "probe.jpg",
        "size": 48211,
        "content_type": "image/jpeg",
        "url": "https://files.example.org/probe.jpg",
        "proxy_url": "https://files.example.org/probe.jpg",
    }
    embed = {"type": "rich", "title": "Cold store", "description": "Compressor two is at 11."}
    extra = forwarded(embeds=[embed], attachments=[picture])
    answer = await scene.answer_to(scene.ann.dm("", extra=extra))
    assert asked(scene) == (
        "[forwarded message]\n> Cold store\n> Compressor two is at 11.\n\n"
        "[picture: probe.jpg] (you can't see or hear it)"
    )
    assert "mention" not in answer.text


async def test_another_bots_embed_is_shown_under_its_name_and_never_answered(scene: Scene) -> None:
    pager = scene.guild.app("tide-pager")
    alert = pager.say(scene.general, "@bot", embeds=[ALERT])
    shown = await about(scene, alert)
    for line in (
        "Tide pager",
        "Sluice east: no heartbeat https://status.example.org/sluice-east",
        "Last seen 08:52.",
        "Pump: P-17",
        "Runbook: close gate B",
        "severity 2",
        "(Ann says)",
    ):
        assert line in shown
    assert len(scene.inference.requests) == 1


async def test_a_mention_alone_under_an_embed_is_a_question_about_it(scene: Scene) -> None:
    alert = scene.guild.app("tide-pager").say(scene.general, "", embeds=[ALERT])
    assert "P-17" in await about(scene, alert, "@bot")


async def test_the_message_menu_asks_about_an_embed_too(scene: Scene) -> None:
    alert = scene.guild.app("tide-pager").say(scene.general, "", embeds=[ALERT])
    form = await scene.ann.use(alert, "Ask about this").response
    assert isinstance(form, Modal)
    sent = scene.ann.submit(form, {"Your question": "is that urgent?"})
    await scene.discord.until(lambda: sent.messages and ended(sent.messages[-1]))
    assert "P-17" in asked(scene)


async def test_a_mention_alone_of_an_answer_is_no_request_without_a_question(
    scene: Scene,
) -> None:
    first = await scene.ask("one")
    await about(scene, first, "@bot")
    assert scene.inference.prompts[-1][-1] == {
        "role": "user",
        "content": "[a message without words]",
    }


async def test_a_poll_is_shown_with_its_votes(scene: Scene) -> None:
    poll = {
        "question": {"text": "Which paint?"},
        "answers": [
            {"answer_id": 1, "poll_media": {"text": "Signal red"}},
            {"answer_id": 2, "poll_media": {"text": "Moss green"}},
        ],
        "expiry": "2030-03-09T09:30:00+00:00",
        "allow_multiselect": True,
        "layout_type": 1,
        "results": {
            "is_finalized": False,
            "answer_counts": [{"id": 2, "count": 5, "me_voted": False}],
        },
    }
    shown = await about(scene, scene.ben.say(scene.general, "", extra={"poll": poll}))
    assert "[poll: Which paint?]\n- Signal red: 0 votes\n- Moss green: 5 votes" in shown


async def test_a_sticker_is_shown_by_its_name(scene: Scene) -> None:
    first = await scene.ask("is the slipway free?")
    sticker = {"sticker_items": [{"id": "9", "name": "slow nod", "format_type": 1}]}
    await scene.answer_to(scene.ann.say(scene.general, "", reply_to=first, extra=sticker))
    assert asked(scene).endswith("[sticker: slow nod]")


async def test_the_text_of_components_is_shown(scene: Scene) -> None:
    display = {"type": 10, "content": "Gate motor restarted"}
    button = {"type": 2, "style": 2, "label": "Acknowledge", "custom_id": "ack"}
    container = {"type": 17, "components": [display, {"type": 1, "components": [button]}]}
    jobs = scene.guild.app("jobs")
    post = jobs.say(scene.general, "", extra={"components": [container], "flags": 1 << 15})
    shown = await about(scene, post)
    assert "Gate motor restarted\n[button: Acknowledge]" in shown


@pytest.mark.parametrize(
    ("data", "name", "shown"),
    [
        ("läuft seit 41 Tagen\r\n".encode("utf-16"), "sysinfo.txt", "läuft seit 41 Tagen"),
        ("[mooring]\nGebühr = 40 €\n".encode("cp1252"), "rates.ini", "Gebühr = 40 €"),
        (samples.pdf("Rule one"), "rules.pdf", "[page 1]\nRule one"),
        (samples.sheets(Costs=[["Paint", 10]]), "costs.xlsx", "[sheet Costs]\nPaint,10"),
    ],
)
async def test_files_are_read_as_their_writers_see_them(
    scene: Scene, data: bytes, name: str, shown: str
) -> None:
    answer = await scene.ask("anything odd?", files={name: data})
    assert shown in asked(scene)
    assert "can't read" not in answer.text


async def test_only_the_mention_goes_and_names_stand_for_ids(scene: Scene) -> None:
    scene.guild.role("crew")
    berth = scene.guild.channel("berth")
    text = (
        f"is mail@Bots.example or a@everyone.example right, @Ben, @crew, <#{berth.id}>?"
        " <:otter_wave:947331373469235770> <t:1646731800:F> <@111111111111111111>"
    )
    await scene.ask(text)
    assert asked(scene) == (
        "is mail@Bots.example or a@everyone.example right, @Ben, @crew, #berth?"
        " :otter_wave: 2022-03-08 09:30 UTC @unknown-user"
    )


async def test_a_bot_named_like_a_word_of_an_address_leaves_it_whole(scene: Scene) -> None:
    scene.discord.bot.name = "Robo"
    await scene.answer_to(scene.ann.say(scene.general, "@Robo is mail@Robotics.example right?"))
    assert asked(scene) == "is mail@Robotics.example right?"


async def test_the_message_that_a_reply_in_a_thread_means_is_shown_though_it_is_old(
    running: Running,
) -> None:
    async with running(message_content=True, conversation={"max_messages": 2}) as scene:
        thread = scene.ann.thread(scene.general, "Club evening")
        old = scene.ben.say(thread, "the mast goes to the sailmaker")
        for word in ("later", "fine", "see you"):
            scene.ben.say(thread, word)
        question = scene.ann.say(thread, "@bot put that in one line", reply_to=old)
        await scene.answer_to(question)
        shown = asked(scene)
    assert "[in reply to Ben]\n> the mast goes to the sailmaker\n\nput that in one line" in shown


async def test_a_reply_in_private_to_the_bots_earlier_answer_says_so(scene: Scene) -> None:
    first = await scene.answer_to(scene.ann.dm("one"))
    await scene.answer_to(scene.ann.dm("two"))
    question = scene.ann.dm("and that?", reply_to=first)
    await scene.answer_to(question)
    assert asked(scene).endswith("[in reply to yours]\n> Hello there.\n\nand that?")


async def test_a_forum_posts_title_stands_before_its_first_message_in_every_turn(
    running: Running,
) -> None:
    def always(_: DiscordDouble, guild: Guild, __: Channel) -> dict[str, Any]:
        always.forum = forum = guild.forum("hatch")  # type: ignore[attr-defined]
        channels = {str(forum.id): {"answer": "always"}}
        return {"servers": {str(guild.id): {"channels": channels}}}

    async with running(prepare=always, message_content=True) as scene:
        post = scene.ann.post(always.forum, "Bilge pump runs dry", "what could it be?")  # type: ignore[attr-defined]
        await scene.answer_to(post)
        assert asked(scene) == "[post: Bilge pump runs dry]\n\nwhat could it be?"
        await scene.answer_to(scene.ann.say(post.channel, "and then?"))
        assert asked(scene).startswith("[post: Bilge pump runs dry]\n\nwhat could it be?")


async def test_a_message_that_the_question_links_to_is_shown(scene: Scene) -> None:
    board = scene.guild.channel("board")
    notice = scene.ben.say(board, "Berth nine is closed.")
    link = f"https://discord.com/channels/{scene.guild.id}/{board.id}/{notice.id}"
    await scene.ask(f"is {link} still right?")
    assert asked(scene) == (
        f"[linked message of Ben]\n> Berth nine is closed.\n\nis {link} still right?"
    )


async def test_a_linked_message_that_the_asker_may_not_read_is_not_shown(scene: Scene) -> None:
    board = scene.guild.channel("board")
    notice = scene.ben.say(board, "Berth nine is closed.")
    board.deny("view_channel", to=scene.guild.roles[0])
    board.allow("view_channel", "read_message_history")
    link = f"https://discord.com/channels/{scene.guild.id}/{board.id}/{notice.id}"
    await scene.ask(f"is {link} still right?")
    assert "Berth nine" not in asked(scene)


async def test_another_bots_mention_is_answered_where_that_is_allowed_but_not_in_a_loop(
    running: Running,
) -> None:
    def answering_bots(_: DiscordDouble, guild: Guild, __: Channel) -> dict[str, Any]:
        return {"servers": {str(guild.id): {"answer_bots": "mentions"}}}

    async with running(prepare=answering_bots, message_content=True) as scene:
        pager = scene.guild.app("tide-pager")
        first = await scene.answer_to(pager.say(scene.general, "@bot summarize"))
        pager.say(scene.general, "@bot thanks, and now?", reply_to=first)
        await scene.ask("a person speaks")
        assert len(scene.inference.requests) == 2
        await scene.answer_to(pager.say(scene.general, "@bot and now?"))
