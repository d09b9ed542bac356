"""A workspace as the bot sees it: its Web API, and its people."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import structlog
from aiohttp import ClientError
from async_lru import alru_cache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.conversation.events import Author
from bot.platforms.slack.errors import describe, is_passing
from bot.platforms.slack.limits import CHANNELS_PAGE
from bot.platforms.slack.sending import pages, retried

log = structlog.get_logger()

T = TypeVar("T")
Call = Callable[..., Awaitable[Any]]

LOOK_UP_SECONDS = 10.0
"""In which a name or a group must have come; an answer doesn't wait longer for it."""
PAUSE_SECONDS = 30.0
"""After that, in which nothing is looked up: the next answers don't wait as long again."""
REMEMBERED_SECONDS = 600.0
"""How long a name, or a user group's list of members, is cached."""


class _Paused(TimeoutError):
    """Slack is not asked now; why was said when the pause began."""


@dataclass(frozen=True)
class _Person:
    name: str
    admin: bool
    zone: tzinfo | None = None


class Workspace:
    """`team` is its id, `me` the bot's user id there. `moderator_groups` are ids of user groups."""

    def __init__(
        self, team: str, me: str, client: AsyncWebClient, moderator_groups: frozenset[str]
    ) -> None:
        self.team = team
        self.me = me
        self.client = client
        self._moderator_groups = moderator_groups
        self._unreadable: set[str] = set()
        self._asks_again_at = 0.0
        self.url = alru_cache(maxsize=1)(self._load_url)
        """The workspace's address, with a slash at its end. Raises SlackApiError."""
        self.file_info = alru_cache(maxsize=1000, ttl=REMEMBERED_SECONDS)(self._load_file)
        """What Slack tells of the file with an id. Raises SlackApiError, OSError, ClientError."""
        self._person = alru_cache(maxsize=10_000, ttl=REMEMBERED_SECONDS)(self._load_person)
        self._channel = alru_cache(maxsize=1000, ttl=REMEMBERED_SECONDS)(self._load_channel)
        self._groups = alru_cache(maxsize=1, ttl=REMEMBERED_SECONDS)(self._load_groups)
        self._members = alru_cache(maxsize=100, ttl=REMEMBERED_SECONDS)(self._load_members)

    async def name_of(self, id: str) -> str:
        """The name of a user, channel or user group; the id where it can't be read."""
        match id[:1]:
            case "C" | "G":
                return await _or_else(id, self._channel(id))
            case "S":
                return (await _or_else({}, self._groups())).get(id, id)
            case _:
                return (await self._person_of(id)).name

    async def author(self, user: str) -> Author:
        """A person and their rights here: a member's where Slack doesn't tell more."""
        if user == self.me:
            return Author(user, await self.name_of(user), is_bot=True)
        person = await self._person_of(user)
        groups = {g for g in self._moderator_groups if user in await self._members_of(g)}
        return Author(
            user,
            person.name,
            moderator=person.admin or bool(groups),
            admin=person.admin,
            roles=frozenset(groups),
            zone=person.zone,
        )

    async def channel_of(self, user: str, given: str) -> str | None:
        """The id of a channel that the person is in, by its id or name; None for others.

        Asked each time, as it is a right. Raises SlackApiError.
        """
        name = given.removeprefix("<").strip("#>").partition("|")[0]
        kinds = "public_channel,private_channel"
        read = self.client.users_conversations
        async for page in pages(
            read, user=user, team_id=self.team, types=kinds, limit=CHANNELS_PAGE
        ):
            for channel in page.get("channels") or ():
                if name in (channel["id"], channel.get("name")):
                    return str(channel["id"])
        return None

    async def _person_of(self, user: str) -> _Person:
        return await _or_else(_Person(user, admin=False), self._person(user))

    async def _members_of(self, group: str) -> frozenset[str]:
        return await _or_else(frozenset(), self._members(group))

    async def _load_person(self, user: str) -> _Person:
        answer = await self._asked(self.client.users_info, user=user)
        if answer is None:  # of another company, say, or deleted
            return _Person(user, admin=False)
        found = answer["user"]
        profile = found.get("profile", {})
        name = profile.get("display_name") or profile.get("real_name") or found.get("name") or user
        admin = self._has_member(found) and (found.get("is_admin") or found.get("is_owner"))
        return _Person(name, bool(admin), _zone_of(found))

    def _has_member(self, person: dict[str, Any]) -> bool:
        """Whether a person is of this workspace: the rights of others are those at their own.

        https://docs.slack.dev/apis/slack-connect
        """
        teams = person.get("enterprise_user", {}).get("teams", ())
        own = person.get("team_id", self.team) == self.team or self.team in teams
        return own and not person.get("is_stranger")

    async def _load_url(self) -> str:
        return str((await retried(self.client.auth_test))["url"])

    async def _load_channel(self, channel: str) -> str:
        answer = await self._asked(self.client.conversations_info, channel=channel)
        return channel if answer is None else str(answer["channel"].get("name") or channel)

    async def _load_groups(self) -> dict[str, str]:
        """The handles of user groups by their ids."""
        answer = await self._asked(self.client.usergroups_list)
        found = () if answer is None else answer["usergroups"]
        return {group["id"]: group["handle"] for group in found}

    async def _load_members(self, group: str) -> frozenset[str]:
        try:
            found = await self._look_up(self.client.usergroups_users_list, usergroup=group)
        except SlackApiError as error:
            if is_passing(error):
                raise
            if group not in self._unreadable:
                reason = describe(error)
                log.warning("slack.moderator_groups can't be read", group=group, reason=reason)
            self._unreadable.add(group)
            return frozenset()
        return frozenset(found["users"])

    async def _asked(self, call: Call, **arguments: Any) -> Any | None:
        """As `_look_up`; None where Slack refuses, which it will do again. Raises what may pass."""
        try:
            return await self._look_up(call, **arguments)
        except SlackApiError as error:
            if is_passing(error):
                raise
            log.info("slack does not tell something", reason=describe(error))
            return None

    async def _look_up(self, call: Call, **arguments: Any) -> Any:
        """What Slack answers, if it does so while somebody waits for an answer.

        Raises SlackApiError, OSError; TimeoutError is one.
        """
        if time.monotonic() < self._asks_again_at:
            raise _Paused("Slack did not answer a moment ago")
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await retried(call, **arguments)
        except TimeoutError:
            self._asks_again_at = time.monotonic() + PAUSE_SECONDS
            raise

    async def _load_file(self, file: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self._look_up(self.client.files_info, file=file))["file"]
        return found


def _zone_of(person: dict[str, Any]) -> tzinfo:
    try:
        return ZoneInfo(str(person.get("tz") or "UTC"))
    except (KeyError, ValueError, OSError):  # this machine doesn't know the name
        return timezone(timedelta(seconds=int(person.get("tz_offset") or 0)))


async def _or_else(stand_in: T, look_up: Awaitable[T]) -> T:
    """What is looked up, or a stand-in while Slack can't be asked: that is not remembered."""
    try:
        return await look_up
    except _Paused:
        return stand_in
    except (SlackApiError, OSError, ClientError) as error:
        log.warning("slack could not be asked", reason=describe(error))
        return stand_in
