"""The real slack_sdk and slack-bolt against the double: what it says is what they understand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.models.messages.chunk import TaskUpdateChunk
from slack_sdk.oauth.installation_store import FileInstallationStore
from slack_sdk.oauth.state_store import FileOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from tests.doubles.slack import Channel, Interaction, Message, Person, SlackDouble, View, Workspace
from tests.waiting import HANG_SECONDS

BUTTONS = {
    "type": "actions",
    "elements": [
        {
            "type": "button",
            "action_id": "stop",
            "value": "7",
            "text": {"type": "plain_text", "text": "Stop"},
        }
    ],
}
FEEDBACK = {
    "type": "context_actions",
    "elements": [
        {
            "type": "feedback_buttons",
            "action_id": "feedback",
            "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "up"},
            "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "down"},
        }
    ],
}
FORM = {
    "type": "modal",
    "callback_id": "persona",
    "title": {"type": "plain_text", "text": "Persona"},
    "submit": {"type": "plain_text", "text": "Save"},
    "blocks": [
        {
            "type": "input",
            "block_id": "prompt",
            "label": {"type": "plain_text", "text": "Prompt"},
            "element": {"type": "plain_text_input", "action_id": "text", "initial_value": "Hi"},
        },
        {
            "type": "input",
            "block_id": "effort",
            "label": {"type": "plain_text", "text": "Effort"},
            "element": {
                "type": "static_select",
                "action_id": "level",
                "options": [
                    {"text": {"type": "plain_text", "text": e}, "value": e} for e in ("low", "high")
                ],
            },
        },
    ],
}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


class Scene:
    """A workspace with a channel and a person in it, and a client with its token."""

    def __init__(self, double: SlackDouble) -> None:
        self.slack = double
        self.team: Workspace = double.workspace("Home")
        self.general: Channel = self.team.channel("general")
        self.ann: Person = self.team.member("Ann")
        self.client = AsyncWebClient(token=double.bot_token, base_url=double.api_url)
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def app(self) -> AsyncApp:
        """A Bolt app that keeps what it hears."""
        app = AsyncApp(client=self.client, signing_secret=self.slack.signing_secret)
        self.listen(app)
        return app

    def listen(self, app: AsyncApp) -> None:
        async def keep(body: dict[str, Any]) -> None:
            self.heard.put_nowait(body)

        for name in ("message", "app_mention", "app_home_opened", "agent_session_stopped"):
            app.event(name)(keep)
        app.event("reaction_added")(keep)

    async def hears(self, kind: str = "") -> dict[str, Any]:
        """The next event of this type that the app hears."""
        while True:
            event = (await asyncio.wait_for(self.heard.get(), HANG_SECONDS))["event"]
            if kind in ("", event.get("subtype"), event["type"]):
                return event

    @asynccontextmanager
    async def connected(self, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
        handler = AsyncSocketModeHandler(app, self.slack.app_token, ping_interval=0.2)
        await handler.connect_async()
        try:
            await self.slack.connected()
            yield handler
        finally:
            await handler.close_async()

    @asynccontextmanager
    async def listening(self, app: AsyncApp) -> AsyncIterator[str]:
        """Serve the app; its address."""
        runner = web.AppRunner(app.server(port=1, path="/slack/events").web_app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self.slack.deliver_to(f"{address}/slack/events")
        try:
            await self.slack.connected()
            yield address
        finally:
            await runner.cleanup()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with SlackDouble().running() as double:
        double.acknowledge_within = double.trigger_life = HANG_SECONDS
        yield Scene(double)


@pytest.fixture(params=["socket", "http"])
async def app(request: pytest.FixtureRequest, scene: Scene) -> AsyncIterator[AsyncApp]:
    """An app that is reached in each of the two ways."""
    app = scene.app()
    reach = scene.connected if request.param == "socket" else scene.listening
    async with reach(app):
        yield app


@pytest.fixture
async def socket(scene: Scene) -> AsyncIterator[AsyncSocketModeHandler]:
    async with scene.connected(scene.app()) as handler:
        yield handler


async def refusal(work: Any) -> str:
    with pytest.raises(SlackApiError) as error:
        await work
    return error.value.response["error"]


# Events


async def test_a_mention_comes_as_two_events_with_one_ts(scene: Scene, app: AsyncApp) -> None:
    question = scene.ann.say(scene.general, "@bot a < b & #general")
    events = [await scene.hears(), await scene.hears()]
    assert {event["type"] for event in events} == {"message", "app_mention"}
    assert {event["ts"] for event in events} == {question.ts}
    text = f"{scene.team.bot.mention} a &lt; b &amp; <#{scene.general.id}|>"
    assert {event["text"] for event in events} == {text}
    assert question.text == "@bot a < b & #general"


async def test_threads_direct_messages_and_private_channels_are_told_apart(
    scene: Scene, app: AsyncApp
) -> None:
    root = scene.ann.say(scene.general, "one")
    assert "thread_ts" not in await scene.hears()
    scene.ann.say(scene.general, "two", thread=root)
    assert (await scene.hears())["thread_ts"] == root.ts
    scene.ann.dm("three")
    assert (await scene.hears())["channel_type"] == "im"
    scene.ann.say(scene.team.channel("secret", private=True), "four")
    assert (await scene.hears())["channel_type"] == "group"


async def test_edits_deletions_and_reactions_are_heard(scene: Scene, app: AsyncApp) -> None:
    scene.slack.app.events.add("reaction_added")
    scene.slack.installed(scene.team).scopes.add("reactions:read")
    question = scene.ann.say(scene.general, "hi")
    await scene.hears()
    scene.ann.edit(question, "bye")
    changed = await scene.hears("message_changed")
    assert (changed["previous_message"]["text"], changed["message"]["text"]) == ("hi", "bye")
    assert changed["message"]["edited"]["user"] == scene.ann.id
    scene.slack.unfurl(question)
    unfurled = await scene.hears("message_changed")
    assert unfurled["message"]["edited"] == changed["message"]["edited"]
    scene.ann.react(question, "eyes")
    assert (await scene.hears("reaction_added"))["item"]["ts"] == question.ts
    scene.ann.delete(question)
    assert (await scene.hears("message_deleted"))["deleted_ts"] == question.ts


async def test_a_deleted_question_with_replies_leaves_a_tombstone(
    scene: Scene, app: AsyncApp
) -> None:
    question = scene.ann.say(scene.general, "hi")
    scene.ann.say(scene.general, "more", thread=question)
    scene.ann.delete(question)
    assert (await scene.hears("message_changed"))["message"]["subtype"] == "tombstone"


async def test_what_is_not_subscribed_to_or_lacks_its_scope_is_not_heard(
    scene: Scene, app: AsyncApp
) -> None:
    scene.slack.app.events.remove("message.channels")
    scene.slack.installed(scene.team).scopes.remove("im:history")
    scene.ann.dm("not heard")
    scene.ann.say(scene.team.channel("away", has_bot=False), "@bot not heard")
    scene.ann.say(scene.general, "not heard")
    scene.ann.say(scene.general, "@bot heard")
    assert (await scene.hears())["type"] == "app_mention"
    assert len(scene.slack.delivery.events) == 1


async def test_home_and_agent_pane_are_opened(scene: Scene, app: AsyncApp) -> None:
    scene.ann.open_home()
    assert (await scene.hears())["tab"] == "home"
    pane = scene.ann.open_agent_pane()
    opened = await scene.hears()
    assert (opened["tab"], opened["channel"]) == ("messages", pane.id)
    prompts = [{"title": "Explain", "message": "Explain recursion."}]
    await scene.client.assistant_threads_setSuggestedPrompts(channel_id=pane.id, prompts=prompts)
    assert pane.prompts == prompts
    question = scene.ann.dm("hi")
    await scene.client.assistant_threads_setTitle(
        channel_id=pane.id, thread_ts=question.ts, title="Greeting"
    )
    assert pane.titles[question.ts] == "Greeting"


async def test_every_tenth_event_comes_twice_when_so_wished(scene: Scene, app: AsyncApp) -> None:
    scene.slack.repeat_every = 2
    for n in range(4):
        scene.ann.say(scene.general, str(n))
    await scene.slack.until(lambda: scene.slack.delivery.settled)
    assert [event.attempts for event in scene.slack.delivery.events] == [1, 2, 1, 2]
    assert scene.heard.qsize() == 6


# Socket Mode


async def test_an_event_that_is_not_acknowledged_comes_again(scene: Scene) -> None:
    scene.slack.acknowledge_within, scene.slack.retry_after = 0.2, [0.0, 0.0]
    envelopes: list[dict[str, Any]] = []
    ticket = (await scene.client.apps_connections_open(app_token=scene.slack.app_token))["url"]
    async with aiohttp.ClientSession() as session, session.ws_connect(ticket) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        scene.ann.say(scene.general, "hi")
        envelopes += [await socket.receive_json(), await socket.receive_json()]
        await socket.send_json({"envelope_id": envelopes[1]["envelope_id"]})
        await scene.slack.until(lambda: scene.slack.delivery.settled)
    assert [e["retry_attempt"] for e in envelopes] == [0, 1]
    assert envelopes[1]["retry_reason"] == "timeout"
    assert len({e["payload"]["event_id"] for e in envelopes}) == 1
    assert scene.slack.delivery.events[0].acknowledged


async def test_after_a_dropped_socket_the_client_connects_again_and_hears(
    scene: Scene, socket: AsyncSocketModeHandler
) -> None:
    scene.slack.socket.drop()
    scene.ann.say(scene.general, "still there?")
    assert (await scene.hears())["text"] == "still there?"
    assert scene.slack.socket.opened == 2


async def test_a_client_that_is_asked_to_reconnect_does(
    scene: Scene, socket: AsyncSocketModeHandler
) -> None:
    scene.slack.socket.ask_to_reconnect()
    await scene.slack.until(lambda: scene.slack.socket.opened == 2)
    scene.ann.say(scene.general, "hi")
    await scene.hears()


async def test_each_event_goes_to_one_of_several_connections(
    scene: Scene, socket: AsyncSocketModeHandler
) -> None:
    async with scene.connected(scene.app()):
        for n in range(4):
            scene.ann.say(scene.general, str(n))
        await scene.slack.until(lambda: scene.slack.delivery.settled)
        assert len(scene.slack.socket.connections) == 2
    assert scene.heard.qsize() == 4


async def test_a_ticket_is_good_once_and_ten_connections_are_the_most(scene: Scene) -> None:
    sockets = []
    async with aiohttp.ClientSession() as session:
        for _ in range(10):
            sockets.append(await session.ws_connect(scene.slack.socket.ticket()))
        ticket = scene.slack.socket.ticket()
        surplus = await session.ws_connect(ticket)
        assert (await surplus.receive_json())["reason"] == "too_many_websockets"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(ticket)


# HTTP


@pytest.mark.parametrize(
    "fraud", ["wrong secret", "changed body", "stale", "no signature", "no timestamp"]
)
async def test_bolt_refuses_what_slack_did_not_sign(scene: Scene, fraud: Any) -> None:
    async with scene.listening(scene.app()):
        assert await scene.slack.forge("", scene.ann, scene.general, "@bot hi") == 200
        await scene.hears()
        assert await scene.slack.forge(fraud, scene.ann, scene.general, "@bot hi") == 401
    assert scene.heard.empty()


async def test_a_refused_or_slow_delivery_is_retried_with_its_reason(scene: Scene) -> None:
    scene.slack.acknowledge_within, scene.slack.retry_after = 0.3, [0.0, 0.0, 0.0]
    retries: list[tuple[str | None, str | None]] = []
    never = asyncio.Event()

    async def receive(request: web.Request) -> web.Response:
        headers = request.headers
        retries.append((headers.get("X-Slack-Retry-Num"), headers.get("X-Slack-Retry-Reason")))
        if len(retries) == 1:
            raise web.HTTPInternalServerError
        if len(retries) == 2:
            await never.wait()
        return web.Response()

    application = web.Application()
    application.router.add_post("/", receive)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    scene.slack.deliver_to(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    scene.ann.say(scene.general, "hi")
    await scene.slack.until(lambda: scene.slack.delivery.settled)
    await runner.cleanup()
    assert retries == [(None, None), ("1", "http_error"), ("2", "http_timeout")]


async def test_an_app_that_nobody_serves_is_given_up_after_the_last_retry(scene: Scene) -> None:
    scene.slack.retry_after = [0.0]
    scene.slack.deliver_to("http://127.0.0.1:9/")
    scene.ann.say(scene.general, "hi")
    await scene.slack.until(lambda: scene.slack.delivery.settled)
    [event] = scene.slack.delivery.events
    assert (event.attempts, event.acknowledged) == (2, False)


# Messages


async def test_the_bots_messages_keep_their_versions_and_threads(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    sent = await scene.client.chat_postMessage(
        channel=scene.general.id, thread_ts=question.ts, text="one"
    )
    answer = await scene.general.next_message()
    assert answer.thread is question
    assert sent["message"]["bot_id"] == scene.team.bot_id
    await scene.client.chat_update(
        channel=scene.general.id, ts=sent["ts"], text="two", blocks=[section("three")]
    )
    assert [edit.text for edit in answer.edits] == ["one", "three"]
    assert answer.raw == "two"
    await scene.client.chat_update(channel=scene.general.id, ts=sent["ts"], text="four")
    assert answer.text == "four"
    await scene.client.chat_delete(channel=scene.general.id, ts=sent["ts"])
    assert answer.deleted
    assert question.replies == []


async def test_only_the_asker_sees_an_ephemeral_message(scene: Scene) -> None:
    await scene.client.chat_postEphemeral(
        channel=scene.general.id, user=scene.ann.id, text="psst", blocks=[BUTTONS]
    )
    [message] = scene.ann.ephemerals
    assert message.buttons == ["Stop"]
    assert scene.general.messages == []


@pytest.mark.parametrize(
    ("said", "pinged"),
    [
        ({"text": "<!channel> <@{ann}> <!subteam^{mods}>"}, {"@channel", "Ann", "@mods"}),
        ({"text": "&lt;!channel&gt; @channel @Ann"}, set()),
        ({"text": "@here @Ann", "link_names": True}, {"@here", "Ann"}),
        ({"markdown_text": "<!everyone>"}, {"@everyone"}),
        ({"text": "x", "blocks": [section("<@{ann}>")]}, {"Ann"}),
        (
            {
                "text": "x",
                "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "<@{ann}>"}}],
            },
            set(),
        ),
    ],
)
async def test_who_is_pinged_is_what_slack_parses(
    scene: Scene, said: dict[str, Any], pinged: set[str]
) -> None:
    mods = scene.team.group("mods", scene.ann)

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{ann}", scene.ann.id).replace("{mods}", mods.id)
        if isinstance(value, list):
            return [fill(part) for part in value]
        return {k: fill(v) for k, v in value.items()} if isinstance(value, dict) else value

    await scene.client.chat_postMessage(channel=scene.general.id, **fill(said))
    [message] = scene.general.messages
    assert message.pings == pinged


async def test_a_long_text_is_cut_off_and_a_long_update_refused(scene: Scene) -> None:
    sent = await scene.client.chat_postMessage(channel=scene.general.id, text="x" * 40_001)
    [message] = scene.general.messages
    assert len(message.raw) == 40_000
    assert sent["warning"] == "message_truncated"
    update = scene.client.chat_update(channel=scene.general.id, ts=sent["ts"], text="x" * 4001)
    assert await refusal(update) == "msg_too_long"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({}, "no_text"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"markdown_text": "x", "text": "y"}, "markdown_text_conflict"),
        ({"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "made_up"}]}, "invalid_blocks"),
        ({"blocks": [section("x" * 2800)] * 4}, "msg_blocks_too_long"),
        ({"blocks": [{"type": "table", "rows": [[]] * 101}]}, "invalid_blocks"),
        ({"blocks": [{"type": "table", "rows": [[{}] * 21]}]}, "invalid_blocks"),
        ({"blocks": [{"type": "actions", "elements": BUTTONS["elements"] * 2}]}, "invalid_blocks"),
        ({"thread_ts": "1.000001", "text": "x"}, "thread_not_found"),
    ],
)
async def test_a_message_that_breaks_the_rules_is_refused(
    scene: Scene, said: dict[str, Any], error: str
) -> None:
    sent = scene.client.api_call("chat.postMessage", json={"channel": scene.general.id} | said)
    assert await refusal(sent) == error
    assert scene.general.messages == []


async def test_only_own_messages_in_own_channels_can_be_written(scene: Scene) -> None:
    asked = scene.ann.say(scene.general, "hi")
    away = scene.team.channel("away", has_bot=False)
    secret = scene.team.channel("secret", private=True, has_bot=False)
    post, update = scene.client.chat_postMessage, scene.client.chat_update
    assert await refusal(update(channel=scene.general.id, ts=asked.ts, text="x")) == (
        "cant_update_message"
    )
    assert await refusal(update(channel=scene.general.id, ts="1.1", text="x")) == (
        "message_not_found"
    )
    assert await refusal(post(channel=away.id, text="x")) == "not_in_channel"
    assert await refusal(post(channel=secret.id, text="x")) == "channel_not_found"
    assert await refusal(post(channel="C404", text="x")) == "channel_not_found"
    scene.general.archived = True
    assert await refusal(post(channel=scene.general.id, text="x")) == "is_archived"


# Reading


async def test_a_thread_is_read_in_pages(scene: Scene) -> None:
    root = scene.ann.say(scene.general, "root")
    said = [scene.ann.say(scene.general, str(n), thread=root) for n in range(5)]
    seen: dict[str, str] = {}
    cursor, pages = "", 0
    while pages == 0 or cursor:
        page = await scene.client.conversations_replies(
            channel=scene.general.id, ts=root.ts, limit=2, cursor=cursor
        )
        seen |= {m["ts"]: m["text"] for m in page["messages"]}
        cursor, pages = page.get("response_metadata", {}).get("next_cursor", ""), pages + 1
    assert list(seen) == [m.ts for m in (root, *said)]
    assert pages == 3
    newer = await scene.client.conversations_replies(
        channel=scene.general.id, ts=root.ts, oldest=said[3].ts
    )
    assert [m["text"] for m in newer["messages"]] == ["root", "4"]
    lost = scene.client.conversations_replies(channel=scene.general.id, ts="1.1")
    assert await refusal(lost) == "thread_not_found"


async def test_history_has_no_replies_and_comes_newest_first(scene: Scene) -> None:
    first = scene.ann.say(scene.general, "one")
    scene.ann.say(scene.general, "in the thread", thread=first)
    scene.ann.say(scene.general, "two")
    page = await scene.client.conversations_history(channel=scene.general.id)
    assert [m["text"] for m in page["messages"]] == ["two", "one"]
    assert page["messages"][1]["reply_count"] == 1


async def test_a_file_is_for_who_has_token_and_scope(scene: Scene) -> None:
    asked = scene.ann.say(scene.general, "read this", files={"a.py": b"x = 1\n"})
    info = await scene.client.files_info(file=asked.files[0].id)
    url = info["file"]["url_private_download"]
    bearer = {"Authorization": f"Bearer {scene.slack.bot_token}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers=bearer) as response:
            assert await response.read() == b"x = 1\n"
        async with session.get(url) as response:
            assert (response.status, response.content_type) == (200, "text/html")
        scene.slack.installed(scene.team).scopes.remove("files:read")
        async with session.get(url, headers=bearer) as response:
            assert response.content_type == "text/html"


async def test_people_groups_and_channels_are_looked_up(scene: Scene) -> None:
    bob = scene.team.member("Bob", admin=True)
    group = scene.team.group("mods", bob)
    info = (await scene.client.users_info(user=bob.id))["user"]
    assert (info["profile"]["display_name"], info["is_admin"]) == ("Bob", True)
    scopes = scene.slack.installed(scene.team).scopes
    scopes -= {"channels:read"}
    assert await refusal(scene.client.conversations_info(channel=scene.general.id)) == (
        "missing_scope"
    )
    scopes |= {"usergroups:read", "channels:read"}
    listed = await scene.client.usergroups_users_list(usergroup=group.id)
    assert listed["users"] == [bob.id]
    channel = (await scene.client.conversations_info(channel=scene.general.id))["channel"]
    assert (channel["name"], channel["is_member"]) == ("general", True)
    opened = await scene.client.conversations_open(users=bob.id)
    assert opened["channel"]["id"] == bob.dms.id


# Streams and agents


async def stream(scene: Scene, question: Message, **options: Any) -> Any:
    return await scene.client.chat_stream(
        channel=question.channel.id,
        thread_ts=question.ts,
        recipient_team_id=scene.team.id,
        recipient_user_id=scene.ann.id,
        **options,
    )


async def test_a_stream_grows_with_tasks_and_ends_with_blocks(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    streamer = await stream(scene, question, buffer_size=1)
    await streamer.append(
        chunks=[TaskUpdateChunk(id="1", title="Thinking", status="in_progress", details="hm")]
    )
    await streamer.append(markdown_text="**Hel")
    answer = await scene.general.next_message()
    assert answer.streaming
    assert answer.thread is question
    await streamer.append(
        markdown_text="lo** <!here>",
        chunks=[TaskUpdateChunk(id="1", title="Thinking", status="complete")],
    )
    await streamer.stop(markdown_text="!", blocks=[BUTTONS, FEEDBACK])
    assert not answer.streaming
    assert answer.markdown == "**Hello** <!here>!"
    assert answer.tasks["1"]["status"] == "complete"
    assert answer.tasks["1"]["details"] == "hm"
    assert answer.buttons == ["Stop", "Good", "Bad"]
    assert answer.pings == {"@here"}
    ended = scene.client.chat_appendStream(
        channel=scene.general.id, ts=answer.ts, markdown_text="late"
    )
    assert await refusal(ended) == "message_not_in_streaming_state"


async def test_slack_ends_a_stream_that_is_too_old_and_it_can_be_updated(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    streamer = await stream(scene, question, buffer_size=1)
    await streamer.append(markdown_text="one")
    update = scene.client.chat_update
    assert await refusal(update(channel=scene.general.id, ts=streamer.ts, text="x")) == (
        "streaming_state_conflict"
    )
    scene.slack.stream_life = 0
    assert await refusal(streamer.append(markdown_text="two")) == "message_not_in_streaming_state"
    assert await refusal(streamer.stop()) == "message_not_in_streaming_state"
    await update(channel=scene.general.id, ts=streamer.ts, text="one two")
    assert (await scene.general.next_message()).text == "one two"


async def test_a_stream_needs_its_recipient_in_a_channel_and_a_thread_in_private(
    scene: Scene,
) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    start = scene.client.chat_startStream
    assert await refusal(start(channel=scene.general.id, thread_ts=question.ts)) == (
        "missing_recipient_team_id"
    )
    private = scene.ann.dm("hi")
    await start(channel=private.channel.id, thread_ts=private.ts)
    lost = start(channel=private.channel.id, thread_ts="1.1")
    assert await refusal(lost) == "invalid_thread_ts"


async def test_streams_refuse_bad_chunks_and_can_be_refused_themselves(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    streamer = await stream(scene, question)
    bad = [{"type": "task_update", "id": "1", "title": "x", "status": "made up"}]
    assert await refusal(streamer.append(chunks=bad)) == "invalid_chunks"
    too_long = [{"type": "markdown_text", "text": "x" * 12_001}]
    assert await refusal(streamer.append(chunks=too_long)) == "msg_too_long"
    scene.slack.fail("chat.startStream", "missing_scope", needed="chat:write", times=None)
    for _ in range(2):
        assert await refusal(streamer.append(chunks=[])) == "missing_scope"


async def test_a_status_is_cleared_by_an_answer_and_lapses(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot hi")

    async def set_status(status: str) -> None:
        await scene.client.assistant_threads_setStatus(
            channel_id=scene.general.id, thread_ts=question.ts, status=status
        )

    await set_status("is thinking…")
    assert scene.general.status(question) == "is thinking…"
    await set_status("")
    assert scene.general.status(question) == ""
    await set_status("is thinking…")
    await scene.client.chat_postMessage(
        channel=scene.general.id, thread_ts=question.ts, text="done"
    )
    assert scene.general.status(question) == ""
    await set_status("is thinking…")
    scene.slack.status_life = 0
    assert scene.general.status(question) == ""


async def test_the_native_stop_ends_streams_and_leaves_the_session_to_the_app(
    scene: Scene, app: AsyncApp
) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    with pytest.raises(AssertionError, match="no stop button"):
        scene.ann.stop(question)
    session = {"channel_id": scene.general.id, "thread_ts": question.ts}
    await scene.client.agents_sessions_setStatus(**session, status="processing")
    streamer = await stream(scene, question, buffer_size=1)
    await streamer.append(markdown_text="one")
    scene.ann.stop(question)
    stopped = await scene.hears("agent_session_stopped")
    assert stopped["streaming_message_ts"] == [streamer.ts]
    assert await refusal(streamer.stop()) == "message_not_in_streaming_state"
    assert scene.general.session(question) == "processing"
    scene.slack.app.events.remove("agent_session_stopped")
    told = await scene.client.agents_sessions_setStatus(**session, status="active")
    assert told["warning"] == "missing_agent_session_stopped_event_subscription"
    assert scene.general.session(question) == "active"


# Interactions


def add_commands(app: AsyncApp) -> None:
    @app.command("/effort")
    async def effort(ack: Any, command: dict[str, Any], respond: Any) -> None:
        await ack(f"effort {command['text']}")
        await respond(text="for all", response_type="in_channel")

    @app.command("/persona")
    async def persona(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.view("persona")
    async def saved(ack: Any, view: dict[str, Any], client: AsyncWebClient, body: Any) -> None:
        values = view["state"]["values"]
        if values["prompt"]["text"]["value"] == "bad":
            await ack(response_action="errors", errors={"prompt": "no"})
            return
        await ack()
        level = values["effort"]["level"]["selected_option"]["value"]
        home = {"type": "home", "blocks": [section(f"effort {level}"), BUTTONS]}
        await client.views_publish(user_id=body["user"]["id"], view=home)

    @app.action("stop")
    async def stop(ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        if "response_url" in body:
            value = body["actions"][0]["value"]
            await respond(text=f"stopped {value}", replace_original=True)

    @app.action("feedback")
    async def feedback(ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        await respond(text=body["actions"][0]["value"], replace_original=False)


async def test_a_command_is_answered_at_once_and_through_its_url(
    scene: Scene, app: AsyncApp
) -> None:
    add_commands(app)
    given = scene.ann.slash(scene.general, "/effort high")
    await given.acknowledged()
    await scene.slack.until(lambda: len(given.messages) == 2)
    assert [m.text for m in scene.ann.ephemerals] == ["effort high"]
    assert [m.text for m in scene.general.messages] == ["for all"]


async def test_a_response_url_is_good_five_times_and_for_a_while(scene: Scene) -> None:
    given = Interaction("slash_commands", scene.ann, {"type": "x"}, channel=scene.general)
    url = f"{scene.slack.url}/response/{given.token}"
    async with aiohttp.ClientSession() as session:
        for status in [200] * 5 + [404]:
            async with session.post(url, json={"text": "x"}) as response:
                assert response.status == status
        given.uses, given.expired = 0, True
        async with session.post(url, json={"text": "x"}) as response:
            assert (await response.json())["error"] == "expired_url"


async def test_a_command_that_is_not_acknowledged_fails_as_in_slack(scene: Scene) -> None:
    scene.slack.acknowledge_within = 0.1
    with pytest.raises(AssertionError, match="did not respond"):
        await scene.ann.slash(scene.general, "/effort high").acknowledged()


async def test_a_form_is_filled_refused_and_sent(scene: Scene, app: AsyncApp) -> None:
    add_commands(app)
    form = await scene.ann.slash(scene.general, "/persona").response
    assert isinstance(form, View)
    assert form.values == {"Prompt": "Hi", "Effort": ""}
    with pytest.raises(AssertionError, match="Effort is required"):
        scene.ann.submit(form, {"Prompt": "Be kind."})
    refused = scene.ann.submit(form, {"Prompt": "bad", "Effort": "low"})
    await refused.acknowledged()
    assert refused.errors == {"prompt": "no"}
    assert form.open
    await scene.ann.submit(form, {"Effort": "high"}).acknowledged()
    assert not form.open
    home = await scene.slack.until(lambda: scene.ann.home)
    assert home.text == "effort high"
    await scene.ann.click(home, "Stop").acknowledged()


async def test_a_trigger_is_good_once_and_for_a_short_while(scene: Scene) -> None:
    given = Interaction("slash_commands", scene.ann, {"type": "x"})
    late = Interaction("slash_commands", scene.ann, {"type": "x"})
    view_open = scene.client.views_open
    await view_open(trigger_id=given.trigger_id, view=FORM)
    assert await refusal(view_open(trigger_id=given.trigger_id, view=FORM)) == (
        "exchanged_trigger_id"
    )
    scene.slack.trigger_life = 0
    assert await refusal(view_open(trigger_id=late.trigger_id, view=FORM)) == "expired_trigger_id"
    no_title = FORM | {"title": {"type": "plain_text", "text": "x" * 25}}
    assert await refusal(view_open(trigger_id=late.trigger_id, view=no_title)) == (
        "invalid_arguments"
    )


async def test_buttons_are_pressed_in_messages(scene: Scene, app: AsyncApp) -> None:
    add_commands(app)
    await scene.client.chat_postMessage(
        channel=scene.general.id, text="hi", blocks=[BUTTONS, FEEDBACK]
    )
    message = await scene.general.next_message()
    rated = await scene.ann.click(message, "Bad").response
    assert isinstance(rated, Message)
    assert rated.text == "down"
    await scene.ann.click(message, "Stop").acknowledged()
    await scene.slack.until(lambda: message.text == "stopped 7")
    assert message.buttons == []
    with pytest.raises(AssertionError, match="no button"):
        scene.ann.click(message, "Stop")


# Tokens and installations


async def test_tokens_that_are_wrong_revoked_or_inactive_are_refused(scene: Scene) -> None:
    whoami = await scene.client.auth_test()
    assert whoami["user_id"] == scene.team.bot.id
    assert "chat:write" in whoami.headers["X-OAuth-Scopes"]
    assert await refusal(scene.client.auth_test(token="xoxb-wrong")) == "invalid_auth"
    assert await refusal(AsyncWebClient(base_url=scene.slack.api_url).auth_test()) == "not_authed"
    assert await refusal(scene.client.apps_connections_open(app_token="xapp-wrong")) == (
        "invalid_auth"
    )
    for error in ("token_revoked", "account_inactive"):
        scene.slack.revoke(scene.team, error)
        assert await refusal(scene.client.auth_test()) == error


async def test_a_missing_scope_is_named(scene: Scene) -> None:
    scene.slack.installed(scene.team).scopes.remove("users:read")
    with pytest.raises(SlackApiError) as error:
        await scene.client.users_info(user=scene.ann.id)
    assert error.value.response["needed"] == "users:read"
    assert "chat:write" in error.value.response["provided"]


def oauth_app(scene: Scene, tmp_path: Any) -> AsyncApp:
    settings = AsyncOAuthSettings(
        client_id=scene.slack.app.client_id,
        client_secret=scene.slack.app.client_secret,
        scopes=sorted(scene.slack.app.scopes),
        installation_store=FileInstallationStore(base_dir=str(tmp_path / "installations")),
        state_store=FileOAuthStateStore(expiration_seconds=60, base_dir=str(tmp_path / "states")),
    )
    client = AsyncWebClient(base_url=scene.slack.api_url)
    secret = scene.slack.signing_secret
    app = AsyncApp(signing_secret=secret, oauth_settings=settings, client=client)

    @app.event("app_mention")
    async def answer(say: Any) -> None:
        await say("hello")

    return app


@asynccontextmanager
async def installable(scene: Scene, tmp_path: Any) -> AsyncIterator[str]:
    """An OAuth app's install URL."""
    server = oauth_app(scene, tmp_path).server(port=1, path="/slack/events")
    async with serving(server.web_app) as address:
        scene.slack.deliver_to(f"{address}/slack/events")
        yield f"{address}/slack/install"


