"""What a message may say: the body of a request checked, applied, and read for whom it pings.

https://docs.discord.com/developers/resources/message
"""

import re
import time
from typing import Any

from tests.doubles.discord.errors import ApiError, InvalidForm, at_most
from tests.doubles.discord.state import (
    ACTION_ROW,
    BUTTON,
    COMPONENTS_V2,
    TEXT_DISPLAY,
    Attachment,
    Edit,
    Message,
    walk,
)

Body = dict[str, Any]
UPLOAD_BYTES = 10 * 1024 * 1024


def check(body: Body) -> None:
    """Refuse what Discord refuses of a message's text, embeds and components."""
    content, embeds = body.get("content") or "", body.get("embeds") or []
    components = body.get("components") or []
    at_most("content", content, 2000)
    _check_embeds(embeds)
    if int(body.get("flags") or 0) & COMPONENTS_V2:
        _check_layout(content, embeds, components)
    else:
        _check_rows(components)


def write(message: Message, body: Body, files: list[Attachment]) -> None:
    """Make `message`, new or edited, what `body` says; nothing changes if that can't be."""
    flags = message.flags | (int(body.get("flags") or 0) & ~message.flags)
    content = body.get("content", message.content) or ""
    embeds = body.get("embeds", message.embeds) or []
    components = body.get("components", message.components) or []
    attachments = _attachments(message, body, files)
    check({"content": content, "embeds": embeds, "components": components, "flags": flags})
    if not (content or embeds or components or attachments or message.extra):
        raise ApiError(50006)
    if any(len(file.data) > UPLOAD_BYTES for file in files):
        raise ApiError(40005)
    _check_allowed_mentions(body.get("allowed_mentions"))
    message.flags, message.content, message.embeds = flags, content, embeds
    message.components, message.attachments = components, attachments
    message.edits.append(Edit(time.monotonic(), message.text))
    if {"content", "components"} & body.keys():
        _read_mentions(message, body.get("allowed_mentions"))


def _attachments(message: Message, body: Body, files: list[Attachment]) -> list[Attachment]:
    """An edit names the attachments to keep; without that list they all stay."""
    kept = message.attachments
    if "attachments" in body:
        named = {str(entry["id"]) for entry in body["attachments"] or []}
        kept = [a for a in kept if str(a.id) in named]
    return [*kept, *files]


def _check_embeds(embeds: list[Body]) -> None:
    if len(embeds) > 10:
        raise InvalidForm("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    total = 0
    for at, embed in enumerate(embeds):
        at_most(f"embeds.{at}.title", embed.get("title"), 256)
        at_most(f"embeds.{at}.description", embed.get("description"), 4096)
        footer = (embed.get("footer") or {}).get("text")
        at_most(f"embeds.{at}.footer.text", footer, 2048)
        fields = [text for f in embed.get("fields", []) for text in (f["name"], f["value"])]
        total += sum(
            len(text or "")
            for text in (embed.get("title"), embed.get("description"), footer, *fields)
        )
    if total > 6000:
        raise InvalidForm("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds 6000.")


def _check_rows(components: list[Body]) -> None:
    if len(components) > 5:
        raise InvalidForm("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5.")
    for at, row in enumerate(components):
        if row["type"] != ACTION_ROW:
            raise InvalidForm(f"components.{at}.type", "UNION_TYPE_CHOICES", "Must be 1.")
    _check_components(components)


def _check_layout(content: str, embeds: list[Body], components: list[Body]) -> None:
    if content or embeds:
        field = "content" if content else "embeds"
        raise InvalidForm(
            field,
            "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
            "Not with IS_COMPONENTS_V2",
        )
    everything = list(walk(components))
    if len(everything) > 40:
        raise InvalidForm("components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "At most 40.")
    text = [c["content"] for c in everything if c["type"] == TEXT_DISPLAY]
    at_most("components", "".join(text), 4000)
    _check_components(components)


def _check_components(components: list[Body]) -> None:
    seen: set[str] = set()
    for component in walk(components):
        if component["type"] == ACTION_ROW and not 1 <= len(component["components"]) <= 5:
            raise InvalidForm("components", "BASE_TYPE_BAD_LENGTH", "1 to 5 in a row.")
        if component["type"] == BUTTON:
            at_most("components.label", component.get("label"), 80)
        if (custom_id := component.get("custom_id")) is None:
            continue
        at_most("components.custom_id", custom_id, 100, least=1)
        if custom_id in seen:
            raise InvalidForm("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Used twice.")
        seen.add(custom_id)


def _check_allowed_mentions(allowed: Body | None) -> None:
    for kind in ("users", "roles"):
        if allowed and kind in allowed.get("parse", []) and allowed.get(kind):
            field = f"allowed_mentions.{kind}"
            raise InvalidForm(field, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", "Both given.")


def _read_mentions(message: Message, allowed: Body | None) -> None:
    """Whom this version pings. Left out, everything that the text names does."""
    guild, text = message.channel.guild, message.text
    named = {"everyone", "users", "roles"} if allowed is None else set(allowed.get("parse", []))
    message.allowed_mentions = allowed

    def may(kind: str, id: int) -> bool:
        return kind in named or id in map(int, (allowed or {}).get(kind) or [])

    users = {int(id) for id in re.findall(r"<@!?(\d+)>", text)}
    known = message.channel.world.users
    message.mentions = [known[id] for id in users if id in known and may("users", id)]
    replied_to = message.reference and message.reference.author
    pings_replied = (allowed or {}).get("replied_user", allowed is None)
    if replied_to and pings_replied and replied_to not in message.mentions:
        message.mentions.append(replied_to)
    roles = {int(id) for id in re.findall(r"<@&(\d+)>", text)}
    powerful = message.channel.permits(message.author, "mention_everyone")
    message.mention_roles = [
        r for r in (guild.roles if guild else []) if r.id in roles and may("roles", r.id)
    ]
    broadcast = re.search("@(everyone|here)", text) is not None
    message.mention_everyone = broadcast and "everyone" in named and powerful and guild is not None
    message.pings |= {user.name for user in message.mentions if user is not message.author}
    message.pings |= {f"@{role.name}" for role in message.mention_roles}
    message.pings |= {"@everyone"} if message.mention_everyone else set()
