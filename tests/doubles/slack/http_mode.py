"""HTTP mode: signed requests to the app's URL.

https://docs.slack.dev/apis/events-api/using-http-request-urls,
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests.doubles.slack.state import Payload
from tests.doubles.slack.ways import NotTaken, Retry

if TYPE_CHECKING:
    from tests.doubles.slack.world import World

Fraud = Literal["", "wrong secret", "changed body", "stale", "no signature", "no timestamp"]
STALE = 60 * 6
"""Seconds: an honest receiver refuses requests that are older than five minutes."""
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class HttpMode:
    """Posts to `url`, as Slack does."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.url = ""

    async def send(self, kind: str, payload: Payload, retry: Retry | None) -> Payload:
        """Post once; what the app answered with its 200."""
        if kind == "events_api":
            content_type, body = JSON, json.dumps(payload)
        elif kind == "slash_commands":
            content_type, body = FORM, urlencode(payload)
        else:
            content_type, body = FORM, urlencode({"payload": json.dumps(payload)})
        headers = {"Content-Type": content_type}
        if retry:
            headers |= {
                "X-Slack-Retry-Num": str(retry.number),
                "X-Slack-Retry-Reason": retry.reason,
            }
        status, answer, final = await self._post(body, headers | self.signed(body))
        if status != 200:
            raise NotTaken("http_error", final=final)
        if not answer:
            return {}
        return json.loads(answer) if answer.startswith("{") else {"text": answer}

    async def verify(self) -> bool:
        """What Slack does when the URL is entered: url_verification."""
        challenge = str(uuid.uuid4())
        request = {"token": "verification-token", "challenge": challenge}
        body = json.dumps(request | {"type": "url_verification"})
        try:
            sent = await self._post(body, {"Content-Type": JSON} | self.signed(body))
        except NotTaken:
            return False
        status, answer, _ = sent
        return status == 200 and challenge in answer

    async def forge(self, payload: Payload, fraud: Fraud) -> int:
        """Post an event that Slack did not sign, or long ago. The status it is answered with."""
        body = json.dumps(payload)
        sent = await self._post(body, {"Content-Type": JSON} | self.signed(body, fraud))
        return sent[0]

    def signed(self, body: str, fraud: Fraud = "") -> dict[str, str]:
        """The headers that prove where `body` comes from, or fail to."""
        at = str(int(time.time()) - (STALE if fraud == "stale" else 0))
        secret = "wrong" if fraud == "wrong secret" else self._world.app.signing_secret
        signed = f"v0:{at}:{body}{'.' if fraud == 'changed body' else ''}"
        digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}
        left_out = {
            "no signature": "X-Slack-Signature",
            "no timestamp": "X-Slack-Request-Timestamp",
        }
        headers.pop(left_out.get(fraud, ""), None)
        return headers

    async def _post(self, body: str, headers: dict[str, str]) -> tuple[int, str, bool]:
        """The status and text of the answer, and whether it asks for no retry."""
        timeout = ClientTimeout(total=self._world.acknowledge_within)
        try:
            async with (
                ClientSession(timeout=timeout) as session,
                session.post(self.url, data=body.encode(), headers=headers) as response,
            ):
                final = response.headers.get("X-Slack-No-Retry") == "1"
                return response.status, await response.text(), final
        except TimeoutError:
            raise NotTaken("http_timeout") from None
        except (ClientError, asyncio.IncompleteReadError):
            raise NotTaken("connection_failed") from None
