"""People who use Slack: what they do is done at once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.doubles.slack.blocks import buttons_of, interactive
from tests.doubles.slack.interactions import Interaction
from tests.doubles.slack.payloads import channel_payload, ids_of_team, message_payload
from tests.doubles.slack.state import Channel, File, Message, Payload, User, new_ts
from tests.doubles.slack.texts import typed
from tests.doubles.slack.views import View

if TYPE_CHECKING:
    from tests.doubles.slack.world import World

Files = Mapping[str, bytes] | Sequence[File]
"""What is attached: contents by name, or files of which more is said."""


@dataclass(eq=False, kw_only=True)
class Person(User):
    world: "World"
    home: View | None = None
    """The app's Home tab as this person sees it."""
    ephemerals: list[Message] = field(default_factory=list)
    """What only this person was shown."""

    # Messages

    def say(
        self,
        channel: Channel,
        text: str,
        *,
        thread: Message | None = None,
        files: Files = (),
        extra: Payload | None = None,
    ) -> Message:
        """Post `text`, with @name as mention of whoever is called so."""
        root = thread.root if thread else None
        message = Message(channel, self, raw=typed(text, channel.workspace), thread=root)
        message.extra = extra or {}
        if isinstance(files, Mapping):
            files = [File(name, data, self.workspace) for name, data in files.items()]
        message.files.extend(self.world.add_file(file) for file in files)
        return self.world.post(message, {})

    def dm(self, text: str, *, thread: Message | None = None, files: Files = ()) -> Message:
        return self.say(self.dms, text, thread=thread, files=files)

    @property
    def dms(self) -> Channel:
        """The private conversation with the bot."""
        return self.workspace.direct(self)

    def edit(self, message: Message, text: str) -> None:
        assert message.author is self
        self.world.revise(message, {"text": typed(text, message.channel.workspace)})

    def delete(self, message: Message) -> None:
        assert message.author is self or self.admin
        self.world.erase(message)

    def react(self, message: Message, name: str) -> None:
        """React with an emoji by its name, such as "eyes"."""
        self.world.react(message, self, name)

    def unreact(self, message: Message, name: str) -> None:
        self.world.react(message, self, name, remove=True)

    # The app's own places

    def open_home(self) -> None:
        """Open the app's Home tab."""
        self._open("home")

    def open_agent_pane(self) -> Channel:
        """Open the conversation with the agent, where it suggests prompts."""
        self._open("messages")
        return self.dms

    def _open(self, tab: str) -> None:
        event: Payload = {"type": "app_home_opened", "user": self.id, "tab": tab}
        event["channel"] = self.dms.id
        if tab == "home" and self.home:
            event["view"] = self.home.payload()
        self.world.tell("app_home_opened", event | {"event_ts": new_ts()}, self.workspace)

    def stop(self, message: Message) -> None:
        """Press the native stop button in the thread of `message`."""
        channel, root = message.channel, message.root
        assert channel.session(root) == "processing", "there is no stop button"
        self.world.stop_session(channel, root, self)

    # Interactions

    def slash(self, channel: Channel, command: str) -> Interaction:
        """Give a command such as "/effort high"; Slack has none in threads."""
        name, _, text = command.partition(" ")
        known = self.world.app.commands
        assert known is None or name in known, f"{name} is not a valid command"
        grid = self.workspace.grid
        payload = {
            "token": "verification-token",
            "team_id": self.workspace.id,
            "team_domain": self.workspace.domain,
            "channel_id": channel.id,
            "channel_name": channel.name or "directmessage",
            "user_id": self.id,
            "user_name": self.name.lower(),
            "command": name,
            "text": text,
            "api_app_id": self.world.app.id,
            "is_enterprise_install": str(self.world.installed(self.workspace).org_wide).lower(),
        }
        payload |= {"enterprise_id": grid.id, "enterprise_name": grid.name} if grid else {}
        return Interaction("slash_commands", self, payload, channel=channel)

    def shortcut(self, message: Message, callback_id: str) -> Interaction:
        """Choose an entry of the message's menu."""
        channel = message.channel
        payload = self._payload("message_action") | {
            "callback_id": callback_id,
            "action_ts": f"{time.time():.6f}",
            "message_ts": message.ts,
            "message": message_payload(message),
            "channel": {"id": channel.id, "name": channel_payload(channel).get("name", "")},
        }
        return Interaction("interactive", self, payload, channel=channel)

    def click(self, where: Message | View, button: str) -> Interaction:
        """Press the button with this label."""
        found = buttons_of(where.blocks)
        assert button in found, f"no button {button!r} among {[*found]}"
        return self._act(where, *found[button])

    def choose(self, where: Message | View, action_id: str, value: str) -> Interaction:
        """Choose an option of a select menu, radio buttons or overflow menu."""
        for block in where.blocks:
            for element in interactive(block):
                for option in element.get("options", []):
                    if (element.get("action_id"), option["value"]) == (action_id, value):
                        action = {"type": element["type"], "action_id": action_id}
                        return self._act(where, block, action | {"selected_option": option})
        raise AssertionError(f"no option {value!r} of {action_id!r}")

    def submit(self, view: View, answers: dict[str, str]) -> Interaction:
        """Send a form, filled by label; what is left out stays as the app filled it."""
        assert view.open, "the form is closed"
        payload = self._payload("view_submission") | {
            "view": view.payload(view.filled(answers)),
            "response_urls": [],
        }
        return Interaction("interactive", self, payload, view=view)

    def _act(self, where: Message | View, block: Payload, action: Payload) -> Interaction:
        action = action | {"block_id": block.get("block_id", ""), "action_ts": f"{time.time():.6f}"}
        payload = self._payload("block_actions") | {"actions": [action], "state": {"values": {}}}
        if isinstance(where, View):
            payload |= {"container": {"type": "view", "view_id": where.id}, "view": where.payload()}
            return Interaction("interactive", self, payload, view=where)
        assert not where.deleted, "the message is gone"
        channel = where.channel
        container: Payload = {
            "type": "message",
            "message_ts": where.ts,
            "channel_id": channel.id,
            "is_ephemeral": where.visible_to is not None,
        }
        if where.thread:
            container["thread_ts"] = where.thread.ts
        payload |= {
            "container": container,
            "channel": {
                "id": channel.id,
                "name": channel_payload(channel).get("name", "directmessage"),
            },
        }
        if where.visible_to is None:
            payload["message"] = message_payload(where)
        return Interaction("interactive", self, payload, channel=channel, message=where)

    def _payload(self, kind: str) -> Payload:
        team = ids_of_team(self.workspace, self.world.installed(self.workspace))
        name = self.name.lower()
        user = {"id": self.id, "username": name, "name": name, "team_id": self.workspace.id}
        app = {"api_app_id": self.world.app.id, "token": "verification-token"}
        return {"type": kind, "user": user} | app | team
