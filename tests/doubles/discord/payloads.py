"""Discord's things as the JSON that the API and the gateway carry."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.doubles.discord.state import (
    DM,
    EPOCH,
    PRIVATE_THREAD,
    REPLY,
    THREAD,
    Attachment,
    Channel,
    Guild,
    Message,
    Role,
    User,
)

if TYPE_CHECKING:
    from tests.doubles.discord.world import World

Payload = dict[str, Any]
CONTENT = {"content": "", "embeds": [], "attachments": [], "components": []}
POLL = "poll"


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def created_at(snowflake: int) -> str:
    return timestamp(((snowflake >> 22) + EPOCH) / 1000)


def user_payload(user: User) -> Payload:
    return {
        "id": str(user.id),
        "username": user.name,
        "global_name": None if user.bot else user.name,
        "discriminator": "0",
        "avatar": None,
        "bot": user.bot,
    }


def member_payload(user: User, guild: Guild, *, with_user: bool = True) -> Payload:
    member = {
        "roles": [str(role.id) for role in guild.members.get(user.id, [])],
        "joined_at": created_at(user.id),
        "nick": None,
        "avatar": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
    }
    return member | ({"user": user_payload(user)} if with_user else {})


def role_payload(role: Role, position: int = 1) -> Payload:
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(role.permissions),
        "position": position,
    }


def channel_payload(channel: Channel) -> Payload:
    messages = channel.messages
    payload: Payload = {
        "id": str(channel.id),
        "type": channel.type,
        "last_message_id": str(messages[-1].id) if messages else None,
    }
    if channel.type == DM:
        others = [u for u in channel.recipients if u is not channel.world.bot]
        return payload | {"recipients": [user_payload(user) for user in others]}
    assert channel.guild is not None
    payload |= {
        "guild_id": str(channel.guild.id),
        "name": channel.name,
        "parent_id": str(channel.parent.id) if channel.parent else None,
    }
    if channel.type == THREAD:
        payload["type"] = PRIVATE_THREAD if channel.private else THREAD
        return payload | _thread_part(channel)
    kinds = {role.id: 0 for role in channel.guild.roles}
    return payload | {
        "position": 0,
        "nsfw": False,
        "topic": None,
        "permission_overwrites": [
            {"id": str(id), "type": kinds.get(id, 1), "allow": str(allow), "deny": str(deny)}
            for id, (allow, deny) in channel.overwrites.items()
        ],
    }


def _thread_part(thread: Channel) -> Payload:
    assert thread.owner is not None
    part: Payload = {
        "owner_id": str(thread.owner.id),
        "message_count": len(thread.history),
        "member_count": len(thread.joined),
        "thread_metadata": {
            "archived": thread.archived,
            "locked": thread.locked,
            "auto_archive_duration": thread.auto_archive_duration,
            "archive_timestamp": created_at(thread.id),
            "create_timestamp": created_at(thread.id),
        },
    }
    if thread.world.bot.id in thread.joined:
        part["member"] = thread_member_payload(thread, thread.world.bot)
    return part


def thread_member_payload(thread: Channel, user: User) -> Payload:
    return {
        "id": str(thread.id),
        "user_id": str(user.id),
        "join_timestamp": created_at(thread.id),
        "flags": 0,
    }


def guild_payload(guild: Guild) -> Payload:
    """GUILD_CREATE: without the members intent, only the bot itself is in `members`."""
    bot = guild.world.bot
    visible = [c for c in guild.channels if c.permits(bot, "view_channel")]
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.world.owner.id),
        "large": False,
        "joined_at": created_at(guild.id),
        "member_count": len(guild.members),
        "roles": [role_payload(role, at) for at, role in enumerate(guild.roles)],
        "members": [member_payload(bot, guild)],
        "channels": [channel_payload(c) for c in guild.channels if c.type != THREAD],
        "threads": [channel_payload(c) for c in visible if c.type == THREAD and not c.archived],
        "emojis": [],
        "stickers": [],
        "features": [],
        "presences": [],
        "voice_states": [],
        "preferred_locale": "en-US",
    }


def attachment_payload(attachment: Attachment, channel: Channel) -> Payload:
    url = f"{channel.world.url}/attachments/{channel.id}/{attachment.id}/{attachment.filename}"
    payload = {
        "id": str(attachment.id),
        "filename": attachment.filename,
        "size": len(attachment.data),
        "url": url,
        "proxy_url": url,
    }
    kind = attachment.content_type
    return payload | ({"content_type": kind} if kind else {})


def message_payload(message: Message, *, nested: bool = False) -> Payload:
    """A message; the one that it replies to is in it, but not that one's own."""
    channel, guild, bot = message.channel, message.channel.guild, message.channel.world.bot
    payload: Payload = {
        "id": str(message.id),
        "channel_id": str(channel.id),
        "type": message.type,
        "author": user_payload(message.author),
        "content": message.content,
        "timestamp": created_at(message.id),
        "edited_timestamp": None if message.edited is None else timestamp(message.edited),
        "tts": False,
        "pinned": False,
        "flags": message.flags,
        "embeds": message.embeds,
        "components": message.components,
        "attachments": [attachment_payload(a, channel) for a in message.attachments],
        "mentions": [_mentioned(user, guild) for user in message.mentions],
        "mention_roles": [str(role.id) for role in message.mention_roles],
        "mention_everyone": message.mention_everyone,
        "reactions": [
            {"emoji": emoji_payload(emoji), "count": len(users), "me": bot in users}
            for emoji, users in message.reactions.items()
        ],
    }
    if guild is not None:
        payload["guild_id"] = str(guild.id)
        if not message.author.bot:
            payload["member"] = member_payload(message.author, guild, with_user=False)
    payload |= message.extra
    if message.nonce is not None:
        payload["nonce"] = message.nonce
    if message.interaction is not None:
        payload |= _interaction_part(message)
    if message.thread is not None:
        payload["thread"] = channel_payload(message.thread)
    if message.reference is not None:
        payload |= _reference_part(message.reference, nested)
    elif message.type == REPLY and not nested:
        payload["referenced_message"] = None
    return payload


