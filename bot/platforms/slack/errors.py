"""What Slack's errors mean, and the way out."""

from slack_sdk.errors import SlackApiError

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
PASSING = {"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"}


def code_of(error: SlackApiError) -> str:
    """Slack's word for the error."""
    return str(error.response.get("error", "")) or f"status {error.response.status_code}"


def describe(error: Exception) -> str:
    """One line about an error: the method, Slack's word for it, and what to do."""
    if not isinstance(error, SlackApiError):
        return str(error)
    code = code_of(error)
    method = error.response.api_url.rpartition("/")[2]
    needed = error.response.get("needed")
    scope = f" ({needed})" if needed else ""
    advice = ADVICE.get(code)
    return f"{method}: {code}{scope}" + (f": {advice}" if advice else "")


def is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, SlackApiError):
        return error.response.status_code >= 500 or code_of(error) in PASSING
    return isinstance(error, OSError)  # aiohttp's errors of a connection, and TimeoutError
