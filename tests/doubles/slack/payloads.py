"""JSON as Slack gives it.

https://docs.slack.dev/reference/objects, https://docs.slack.dev/reference/events
"""

import time
from typing import Any

from tests.doubles.slack.installations import Installation
from tests.doubles.slack.state import (
    DIRECT,
    GROUP,
    PRIVATE,
    PUBLIC,
    Channel,
    File,
    Message,
    Payload,
    User,
    Workspace,
    new_id,
)
from tests.doubles.slack.texts import rich_text


def user_payload(user: User) -> Payload:
    payload = {
        "id": user.id,
        "team_id": user.workspace.id,
        "name": user.name.lower(),
        "real_name": f"{user.name} Example",
        "deleted": False,
        "is_admin": user.admin,
        "is_owner": False,
        "is_bot": user.is_bot,
        "tz": "Etc/UTC",
        "profile": {"display_name": user.name, "real_name": f"{user.name} Example"},
    }
    if grid := user.workspace.grid:
        payload["enterprise_user"] = {"id": user.id, "enterprise_id": grid.id}
    return payload


def channel_payload(channel: Channel) -> Payload:
    payload: Payload = {
        "id": channel.id,
        "created": 0,
        "is_archived": channel.archived,
        "is_channel": channel.kind == PUBLIC,
        "is_group": channel.kind == PRIVATE,
        "is_im": channel.kind == DIRECT,
        "is_mpim": channel.kind == GROUP,
        "is_private": channel.kind != PUBLIC,
        "context_team_id": channel.workspace.id,
    }
    if channel.user:
        return payload | {"user": channel.user.id, "is_open": True}
    return payload | {"name": channel.name, "is_member": channel.has_bot}


def file_payload(file: File) -> Payload:
    kind = file.name.rpartition(".")[2]
    text = b"\0" not in file.data
    url = f"{file.workspace.world.url}/files-pri/{file.workspace.id}-{file.id}"
    return {
        "id": file.id,
        "name": file.name,
        "title": file.name,
        "mimetype": "text/plain" if text else "application/octet-stream",
        "filetype": "python" if kind == "py" else kind,
        "mode": "snippet" if text else "hosted",
        "size": len(file.data),
        "is_external": False,
        "file_access": "visible",
        "url_private": file.url or f"{url}/{file.name}",
        "url_private_download": file.url or f"{url}/download/{file.name}",
    }


def message_payload(message: Message) -> Payload:
    workspace = message.channel.workspace
    if message.deleted:  # with replies: a tombstone stays at the head of the thread
        payload: Payload = {
            "subtype": "tombstone",
            "text": "This message was deleted.",
            "user": "USLACKBOT",
            "hidden": True,
        }
    else:
        payload = {"user": message.author.id, "text": message.raw or message.markdown}
        payload["team"] = workspace.id
        payload["blocks"] = _blocks(message)
    payload |= {"type": "message", "ts": message.ts}
    if message.author.is_bot:
        app_id = workspace.world.app.id
        profile = {"id": workspace.bot_id, "name": message.author.name, "app_id": app_id}
        payload |= {"bot_id": workspace.bot_id, "app_id": app_id, "bot_profile": profile}
    elif not message.deleted:
        payload["client_msg_id"] = f"client-{message.ts}"
    if message.files:
        told = [file_payload(f) if f.told is None else {"id": f.id} | f.told for f in message.files]
        payload |= {"files": told, "upload": False}
    if message.metadata:
        payload["metadata"] = message.metadata
    if message.edited:
        payload["edited"] = {"user": message.author.id, "ts": message.edited}
    if message.thread:
        payload |= {"thread_ts": message.thread.ts, "parent_user_id": message.thread.author.id}
    elif replies := message.replies:
        payload |= {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users": list(dict.fromkeys(reply.author.id for reply in replies)),
            "latest_reply": replies[-1].ts,
        }
    if message.reactions:
        payload["reactions"] = [
            {"name": name, "users": [user.id for user in users], "count": len(users)}
            for name, users in message.reactions.items()
        ]
    payload |= message.extra
    return {name: value for name, value in payload.items() if value is not None}


def _blocks(message: Message) -> list[Payload]:
    """The blocks; Slack makes those of typed text and of markdown itself."""
    if message.blocks and not message.markdown:
        return message.blocks
    return [*rich_text(message.raw or message.markdown), *message.blocks]


def ids_of_team(workspace: Workspace, installation: Installation) -> Payload:
    """The workspace, organisation and kind of installation, as interactions tell them."""
    grid = workspace.grid
    return {
        "team": {"id": workspace.id, "domain": workspace.domain}
        | ({"enterprise_id": grid.id, "enterprise_name": grid.name} if grid else {}),
        "enterprise": {"id": grid.id, "name": grid.name} if grid else None,
        "is_enterprise_install": installation.org_wide,
    }


def event_callback(event: dict[str, Any], workspace: Workspace, to: Installation) -> Payload:
    """An event in its envelope: https://docs.slack.dev/apis/events-api/#event-payload"""
    grid = workspace.grid
    authorization = {
        "enterprise_id": grid.id if grid else None,
        "team_id": None if to.org_wide else workspace.id,
        "user_id": workspace.bot.id,
        "is_bot": True,
        "is_enterprise_install": to.org_wide,
    }
    return {
        "token": "verification-token",
        "team_id": workspace.id,
        "context_team_id": workspace.id,
        "context_enterprise_id": grid.id if grid else None,
        "api_app_id": workspace.world.app.id,
        "event": event,
        "type": "event_callback",
        "event_id": new_id("Ev"),
        "event_time": int(time.time()),
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
        "event_context": "4-double",
    } | ({"enterprise_id": grid.id} if grid else {})
