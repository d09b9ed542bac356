"""The routes of the bot itself: login, gateway, users, guilds and commands.

https://docs.discord.com/developers/resources/application
"""

from typing import TYPE_CHECKING

from tests.doubles.discord.calls import Answer, Call, Handler
from tests.doubles.discord.errors import ApiError, InvalidForm, at_most
from tests.doubles.discord.messages import Body
from tests.doubles.discord.payloads import (
    Payload,
    application_payload,
    channel_payload,
    guild_payload,
    member_payload,
    user_payload,
)
from tests.doubles.discord.state import Guild, User, snowflake

if TYPE_CHECKING:
    from tests.doubles.discord.world import World


class Application:
    """Handlers: each returns what is answered as JSON, None for 204, or raises ApiError."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def routes(self) -> dict[str, Handler]:
        commands = "/applications/{app}/commands"
        in_guild = "/applications/{app}/guilds/{guild}/commands"
        return {
            "GET /gateway": self.gateway,
            "GET /gateway/bot": self.gateway,
            "GET /users/@me": self.me,
            "POST /users/@me/channels": self.open_dm,
            "GET /users/{user}": self.user,
            "GET /oauth2/applications/@me": self.application,
            "GET /applications/@me": self.application,
            "GET /guilds/{guild}": self.guild,
            "GET /guilds/{guild}/members/{user}": self.member,
            f"GET {commands}": self.commands,
            f"PUT {commands}": self.set_commands,
            f"GET {in_guild}": self.commands,
            f"PUT {in_guild}": self.set_commands,
        }

    def gateway(self, call: Call) -> Answer:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 16}
        answer: Payload = {"url": self._world.gateway.url}
        if call.path.endswith("/bot"):
            answer |= {"shards": self._world.shards, "session_start_limit": limit}
        return answer

    def me(self, _: Call) -> Answer:
        return user_payload(self._world.bot)

    def user(self, call: Call) -> Answer:
        return user_payload(self._user(call))

    def application(self, _: Call) -> Answer:
        return application_payload(self._world)

    def guild(self, call: Call) -> Answer:
        return guild_payload(self._guild(call))

    def member(self, call: Call) -> Answer:
        guild, user = self._guild(call), self._user(call)
        if user.id not in guild.members:
            raise ApiError(10007)
        return member_payload(user, guild)

    def open_dm(self, call: Call) -> Answer:
        user = self._world.users.get(int(call.body["recipient_id"]))
        if user is None:
            raise ApiError(10013)
        return channel_payload(self._world.dm(user, self._world.bot))

    def commands(self, call: Call) -> Answer:
        commands = self._world.commands
        if "guild" in call.parameters:
            return commands.in_guild.get(self._guild(call).id, [])
        return commands.everywhere

    def set_commands(self, call: Call) -> Answer:
        commands, given = self._world.commands, call.body
        guild = self._guild(call) if "guild" in call.parameters else None
        if sum(command.get("type", 1) == 1 for command in given) > 100:
            raise ApiError(30032, 400, "Maximum number of application commands reached (100)")
        for command in given:
            _check_command(command)
        own: Payload = {"application_id": str(self._world.application_id), "version": "1"}
        own |= {"guild_id": str(guild.id)} if guild else {}
        written = [
            {"type": 1, "description": ""} | command | own | {"id": str(snowflake())}
            for command in given
        ]
        if guild:
            commands.in_guild[guild.id] = written
        else:
            commands.everywhere = written
        commands.syncs += 1
        return written

    def _user(self, call: Call) -> User:
        user = self._world.users.get(int(call.parameters["user"]))
        if user is None:
            raise ApiError(10013)
        return user

    def _guild(self, call: Call) -> Guild:
        guild = self._world.guilds.get(int(call.parameters["guild"]))
        if guild is None:
            raise ApiError(10004)
        if not guild.has_bot:
            raise ApiError(50001)
        return guild


def _check_command(command: Body) -> None:
    """https://docs.discord.com/developers/interactions/application-commands"""
    at_most("name", command["name"], 32, least=1)
    if command.get("type", 1) == 1:
        at_most("description", command.get("description") or "", 100, least=1)
    for option in command.get("options") or []:
        _check_command(option | {"type": 1})
        if len(option.get("choices") or []) > 25 or len(option.get("options") or []) > 25:
            raise InvalidForm("options", "BASE_TYPE_BAD_LENGTH", "Must be 25 or fewer.")
