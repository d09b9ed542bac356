"""What Slack's errors mean, and the way out."""

from typing import Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError

from bot.one_line import one_line

ADVICE = {
    "account_inactive": "the app was removed from the workspace: install it again",
    "app_missing_action_url": "the manifest lacks interactivity: create the app from"
    " config/slack-manifest.yaml",
    "channel_not_found": "the channel is gone, or private and without the bot: invite it there",
    "invalid_auth": "the token is wrong: copy it again from the app's page",
    "is_archived": "the channel is archived",
    "missing_scope": "the app lacks a scope: add it under OAuth & Permissions and install again",
    "not_authed": "the token is wrong: copy it again from the app's page",
    "not_in_channel": "the bot is not in the channel: /invite it there",
    "ratelimited": "Slack allows no more calls now: it is tried again later",
    "token_expired": "the token has expired: install the app again",
    "token_revoked": "the token was revoked: install the app again",
}
PASSING = {
    *("fatal_error", "internal_error", "request_timeout", "service_unavailable"),
    *("rate_limited", "ratelimited"),
    *("org_login_required", "team_added_to_org"),  # the workspace is being moved
}
REFUSED_FORM = {"invalid_arguments", "msg_too_long", "only_one_table_allowed"}
"""Besides what names blocks: a message's form that Slack doesn't take; its words it may."""
LATE = {"exchanged_trigger_id", "expired_trigger_id", "trigger_exchanged", "trigger_expired"}
"""The press that a form was to be opened with is too old, or was used."""


def code_of(error: SlackApiError) -> str:
    """Slack's word for the error; where it gives none, the status."""
    return str(_answer(error).get("error") or "") or f"status {_status(error)}"


def describe(error: BaseException) -> str:
    """One line about an error: the method, Slack's word for it, and what to do."""
    if not isinstance(error, SlackApiError):
        return one_line(error)
    code, answer = code_of(error), _answer(error)
    method = str(getattr(error.response, "api_url", "")).rpartition("/")[2]
    needed = f" ({answer['needed']})" if answer.get("needed") else ""
    advice = ADVICE.get(code)
    return f"{method}: {code}{needed}" + (f": {advice}" if advice else "")


def messages_of(error: BaseException) -> list[str]:
    """What Slack says is wrong in the arguments: rules and pointers, no texts."""
    if not isinstance(error, SlackApiError):
        return []
    found = (_answer(error).get("response_metadata") or {}).get("messages") or []
    return [str(message) for message in found]


def is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, SlackApiError):
        return _status(error) >= 500 or code_of(error) in PASSING
    return isinstance(error, OSError | ClientError)  # TimeoutError is an OSError


def is_late(error: BaseException) -> bool:
    """Whether a form was to be opened too long after the press."""
    return isinstance(error, SlackApiError) and code_of(error) in LATE


def refuses_blocks(error: BaseException) -> bool:
    """Whether only the blocks of a message were refused."""
    if not isinstance(error, SlackApiError):
        return False
    code = code_of(error)
    return code in REFUSED_FORM or "block" in code or "attachment" in code


def _answer(error: SlackApiError) -> dict[str, Any]:
    """What Slack answered; a proxy before it may have answered without JSON."""
    data = getattr(error.response, "data", None)
    return data if isinstance(data, dict) else {}


def _status(error: SlackApiError) -> int:
    response = error.response  # of aiohttp where it was no JSON
    return int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
