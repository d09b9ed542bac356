"""What people see at one moment, as the platform is sent it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """How a platform shows it."""

    MESSAGE = "message"
    PRIVATE = "only for one person"
    FORM = "form"
    HOME = "home tab"
    STATUS = "status"


@dataclass(frozen=True)
class State:
    """`payload`: the body of the call, as the platform's API takes it."""

    platform: str
    name: str
    kind: Kind
    payload: dict[str, Any]
