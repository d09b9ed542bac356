"""A workspace as the bot sees it: its Web API, and its people."""

from dataclasses import dataclass
from typing import Any

import structlog
from async_lru import alru_cache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.conversation.events import Author
from bot.platforms.slack.errors import describe
from bot.platforms.slack.sending import retried

log = structlog.get_logger()

REMEMBERED_SECONDS = 600.0
"""How long a name, or who is in a user group, is taken to be as it was."""


@dataclass(frozen=True)
class _Person:
    name: str
    admin: bool


class Workspace:
    """`team` is its id, `me` the bot's user id there. `moderator_groups` are ids of user groups."""

    def __init__(
        self, team: str, me: str, client: AsyncWebClient, moderator_groups: frozenset[str]
    ) -> None:
        self.team = team
        self.me = me
        self.client = client
        self._moderator_groups = moderator_groups
        self.file_info = alru_cache(maxsize=1000, ttl=REMEMBERED_SECONDS)(self._load_file)
        """What Slack tells of the file with an id. Raises SlackApiError."""
        self._person = alru_cache(maxsize=10_000, ttl=REMEMBERED_SECONDS)(self._load_person)
        self._channel = alru_cache(maxsize=1000, ttl=REMEMBERED_SECONDS)(self._load_channel)
        self._groups = alru_cache(maxsize=1, ttl=REMEMBERED_SECONDS)(self._load_groups)
        self._members = alru_cache(maxsize=100, ttl=REMEMBERED_SECONDS)(self._load_members)

    async def name_of(self, id: str) -> str:
        """The name of a user, channel or user group; the id where it can't be read."""
        match id[:1]:
            case "C" | "G":
                return await self._channel(id)
            case "S":
                return (await self._groups()).get(id, id)
            case _:
                return (await self._person(id)).name

    async def author(self, user: str) -> Author:
        """A person and their rights here: a member's where Slack doesn't tell more."""
        if user == self.me:
            return Author(user, await self.name_of(user), is_bot=True)
        person = await self._person(user)
        groups = {g for g in self._moderator_groups if user in await self._members(g)}
        return Author(
            user,
            person.name,
            moderator=person.admin or bool(groups),
            admin=person.admin,
            roles=frozenset(groups),
        )

    async def _load_person(self, user: str) -> _Person:
        try:
            found = (await retried(self.client.users_info, user=user))["user"]
        except SlackApiError as error:  # of another company, say, or deleted
            log.info("slack: a person is not told of", reason=describe(error))
            return _Person(user, admin=False)
        profile = found.get("profile", {})
        name = profile.get("display_name") or profile.get("real_name") or found.get("name") or user
        admin = self._has_member(found) and (found.get("is_admin") or found.get("is_owner"))
        return _Person(name, bool(admin))

    def _has_member(self, person: dict[str, Any]) -> bool:
        """Whether a person is of this workspace: the rights of others are those at their own.

        https://docs.slack.dev/apis/slack-connect
        """
        teams = person.get("enterprise_user", {}).get("teams", ())
        own = person.get("team_id", self.team) == self.team or self.team in teams
        return own and not person.get("is_stranger")

    async def _load_channel(self, channel: str) -> str:
        try:
            found = await retried(self.client.conversations_info, channel=channel)
        except SlackApiError:  # private, or the scope to ask is missing
            return channel
        return str(found["channel"].get("name") or channel)

    async def _load_groups(self) -> dict[str, str]:
        """The handles of user groups by their ids."""
        try:
            found = await retried(self.client.usergroups_list)
        except SlackApiError:  # the scope to ask is missing, or the plan has none
            return {}
        return {group["id"]: group["handle"] for group in found["usergroups"]}

    async def _load_members(self, group: str) -> frozenset[str]:
        try:
            found = await retried(self.client.usergroups_users_list, usergroup=group)
        except SlackApiError as error:
            log.warning("slack.moderator_groups can't be read", group=group, reason=describe(error))
            return frozenset()
        return frozenset(found["users"])

    async def _load_file(self, file: str) -> dict[str, Any]:
        found: dict[str, Any] = (await retried(self.client.files_info, file=file))["file"]
        return found
