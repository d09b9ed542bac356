"""All of Slack's state, and what can happen to it: each change tells the app."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from tests.doubles.slack.delivery import Delivery
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.installations import AppSettings, Installation
from tests.doubles.slack.interactions import Interaction
from tests.doubles.slack.limits import TEXT, UPDATED_TEXT
from tests.doubles.slack.payloads import event_callback, message_payload
from tests.doubles.slack.people import Person
from tests.doubles.slack.state import (
    DIRECT,
    GROUP,
    PRIVATE,
    Channel,
    File,
    Grid,
    Message,
    Payload,
    User,
    Workspace,
    new_ts,
)
from tests.doubles.slack.texts import linked_names
from tests.doubles.slack.views import View
from tests.doubles.slack.web_agents import ACTION_TOKEN
from tests.waiting import HANG_SECONDS

T = TypeVar("T")
MESSAGE_EVENTS = {DIRECT: "message.im", GROUP: "message.mpim", PRIVATE: "message.groups"}


class World:
    """The state that the Web API, the ways into the app and people share."""

    def __init__(self) -> None:
        self.app = AppSettings()
        self.url = ""
        self.workspaces: list[Workspace] = []
        self.installations: list[Installation] = []
        self.interactions: dict[str, Interaction] = {}
        self.views: dict[str, View] = {}
        self.files: dict[str, File] = {}
        self.sends_action_tokens = False
        """Whether events have an `action_token`, which allows a search."""
        self.posts: list[Message] = []
        """What the bot posted for everybody, deleted messages too."""
        self.acknowledge_within = 3.0
        """Seconds that the app has to acknowledge an event or interaction."""
        self.retry_after = [0.0, 60.0, 300.0]
        """Seconds before each retry of an event that was not acknowledged."""
        self.repeat_every = 0
        """Every so many events one is delivered twice though it was acknowledged; 0 for none."""
        self.stream_life = 300.0
        """Seconds after which Slack ends a stream."""
        self.status_life = 120.0
        """Seconds after which assistant.threads.setStatus lapses."""
        self.trigger_life = 3.0
        """Seconds that a trigger_id is good for."""
        self.delivery = Delivery(self)
        self.socket = self.delivery.socket
        self.http = self.delivery.http
        self._change = asyncio.Event()

    # Waiting

    def changed(self) -> None:
        """Wake who waits in `until`."""
        self._change.set()
        self._change = asyncio.Event()

    async def change(self) -> None:
        """Wait for the next change."""
        await self._change.wait()

    async def until(self, condition: Callable[[], T | None], within: float = HANG_SECONDS) -> T:
        """Wait for `condition` to become true; looks again after each change. Its value."""
        try:
            async with asyncio.timeout(within):
                while not (value := condition()):
                    await self.change()
                return value
        except TimeoutError:
            raise AssertionError(f"did not become true within {within} s") from None

    # People and places

    def grid(self, name: str, *, installed: bool = True) -> Grid:
        """An organisation, with the app installed for all of it unless told otherwise."""
        grid = Grid(self, name)
        if installed:
            self.install(grid)
        return grid

    def workspace(
        self, name: str, *, grid: Grid | None = None, installed: bool = True
    ) -> Workspace:
        workspace = Workspace(self, name, grid)
        self.workspaces.append(workspace)
        if grid:
            grid.workspaces.append(workspace)
        if installed:
            self.install(workspace)
        return workspace

    def install(self, home: Workspace | Grid) -> Installation:
        installation = Installation(home, set(self.app.scopes))
        self.installations.append(installation)
        return installation

    def installed(self, workspace: Workspace) -> Installation:
        """The latest installation that covers `workspace`."""
        found = [i for i in self.installations if workspace in i.workspaces]
        assert found, f"the app is not installed in {workspace}"
        return found[-1]

    def uninstall(self, workspace: Workspace) -> None:
        """An admin removes the app."""
        installation = self.installed(workspace)
        event = {"type": "tokens_revoked", "tokens": {"bot": [workspace.bot.id]}}
        self.tell("tokens_revoked", event, workspace)
        self.tell("app_uninstalled", {"type": "app_uninstalled"}, workspace)
        installation.error = "account_inactive"

    def person(self, workspace: Workspace, name: str, *, admin: bool = False) -> Person:
        person = Person(name=name, workspace=workspace, admin=admin, world=self)
        workspace.users[person.id] = person
        return person

    def add_file(self, file: File) -> File:
        self.files[file.id] = file
        return file

    def posted_in(self, channel: Channel) -> list[Message]:
        return [message for message in self.posts if message.channel is channel]

    # Telling the app

    def tell(self, subscription: str, event: Payload, workspace: Workspace) -> None:
        """Deliver an event to the app if it subscribed to such and may have it."""
        covering = [i for i in self.installations if workspace in i.workspaces and not i.error]
        for installation in covering[-1:]:
            if installation.hears(subscription, self.app):
                self.delivery.event(event_callback(event, workspace, installation))
        self.changed()

    def _tell_of_message(self, channel: Channel, event: Payload) -> None:
        if channel.has_bot:
            kind = {"channel": channel.id, "channel_type": channel.kind}
            name = MESSAGE_EVENTS.get(channel.kind, "message.channels")
            self.tell(name, event | kind, channel.workspace)
        self.changed()

    # Messages

    def post(self, message: Message, body: Payload) -> Message:
        """Put a new message into its channel, as `body` says."""
        channel = message.channel
        write(message, body)
        if isinstance(message.visible_to, Person):
            message.visible_to.ephemerals.append(message)
            self.changed()
            return message
        channel.history[message.ts] = message
        if message.author.is_bot:
            self.posts.append(message)
            self.set_status(channel, message.root, "")
        event = message_payload(message) | {"event_ts": message.ts}
        event |= self._action_token()
        if message.files:
            event["subtype"] = "file_share"
        self._tell_of_message(channel, event)
        if channel.workspace.bot.mention in message.raw and not message.author.is_bot:
            self._tell_of_mention(message)
        return message

    def _action_token(self) -> Payload:
        return {"action_token": ACTION_TOKEN} if self.sends_action_tokens else {}

    def _tell_of_mention(self, message: Message) -> None:
        """The event beside `message`; there is none in a private conversation."""
        if message.channel.has_bot and message.channel.kind not in (DIRECT, GROUP):
            event = message_payload(message) | {"type": "app_mention"} | self._action_token()
            event |= {"channel": message.channel.id, "event_ts": message.ts}
            self.tell("app_mention", event, message.channel.workspace)

    def repeat(self, message: Message) -> None:
        """Deliver a person's message again, as new events."""
        self._tell_of_message(message.channel, message_payload(message) | {"event_ts": message.ts})
        self._tell_of_mention(message)

    def revise(self, message: Message, body: Payload) -> None:
        before = message_payload(message)
        write(message, body, edit=True)
        message.edited = new_ts()
        self.revised(message, before)

    def revised(self, message: Message, before: Payload) -> None:
        """Tell of a message that is no longer as it was `before`."""
        if message.visible_to is None:
            event = {"message": message_payload(message), "previous_message": before}
            self._tell_of_message(message.channel, _hidden("message_changed") | event)
        self.changed()

    def unfurl(self, message: Message) -> None:
        """Slack adds a link's preview: an event without a change of the text."""
        self.revised(message, message_payload(message))

    def erase(self, message: Message) -> None:
        before = message_payload(message)
        message.deleted = message.ended = True
        if message.replies:
            self.revised(message, before)
            return
        message.channel.history.pop(message.ts, None)
        event = {"deleted_ts": message.ts, "previous_message": before}
        self._tell_of_message(message.channel, _hidden("message_deleted") | event)

    def react(self, message: Message, user: User, name: str, *, remove: bool = False) -> None:
        users = message.reactions.setdefault(name, [])
        (users.remove if remove else users.append)(user)
        if not users:
            del message.reactions[name]
        kind = "reaction_removed" if remove else "reaction_added"
        item = {"type": "message", "channel": message.channel.id, "ts": message.ts}
        event = {"type": kind, "user": user.id, "reaction": name, "item": item}
        event |= {"item_user": message.author.id, "event_ts": new_ts()}
        if message.channel.has_bot:
            self.tell(kind, event, message.channel.workspace)

    # Agents

    def set_status(self, channel: Channel, root: Message, status: str) -> None:
        """Show `status` under a thread; posting there clears it."""
        if status or channel.status(root):
            channel.statuses.append((root.ts, status, time.monotonic()))
        self.changed()

    def stop_session(self, channel: Channel, root: Message, user: User) -> None:
        """The native stop button: Slack ends the streams and leaves the rest to the app."""
        streams = [m for m in (root, *root.replies) if m.streaming]
        for message in streams:
            message.ended = True
        event = {"type": "agent_session_stopped", "channel": channel.id, "thread_ts": root.ts}
        event |= {"user": user.id, "event_ts": new_ts()}
        stopped = {"streaming_message_ts": [m.ts for m in streams]}
        self.tell("agent_session_stopped", event | stopped, channel.workspace)


def write(message: Message, body: Payload, *, edit: bool = False) -> None:
    """Make `message`, new or edited, what `body` says."""
    text, markdown = body.get("text"), body.get("markdown_text")
    if edit and text and len(text) > UPDATED_TEXT and message.author.is_bot:
        raise SlackError("msg_too_long")
    if not edit or body.keys() & {"text", "markdown_text", "blocks"}:
        message.markdown = markdown or ""
    if text is not None:
        text = text[:TEXT]
        linked = body.get("link_names") or body.get("parse") == "full"
        message.raw = linked_names(text, message.channel.workspace) if linked else text
    elif markdown is not None:
        message.raw = ""
    if "blocks" in body or (edit and text is not None):
        message.blocks = body.get("blocks") or []
    message.metadata = body.get("metadata", message.metadata)
    message.written()


def _hidden(subtype: str) -> Payload:
    ts = new_ts()
    return {"type": "message", "subtype": subtype, "hidden": True, "ts": ts, "event_ts": ts}
