"""Discord's errors: https://docs.discord.com/developers/topics/opcodes-and-status-codes"""

from typing import Any

MESSAGES = {
    0: "401: Unauthorized",
    10003: "Unknown Channel",
    10004: "Unknown Guild",
    10007: "Unknown Member",
    10008: "Unknown Message",
    10013: "Unknown User",
    10015: "Unknown Webhook",
    10062: "Unknown interaction",
    40005: "Request entity too large",
    40060: "Interaction has already been acknowledged.",
    50001: "Missing Access",
    50003: "Cannot execute action on a DM channel",
    50005: "Cannot edit a message authored by another user",
    50006: "Cannot send an empty message",
    50007: "Cannot send messages to this user",
    50013: "Missing Permissions",
    50024: "Cannot execute this action on this channel type",
    50027: "Invalid Webhook Token",
    50083: "Thread is archived",
    160002: "Cannot reply without permission to read message history",
    160004: "A thread has already been created for this message",
    160005: "Thread is locked",
}
FORBIDDEN = {50001, 50003, 50005, 50007, 50013, 160002}
STATUSES = {0: 401, 40005: 413, 50027: 401} | dict.fromkeys(FORBIDDEN, 403)


class ApiError(Exception):
    """An error as Discord answers it: `code` decides the status unless that is given."""

    def __init__(self, code: int, status: int | None = None, message: str | None = None) -> None:
        usual = 404 if 10000 <= code < 20000 else 400
        self.status = status or STATUSES.get(code, usual)
        self.body: dict[str, Any] = {
            "message": message or MESSAGES.get(code, "scripted"),
            "code": code,
        }
        super().__init__(f"{self.status} {self.body}")


class InvalidForm(ApiError):
    """Code 50035: `field` (dotted) is not as it must be."""

    def __init__(self, field: str, kind: str, message: str) -> None:
        super().__init__(50035, message="Invalid Form Body")
        errors: dict[str, Any] = {"_errors": [{"code": kind, "message": message}]}
        for name in reversed(field.split(".")):
            errors = {name: errors}
        self.body["errors"] = errors


def at_most(field: str, text: str | None, length: int, least: int = 0) -> None:
    """Refuse `text` that is longer than `length` or shorter than `least` characters."""
    if text is not None and not least <= len(text) <= length:
        rule = f"between {least} and {length}" if least else f"{length} or fewer"
        raise InvalidForm(field, "BASE_TYPE_BAD_LENGTH", f"Must be {rule} in length.")
