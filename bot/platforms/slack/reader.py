"""Slack's messages as the core has them: a question and what was said before it."""

import re
from collections.abc import Sequence

import structlog
from aiohttp import ClientError
from slack_sdk.errors import SlackApiError

from bot.conversation.events import Author, Message
from bot.conversation.in_effect import InEffect
from bot.platforms.attachments import Attachments, File, MessageWithFiles, named_only
from bot.platforms.slack.blocks import answer_in, may_be_foreign
from bot.platforms.slack.errors import describe
from bot.platforms.slack.messages import KNOWN_FOREIGN
from bot.platforms.slack.mrkdwn import decoded
from bot.platforms.slack.words import Payload, attached_files, words
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

_CANVASES = ("quip", "canvas")
_LOST = {"tombstone": "file_gone", "hidden_by_limit": "file_hidden", "external": "file_elsewhere"}
"""Modes of files that Slack can't give: https://docs.slack.dev/reference/objects/file-object"""


class Reader:
    """Reads messages of all workspaces."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    async def read(
        self,
        question: Payload,
        history: Sequence[Payload],
        workspace: Workspace,
        here: InEffect,
    ) -> list[Message]:
        """`history`, oldest first, and the question as the last."""
        unread_messages = [await _unread(message, workspace) for message in [*history, question]]
        return await self._attachments.fill(unread_messages, here, credentials(workspace))

    async def read_above(self, above: Sequence[Payload], workspace: Workspace) -> list[Message]:
        """What stands above the conversation, oldest first; its files are only named."""
        return named_only([await _unread(message, workspace) for message in above])


async def typed(message: Payload, workspace: Workspace) -> str:
    """What the author typed, with names for mentions, and without those of the bot."""
    return await _shown(str(message.get("text") or ""), workspace)


def has_words(message: Payload, workspace: Workspace) -> bool:
    """Whether there is anything to read besides a mention of the bot; files count."""
    said = _without_mention(words(message), workspace).strip()
    return bool(said or any(attached_files(message)))


async def _unread(message: Payload, workspace: Workspace) -> MessageWithFiles:
    author = await _author(message, workspace)
    if author.is_bot:
        answer = await decoded(answer_in(message) or "", workspace.name_of)
        foreign = message.get(KNOWN_FOREIGN, may_be_foreign(message))
        return MessageWithFiles(
            Message(message["ts"], author, answer, foreign=bool(answer and foreign))
        )
    text = await _shown(words(message), workspace)
    foreign = bool(message.get("attachments"))  # forwarded, or a link's preview
    return MessageWithFiles(
        Message(message["ts"], author, text, foreign=foreign), await files_of(message, workspace)
    )


async def files_of(message: Payload, workspace: Workspace) -> list[File]:
    """What is attached to the message and to what it forwards."""
    return [await _file(file, workspace) for file in attached_files(message)]


def credentials(workspace: Workspace) -> dict[str, str]:
    """What Slack wants to see before it gives a file."""
    return {"Authorization": f"Bearer {workspace.client.token}"}


async def _author(message: Payload, workspace: Workspace) -> Author:
    """Who wrote the message: a person, this bot, or another app under its own name."""
    user, app = message.get("user"), message.get("bot_id")
    if user == workspace.me or not app:
        return await workspace.author(str(user))
    profile = message.get("bot_profile") or {}
    name = message.get("username") or profile.get("name")
    if not name and user:
        name = await workspace.name_of(user)
    return Author(str(app), name or "an app", is_app=True)


async def _shown(text: str, workspace: Workspace) -> str:
    return (await decoded(_without_mention(text, workspace), workspace.name_of)).strip()


def _without_mention(text: str, workspace: Workspace) -> str:
    """Only the bot's own mentions go: an address that has its name in it stays whole."""
    mention = rf"<@{workspace.me}(?:\|[^<>]*)?>"
    return re.sub(rf"(?<!\S){mention} ?|{mention}", "", text)


async def _file(file: Payload, workspace: Workspace) -> File:
    """The file as Slack tells of it; in shared channels only after asking."""
    problem = ""
    if file.get("file_access") == "check_file_info":
        try:
            file = await workspace.file_info(str(file.get("id")))
        except (SlackApiError, OSError, ClientError) as error:
            log.warning("slack: a file is not told of", reason=describe(error))
            problem = "file_failed"
    version = f"{file.get('id')}-{file.get('updated') or file.get('timestamp', '')}"
    return File(
        version,
        str(file.get("name") or file.get("title") or ""),
        str(file.get("url_private") or ""),
        str(file.get("mimetype") or ""),
        problem or _problem(file),
    )


def _problem(file: Payload) -> str:
    mode = "external" if file.get("is_external") else str(file.get("mode", ""))
    if mode in _CANVASES or file.get("filetype") in _CANVASES:
        return "file_canvas"
    return _LOST.get(mode, "" if file.get("url_private") else "file_failed")
