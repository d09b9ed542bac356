"""The methods auth.test, users.info, usergroups.*, apps.connections.open."""

from typing import TYPE_CHECKING

from tests.doubles.slack.calls import Call, Handler
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.payloads import user_payload
from tests.doubles.slack.state import Payload, UserGroup

if TYPE_CHECKING:
    from tests.doubles.slack.world import World


class People:
    def __init__(self, world: "World") -> None:
        self._world = world

    def methods(self) -> dict[str, Handler]:
        return {
            "apps.connections.open": self.connect,
            "auth.test": self.whoami,
            "users.info": self.user,
            "usergroups.list": self.groups,
            "usergroups.users.list": self.members,
        }

    def connect(self, _: Call) -> Payload:
        return {"url": self._world.socket.ticket()}

    def whoami(self, call: Call) -> Payload:
        by, home = call.by, call.by.home
        workspace = by.workspaces[0]
        answer = {
            "url": f"https://{workspace.domain}.slack.com/",
            "team": home.name,
            "team_id": home.id,
            "user": workspace.bot.name,
            "user_id": workspace.bot.id,
            "bot_id": workspace.bot_id,
            "is_enterprise_install": by.org_wide,
        }
        return answer | ({"enterprise_id": by.grid.id} if by.grid else {})

    def user(self, call: Call) -> Payload:
        return {"user": user_payload(call.by.user(call.get("user")))}

    def groups(self, call: Call) -> Payload:
        found = [_group(group) for w in call.by.workspaces for group in w.groups]
        return {"usergroups": found}

    def members(self, call: Call) -> Payload:
        for workspace in call.by.workspaces:
            for group in workspace.groups:
                if group.id == call.get("usergroup"):
                    return {"users": [user.id for user in group.users]}
        raise SlackError("no_such_subteam")


def _group(group: UserGroup) -> Payload:
    return {"id": group.id, "name": group.name, "handle": group.name, "is_usergroup": True}
