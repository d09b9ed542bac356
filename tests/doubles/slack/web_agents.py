"""The methods assistant.threads.* and agents.sessions.*.

https://docs.slack.dev/ai/developing-agents, https://docs.slack.dev/ai/agent-sessions
"""

from typing import TYPE_CHECKING

from tests.doubles.slack.calls import Call, Handler
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.limits import LOADING_MESSAGES, PROMPTS, SESSION_TITLE
from tests.doubles.slack.state import PUBLIC, Channel, Message, Payload

if TYPE_CHECKING:
    from tests.doubles.slack.world import World

SESSION_STATUSES = ("processing", "active", "suspended", "closed")
ACTION_TOKEN = "action-token"
"""What `action_token` an event has that allows a search."""
UNHEARD = "missing_agent_session_stopped_event_subscription"


class Agents:
    def __init__(self, world: "World") -> None:
        self._world = world

    def methods(self) -> dict[str, Handler]:
        return {
            "assistant.search.context": self.search,
            "assistant.threads.setStatus": self.set_status,
            "assistant.threads.setTitle": self.set_title,
            "assistant.threads.setSuggestedPrompts": self.set_prompts,
            "agents.sessions.setStatus": self.set_session_status,
            "agents.sessions.rename": self.rename_session,
        }

    def search(self, call: Call) -> Payload:
        """Messages of public channels that have all words of the query."""
        if call.need("action_token") != ACTION_TOKEN:
            raise SlackError("invalid_action_token")
        if call.arguments.get("channel_types") not in (["public_channel"], "public_channel"):
            raise SlackError("missing_scope")
        words = str(call.need("query")).lower().split()
        found = [
            {
                "author_name": message.author.name,
                "channel_id": message.channel.id,
                "channel_name": message.channel.name,
                "content": message.raw,
                "permalink": f"https://slack.example/{message.channel.id}/{message.ts}",
                "message_ts": message.ts,
            }
            for workspace in call.by.workspaces
            for channel in workspace.channels.values()
            if channel.kind == PUBLIC
            for message in channel.history.values()
            if all(word in (message.raw or "").lower() for word in words)
        ]
        return {"results": {"messages": found}}

    def set_status(self, call: Call) -> Payload:
        channel, root = self._thread(call)
        if len(call.arguments.get("loading_messages") or []) > LOADING_MESSAGES:
            raise SlackError("invalid_arguments")
        self._world.set_status(channel, root, call.get("status"))
        return {}

    def set_title(self, call: Call) -> Payload:
        channel, root = self._thread(call)
        channel.titles[root.ts] = call.need("title")
        return {}

    def set_prompts(self, call: Call) -> Payload:
        channel = call.writable_channel("channel_id")
        prompts = call.need("prompts")
        if len(prompts) > PROMPTS or not all(p.get("title") and p.get("message") for p in prompts):
            raise SlackError("invalid_arguments")
        channel.prompts = prompts
        return {}

    def set_session_status(self, call: Call) -> Payload:
        channel, root = self._session(call)
        status = call.get("status")
        if status not in SESSION_STATUSES:
            raise SlackError("invalid_arguments")
        if root.ts not in channel.sessions and call.get("title"):
            channel.titles[root.ts] = call.get("title")[:SESSION_TITLE]
        channel.sessions[root.ts] = status
        answer: Payload = {"status": status, "agent_status": status}
        answer["title"] = channel.titles.get(root.ts)
        if not call.by.hears("agent_session_stopped", self._world.app):
            answer |= {"warning": UNHEARD, "response_metadata": {"warnings": [UNHEARD]}}
        return answer

    def rename_session(self, call: Call) -> Payload:
        channel, root = self._session(call)
        channel.titles[root.ts] = call.need("title")
        return {}

    def _session(self, call: Call) -> tuple[Channel, Message]:
        if not self._world.app.is_agent:
            raise SlackError("access_denied")
        return self._thread(call)

    def _thread(self, call: Call) -> tuple[Channel, Message]:
        channel = call.writable_channel("channel_id")
        call.need("thread_ts")
        root = call.root(channel, "invalid_thread_ts")
        assert root is not None
        return channel, root
