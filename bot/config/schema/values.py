"""What single values of the configuration file may be: each check says what is allowed."""

import base64
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from bot.config.builtin import builtin_languages

FERNET_BYTES = 32
PERSONA_NAME = re.compile(r"[a-z0-9_-]{1,32}")


class Section(BaseModel):
    """Keys of the file. docs/settings.md takes what they mean from the comments in config/bot.yaml;
    those that stand there as examples only have it here.

    Sections that are left out are made by factories: an instance would have its validator built as
    soon as this file is imported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 <= int(port) <= 65535):
        raise ValueError("allowed: HOST:PORT, such as 127.0.0.1:8000")
    return value


def _web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+\S*", value):
        raise ValueError("allowed: an address that begins with http:// or https://")
    return value


def _origin(value: str) -> str:
    if not re.fullmatch(r"\*|https?://[^\s/]+", value):
        raise ValueError("allowed: * or an origin, such as https://chat.example.org")
    return value


def _database(value: str) -> str:
    if not re.fullmatch(r"\w+\+\w+://.*", value):
        raise ValueError(
            "allowed: an SQLAlchemy URL with an asynchronous driver,"
            " such as sqlite+aiosqlite:///data/bot.db"
        )
    return value


def _unless_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: check(value) if value else value


def _folder(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError as error:
        raise ValueError("allowed: a folder; ~ is the home of a user of this machine") from error


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ValueError("allowed: auto, cpu, cuda, cuda:0, cuda:1, …")
    return value


def _language(value: str) -> str:
    if value not in builtin_languages():
        raise ValueError(f"allowed: {', '.join(builtin_languages())}")
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise ValueError(
            "allowed: a name such as Europe/Berlin, America/New_York or UTC"
        ) from error
    return value


def _sendable(value: SecretStr) -> SecretStr:
    """Secrets go into HTTP headers (RFC 9110, 5.5)."""
    if not re.fullmatch(r"[!-~]*", value.get_secret_value()):
        raise ValueError("allowed: letters, digits and signs of ASCII, without spaces")
    return value


def _header(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[ -~]*", value.get_secret_value()):
        raise ValueError("allowed: letters, digits, signs and spaces of ASCII")
    return value


def fernet_keys(value: str) -> list[str]:
    """Keys with commas between, in base64 of either alphabet, as Fernet takes them (base64url)."""
    return [key.strip().translate(str.maketrans("+/", "-_")) for key in value.split(",")]


def _token_keys(value: SecretStr) -> SecretStr:
    for key in fernet_keys(value.get_secret_value()) if value else []:
        try:
            right = len(base64.b64decode(key, altchars="-_", validate=True)) == FERNET_BYTES
        except ValueError:
            right = False
        if not right:
            raise ValueError(
                "allowed: 32 random bytes in base64, as `openssl rand -base64 32` makes them,"
                " and older such keys after commas"
            )
    return value


def _words(value: Any) -> Any:
    """A command as people write it is its words."""
    try:
        return shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"allowed: a command and its arguments; {error}") from error


def _command_prefix(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]{0,20}", value):
        raise ValueError("allowed: at most 20 of a-z, 0-9, - and _, such as bot-")
    return value


def _mcp_name(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9-]{1,24}", name):
        raise ValueError("allowed: 1 to 24 letters, digits and -")
    return name


def _persona_name(name: str) -> str:
    if not PERSONA_NAME.fullmatch(name):
        raise ValueError("allowed: 1 to 32 of a-z, 0-9, - and _")
    return name


def _host_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value):
        raise ValueError("allowed: a host's name without a port, such as bot.example.org")
    return value.lower()


Address = Annotated[str, AfterValidator(_address)]
OptionalAddress = Annotated[str, AfterValidator(_unless_empty(_address))]
WebAddress = Annotated[str, AfterValidator(_web_address)]
OptionalWebAddress = Annotated[str, AfterValidator(_unless_empty(_web_address))]
Origin = Annotated[str, AfterValidator(_origin)]
HostName = Annotated[str, AfterValidator(_host_name)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
Folder = Annotated[Path, AfterValidator(_folder)]
Device = Annotated[str, AfterValidator(_device)]
Language = Annotated[str, AfterValidator(_language)]
TimeZone = Annotated[str, AfterValidator(_unless_empty(_time_zone))]
Secret = Annotated[SecretStr, AfterValidator(_sendable)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header)]
TokenKeys = Annotated[Secret, AfterValidator(_token_keys)]
CommandLine = Annotated[list[str], BeforeValidator(_words)]
CommandPrefix = Annotated[str, AfterValidator(_command_prefix)]
McpName = Annotated[str, AfterValidator(_mcp_name)]
PersonaName = Annotated[str, AfterValidator(_persona_name)]
Ids = frozenset[Annotated[str, Field(coerce_numbers_to_str=True)]]
