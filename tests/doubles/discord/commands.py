"""The commands that a bot registers, and where Discord offers them to whom.

https://docs.discord.com/developers/interactions/application-commands
"""

from dataclasses import dataclass, field

from tests.doubles.discord.messages import Body
from tests.doubles.discord.state import Channel, User, bits

IN_GUILD, WITH_BOT, PRIVATE = 0, 1, 2
"""Contexts that a command is used in."""
GUILD_INSTALL, USER_INSTALL = 0, 1


@dataclass
class Commands:
    """The commands that the bot registered."""

    everywhere: list[Body] = field(default_factory=list)
    in_guild: dict[int, list[Body]] = field(default_factory=dict)
    syncs: int = 0
    """How often the bot wrote them."""

    @property
    def names(self) -> list[str]:
        return [command["name"] for command in self.everywhere]

    def offered(self, name: str, kind: int, user: User, channel: Channel) -> Body:
        """The command as Discord offers it to `user` there; asserts that it does."""
        guild = channel.guild
        available = self.in_guild.get(guild.id, []) if guild else []
        here = [*available, *self.everywhere]
        found = [c for c in here if c["name"] == name and c["type"] == kind]
        assert found, f"no command {name!r} is registered: {self.names}"
        command = found[0]
        contexts = command.get("contexts")
        assert contexts is None or context_of(channel) in contexts, f"{name!r} is not for here"
        installs = command.get("integration_types") or [GUILD_INSTALL]
        needed = GUILD_INSTALL if guild and guild.has_bot else USER_INSTALL
        in_dm = context_of(channel) == WITH_BOT
        assert in_dm or needed in installs, f"{name!r} can't be installed that way"
        rights = command.get("default_member_permissions")
        if guild and rights is not None:
            wanted = int(rights) or bits("administrator")
            allowed = channel.permissions_of(user)
            assert allowed & wanted == wanted, f"{user.name} may not use {name!r}"
        return command


def context_of(channel: Channel) -> int:
    if channel.guild is not None:
        return IN_GUILD
    return WITH_BOT if channel.world.bot in channel.recipients else PRIVATE
