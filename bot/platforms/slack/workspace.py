"""A workspace as the bot sees it: its Web API, and its people."""

from dataclasses import dataclass

from async_lru import alru_cache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.conversation.events import Author
from bot.platforms.slack.sending import retried

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
        self._person = alru_cache(maxsize=10_000, ttl=REMEMBERED_SECONDS)(self._load_person)
        self._members = alru_cache(maxsize=100, ttl=REMEMBERED_SECONDS)(self._load_members)

    async def name_of(self, user: str) -> str:
        """The name that the user shows; the id where it can't be read."""
        return (await self._person(user)).name

    async def author(self, user: str) -> Author:
        """A person and their rights here. Raises SlackApiError."""
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
        except SlackApiError as error:
            if error.response.get("error") not in ("missing_scope", "user_not_found"):
                raise
            return _Person(user, admin=False)
        profile = found.get("profile", {})
        name = profile.get("display_name") or profile.get("real_name") or found.get("name") or user
        return _Person(name, bool(found.get("is_admin") or found.get("is_owner")))

    async def _load_members(self, group: str) -> frozenset[str]:
        found = await retried(self.client.usergroups_users_list, usergroup=group)
        return frozenset(found["users"])
