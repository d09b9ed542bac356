"""The scope that each method needs: https://docs.slack.dev/reference/scopes"""

from tests.doubles.slack.state import DIRECT, GROUP, PRIVATE, Channel

ANY: dict[str, tuple[str, ...]] = {
    "agents.sessions.rename": ("chat:write",),
    "agents.sessions.setStatus": ("chat:write",),
    "assistant.search.context": ("search:read.public",),
    "assistant.threads.setStatus": ("assistant:write", "chat:write"),
    "assistant.threads.setSuggestedPrompts": ("assistant:write",),
    "assistant.threads.setTitle": ("assistant:write",),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.open": ("im:write",),
    "files.info": ("files:read",),
    "reactions.add": ("reactions:write",),
    "reactions.remove": ("reactions:write",),
    "usergroups.list": ("usergroups:read",),
    "usergroups.users.list": ("usergroups:read",),
    "users.conversations": ("channels:read",),
    "users.info": ("users:read",),
}
"""By method: one of these scopes is enough."""
BY_CHANNEL = {
    "conversations.history": "history",
    "conversations.info": "read",
    "conversations.replies": "history",
}
FAMILIES = {DIRECT: "im", GROUP: "mpim", PRIVATE: "groups"}


def scopes_for(method: str, channel: Channel | None) -> tuple[str, ...]:
    """The scopes of which one is needed; none for a method that is free."""
    if method in BY_CHANNEL and channel:
        return (f"{FAMILIES.get(channel.kind, 'channels')}:{BY_CHANNEL[method]}",)
    return ANY.get(method, ())