def _mentioned(user: User, guild: Guild | None) -> Payload:
    if guild is None:
        return user_payload(user)
    return user_payload(user) | {"member": member_payload(user, guild, with_user=False)}


def _interaction_part(message: Message) -> Payload:
    assert message.interaction is not None
    by = message.interaction
    metadata = {"id": str(by.id), "type": by.type, "user": user_payload(by.user)}
    metadata["authorizing_integration_owners"] = by.owners
    app = str(message.channel.world.application_id)
    return {"application_id": app, "webhook_id": app, "interaction_metadata": metadata}


def _reference_part(referenced: Message, nested: bool) -> Payload:
    reference = {
        "type": 0,
        "message_id": str(referenced.id),
        "channel_id": str(referenced.channel.id),
    }
    if referenced.channel.guild is not None:
        reference["guild_id"] = str(referenced.channel.guild.id)
    part: Payload = {"message_reference": reference}
    if not nested:
        gone = referenced.deleted
        part["referenced_message"] = None if gone else message_payload(referenced, nested=True)
    return part


def emoji_payload(emoji: str) -> Payload:
    return {"id": None, "name": emoji}


def without_content(payload: Payload, bot: User) -> Payload:
    """What an app without the message-content intent gets of a guild's message."""
    payload = dict(payload)
    if referenced := payload.get("referenced_message"):
        payload["referenced_message"] = without_content(referenced, bot)
    me = str(bot.id)
    mentioned = me in [user["id"] for user in payload["mentions"]]
    if "guild_id" not in payload or mentioned or payload["author"]["id"] == me:
        return payload
    payload.pop(POLL, None)
    return payload | CONTENT


def application_payload(world: "World") -> Payload:
    return {
        "id": str(world.application_id),
        "name": world.bot.name,
        "description": "",
        "icon": None,
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": user_payload(world.owner),
        "verify_key": "",
        "flags": 1 << 19 if world.message_content else 0,
        "integration_types_config": {"0": {}, "1": {}},
    }
