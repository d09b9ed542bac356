"""Which calls the asker has to allow. It is decided here, in code, for each call."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.tools.definition import Arguments, Tool
from bot.tools.taint import Taint


class ApprovalReason(StrEnum):
    """Why the asker is asked."""

    ALWAYS = "always"
    """The operator wants it so."""
    WRITES = "writes"
    """It changes something."""
    ADDRESS = "address"
    """It would reach an address that the asker could not see."""
    WORDS = "words"
    """Words would leave, after something was read that may have asked for them."""


@dataclass(frozen=True)
class Approval:
    """A call that waits for its asker.

    key: of this call with these arguments, and of no other.
    """

    key: str
    tool: str
    arguments: str
    reason: ApprovalReason


Ask = Callable[[Approval], Awaitable[bool]]
"""Asks the person; whether the call is allowed."""


def reason_to_ask(tool: Tool, arguments: Arguments, taint: Taint) -> ApprovalReason | None:
    """Why the asker has to allow this call; None where it may be made."""
    if tool.approve == "always":
        return ApprovalReason.ALWAYS
    if tool.writes and (tool.approve == "writes" or taint.tainted):
        return ApprovalReason.WRITES
    if not taint.tainted:
        return None
    if not all(map(taint.was_seen, tool.addresses(arguments))):
        return ApprovalReason.ADDRESS
    # A second search is usual: the short results of the first can't have ordered much.
    if tool.sends_words and not taint.only_results:
        return ApprovalReason.WORDS
    return None


def approval_for(id: str, tool: Tool, arguments: Arguments, reason: ApprovalReason) -> Approval:
    """What the asker is asked about the call `id`."""
    written = json.dumps(arguments, ensure_ascii=False, sort_keys=True)
    key = hashlib.blake2b(f"{id}\0{tool.name}\0{written}".encode(), digest_size=8).hexdigest()
    return Approval(key, tool.name, written, reason)