@asynccontextmanager
async def serving(application: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_several_workspaces_install_by_oauth_and_each_has_its_token(
    scene: Scene, tmp_path: Any
) -> None:
    teams = [scene.slack.workspace(name, installed=False) for name in ("One", "Two")]
    async with installable(scene, tmp_path) as url:
        for team in teams:
            person = team.member("Zoe")
            status, _ = await scene.slack.oauth.install(person, url)
            assert status == 200
            channel = team.channel("general")
            person.say(channel, "@bot hi")
            assert (await channel.next_message()).text == "hello"
        used = {r.installation.token for r in scene.slack.requests if r.installation}
        assert used == {scene.slack.installed(team).token for team in teams}
        status, _ = await scene.slack.oauth.install(scene.ann, url, deny=True)
        assert len(scene.slack.installations) == 3


async def test_an_organisation_installs_for_all_its_workspaces(scene: Scene, tmp_path: Any) -> None:
    grid = scene.slack.grid("Corp", installed=False)
    teams = [grid.workspace(name) for name in ("Sales", "Law")]
    zoe = teams[0].member("Zoe")
    async with installable(scene, tmp_path) as url:
        await scene.slack.oauth.install(zoe, url, org_wide=True)
        for team in teams:
            channel = team.channel("general")
            team.member("Kim").say(channel, "@bot hi")
            assert (await channel.next_message()).text == "hello"
    payload = scene.slack.delivery.events[0].event
    assert payload["enterprise_id"] == grid.id
    assert payload["authorizations"][0]["is_enterprise_install"] is True


async def test_codes_and_secrets_of_oauth_are_checked(scene: Scene) -> None:
    access = AsyncWebClient(base_url=scene.slack.api_url).oauth_v2_access
    id, secret = scene.slack.app.client_id, scene.slack.app.client_secret
    wrong = access(client_id=id, client_secret="wrong", code="x")
    assert await refusal(wrong) == "bad_client_secret"
    assert await refusal(access(client_id=id, client_secret=secret, code="x")) == "invalid_code"


async def test_a_manifest_decides_scopes_events_and_commands(scene: Scene) -> None:
    scene.slack.app.use_manifest(
        {
            "oauth_config": {"scopes": {"bot": ["chat:write"]}},
            "settings": {"event_subscriptions": {"bot_events": ["app_mention"]}},
            "features": {"agent_view": {}, "slash_commands": [{"command": "/help"}]},
        }
    )
    assert scene.slack.install(scene.team).scopes == {"chat:write"}
    with pytest.raises(AssertionError, match="not a valid command"):
        scene.ann.slash(scene.general, "/effort high")


# Limits and faults


async def test_a_call_too_many_is_told_when_to_come_again_and_the_sdk_does(scene: Scene) -> None:
    scene.slack.limits.rules["chat.postMessage"] = (1, 0.5)
    scene.client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    for text in ("one", "two"):
        await scene.client.chat_postMessage(channel=scene.general.id, text=text)
    assert [r.status for r in scene.slack.requests] == [200, 429, 200]
    assert [m.text for m in scene.general.messages] == ["one", "two"]


async def test_tiers_hold_per_workspace_and_posts_per_channel(scene: Scene) -> None:
    scene.slack.limits.rules["chat.postMessage"] = (1, 60.0)
    scene.slack.outside_marketplace()
    post, other = scene.client.chat_postMessage, scene.team.channel("other")
    sent = await post(channel=scene.general.id, text="x")
    assert await refusal(post(channel=scene.general.id, text="x")) == "ratelimited"
    await post(channel=other.id, text="x")
    for _ in range(50):
        await scene.client.chat_update(channel=scene.general.id, ts=sent["ts"], text="x")
    update = scene.client.chat_update(channel=scene.general.id, ts=sent["ts"], text="x")
    with pytest.raises(SlackApiError) as error:
        await update
    assert int(error.value.response.headers["Retry-After"]) >= 1
    read = scene.client.conversations_replies
    await read(channel=scene.general.id, ts=sent["ts"])
    assert await refusal(read(channel=scene.general.id, ts=sent["ts"])) == "ratelimited"


async def test_random_faults_do_not_take_effect_and_are_retried(scene: Scene) -> None:
    scene.slack.faults.seed(1)
    scene.slack.fault_rate = 0.6
    scene.client.retry_handlers += [
        AsyncRateLimitErrorRetryHandler(max_retry_count=20),
        AsyncServerErrorRetryHandler(max_retry_count=20),
    ]
    await scene.client.chat_postMessage(channel=scene.general.id, text="it gets there")
    assert len(scene.general.messages) == 1
    statuses = [r.status for r in scene.slack.requests]
    assert statuses[-1] == 200
    assert len(statuses) > 1
    assert set(statuses[:-1]) <= {429, 500, 503}


async def test_a_scripted_fault_strikes_as_often_as_told(scene: Scene) -> None:
    scene.slack.fail("chat.postMessage", "ratelimited", retry_after=30)
    scene.slack.fail("chat.postMessage", "500", done_first=True)
    post = scene.client.chat_postMessage
    with pytest.raises(SlackApiError) as error:
        await post(channel=scene.general.id, text="x")
    assert error.value.response.headers["Retry-After"] == "30"
    assert await refusal(post(channel=scene.general.id, text="y")) == "internal_error"
    await post(channel=scene.general.id, text="z")
    assert [m.text for m in scene.general.messages] == ["y", "z"]
    assert scene.slack.requests[0].arguments["text"] == "x"


async def test_unknown_methods_and_broken_json_are_refused(scene: Scene) -> None:
    assert await refusal(scene.client.api_call("chat.made_up")) == "unknown_method"
    blocks = {"channel": scene.general.id, "blocks": "[{"}
    assert await refusal(scene.client.api_call("chat.postMessage", data=blocks)) == (
        "invalid_blocks_format"
    )
