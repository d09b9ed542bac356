"""OAuth: the page where a person allows the app, and oauth.v2.access.

https://docs.slack.dev/authentication/installing-with-oauth
"""

import re
import secrets
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING

from aiohttp import ClientResponse, ClientSession
from yarl import URL

from tests.doubles.slack.calls import Call, Handler
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.people import Person
from tests.doubles.slack.state import Grid, Payload, Workspace

if TYPE_CHECKING:
    from tests.doubles.slack.world import World

AUTHORIZE = "/oauth/v2/authorize"


@dataclass
class Grant:
    """What a code is good for."""

    person: Person
    home: Workspace | Grid
    scopes: set[str]
    redirect_uri: str
    used: bool = False


class OAuth:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._grants: dict[str, Grant] = {}

    def methods(self) -> dict[str, Handler]:
        return {"oauth.v2.access": self.access}

    async def install(
        self, person: Person, url: str, *, org_wide: bool = False, deny: bool = False
    ) -> tuple[int, str]:
        """Go to the app's install URL and allow what it asks for, or not; how that ends.

        Cookies are carried by hand: browsers reach the app by https, as "Secure" demands.
        """
        async with ClientSession() as browser:
            async with browser.get(url, allow_redirects=False) as page:
                cookies = {name: morsel.value for name, morsel in page.cookies.items()}
                authorize = await _link_to_slack(page)
            back = self._decide(person, authorize, URL(url), org_wide=org_wide, deny=deny)
            async with browser.get(back, headers=_header(cookies)) as end:
                return end.status, await end.text()

    def _decide(
        self, person: Person, authorize: URL, install: URL, *, org_wide: bool, deny: bool
    ) -> URL:
        """Where Slack sends the browser back to."""
        query = authorize.query
        assert query.get("client_id") == self._world.app.client_id, "invalid_client_id"
        asked = set(query["scope"].split(","))
        assert asked <= self._world.app.scopes, f"invalid_scope: {asked - self._world.app.scopes}"
        usual = install.with_path("/slack/oauth_redirect").with_query(None)
        redirect_uri = query.get("redirect_uri", "")
        if deny:
            answer = {"error": "access_denied"}
        else:
            code = secrets.token_hex(8)
            home = person.workspace.grid if org_wide else person.workspace
            assert home is not None, f"{person.workspace} is in no organisation"
            self._grants[code] = Grant(person, home, asked, redirect_uri)
            answer = {"code": code}
        return URL(redirect_uri or str(usual)).update_query(answer | {"state": query["state"]})

    def access(self, call: Call) -> Payload:
        app = self._world.app
        id, secret = call.credentials
        if (id or call.get("client_id")) != app.client_id:
            raise SlackError("invalid_client_id")
        if (secret or call.get("client_secret")) != app.client_secret:
            raise SlackError("bad_client_secret")
        grant = self._grants.get(call.get("code"))
        if grant is None:
            raise SlackError("invalid_code")
        if grant.used:
            raise SlackError("code_already_used")
        if grant.redirect_uri != call.get("redirect_uri"):
            raise SlackError("bad_redirect_uri")
        grant.used = True
        installation = self._world.install(grant.home)
        installation.scopes = grant.scopes
        org = installation.grid
        team = None if isinstance(grant.home, Grid) else grant.home
        return {
            "access_token": installation.token,
            "token_type": "bot",
            "scope": ",".join(sorted(grant.scopes)),
            "bot_user_id": grant.person.workspace.bot.id,
            "app_id": app.id,
            "team": {"id": team.id, "name": team.name} if team else None,
            "enterprise": {"id": org.id, "name": org.name} if org else None,
            "is_enterprise_install": installation.org_wide,
            "authed_user": {"id": grant.person.id},
        }


async def _link_to_slack(page: ClientResponse) -> URL:
    """The authorize URL: a redirect goes there, or a link on the page."""
    if location := page.headers.get("Location"):
        return URL(location)
    links = re.findall(rf'href="([^"]*{re.escape(AUTHORIZE)}[^"]*)"', await page.text())
    assert links, f"no way to Slack from {page.url}: {page.status}"
    return URL(unescape(links[0]))


def _header(cookies: dict[str, str]) -> dict[str, str]:
    pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {"Cookie": pairs} if pairs else {}
