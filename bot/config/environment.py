"""Where `${VAR}` gets its values: the environment, files with secrets, and .env."""

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

from bot.config.errors import ConfigError

DOTENV = Path(".env")
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Set by systemd: https://systemd.io/CREDENTIALS/"""
SECRETS = Path("/run/secrets")
"""Where Docker puts a container's: https://docs.docker.com/compose/how-tos/use-secrets/"""

_read: dict[str, str] = {}
"""The variables that .env added to this process's environment."""


@dataclass(frozen=True)
class Variable:
    """A value, and where it came from in words that don't show it."""

    value: str
    origin: str


def read_dotenv() -> None:
    """Add what .env in the current folder says to the environment, where that says nothing.

    Libraries read their variables there: HTTPS_PROXY, HF_TOKEN, OTEL_*. Some take an empty one for
    a value, so those stay out. Raises ConfigError.
    """
    if not DOTENV.exists() or DOTENV.is_dir():
        return
    from dotenv import dotenv_values  # only where there is the file
    from dotenv.parser import parse_stream

    text = _decoded(DOTENV)
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            line = binding.original.line
            raise ConfigError([f"{DOTENV}:{line}: this line can't be read, allowed: NAME=value"])
    for name, value in dotenv_values(stream=io.StringIO(text)).items():
        if not value or name in os.environ:
            continue
        if "\0" in name + value:
            raise ConfigError([f"{DOTENV}: {name!r} has a NUL character"])
        os.environ[name] = _read[name] = value.strip()


def write_dotenv(values: dict[str, str]) -> None:
    """Set variables in .env, which only its owner can read then, and in this process.

    What else stands there stays. Raises ConfigError.
    """
    from dotenv import set_key

    try:
        if DOTENV.exists():
            DOTENV.write_text(_decoded(DOTENV), encoding="utf-8")  # it may have been UTF-16
        DOTENV.touch(mode=0o600)
        DOTENV.chmod(0o600)
        for name, value in values.items():
            plain = re.fullmatch(
                r"[\w./:@+=-]*", value
            )  # for readers that keep quotes, as docker's
            set_key(DOTENV, name, value, quote_mode="never" if plain else "always")
            os.environ[name] = _read[name] = value
        DOTENV.chmod(0o600)
    except OSError as error:
        raise ConfigError([f"{DOTENV}: can't be written: {error.strerror}"]) from error


def find_variable(name: str) -> Variable | None:
    """The variable `name`, or the content of the file that holds it. Raises ConfigError.

    In this order: NAME, the file that NAME_FILE names, systemd's credential, Docker's secret; the
    two may have the name in small letters. One that is empty counts as missing, as in sh.
    """
    if value := os.environ.get(name, "").strip():
        return Variable(value, _origin(name))
    if named := os.environ.get(f"{name}_FILE"):
        origin = f"{_origin(f'{name}_FILE')}, the file {named}"
        return Variable(_decoded(Path(named), f"{name}_FILE names ").strip(), origin)
    folders = [Path(os.environ[CREDENTIALS])] if CREDENTIALS in os.environ else []
    for folder in (*folders, SECRETS):
        for file in (folder / name, folder / name.lower()):
            if file.is_file() and (value := _decoded(file).strip()):
                return Variable(value, str(file))
    return None


def _origin(name: str) -> str:
    from_dotenv = name in _read and os.environ[name] == _read[name]
    return f"{name} in {DOTENV if from_dotenv else 'the environment'}"


def _decoded(file: Path, what: str = "") -> str:
    """The text of a file that any editor saved: UTF-8, or UTF-16 with its byte order mark."""
    try:
        data = file.read_bytes()
        utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return data.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{what}{file}: is not UTF-8 text (byte {error.start})"]) from error
    except OSError as error:
        raise ConfigError([f"{what}{file}: can't be read: {error.strerror}"]) from error
