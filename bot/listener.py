"""The sockets that our HTTP servers listen on; the service's may be handed down to it."""

import ipaddress
import os
import socket
from typing import Any

from bot.exit_code import ExitCode

BACKLOG = 2048
LAST_PORT = 65535
HANDED_DOWN = "BOT_LISTENER"
"""In the environment: the file descriptor of a socket that listens already."""


class ListenError(Exception):
    """The address can't be listened on; one line saying why. `exit_code` is the process's."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def bind(
    listen: str, secret: str, keys: tuple[str, str] = ("inference.listen", "inference.api_key")
) -> socket.socket:
    """A listening socket at `listen`, which is HOST:PORT. Raises ListenError.

    Without a `secret` only loopback is listened on. `keys` are the two values' names in the
    configuration.
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > LAST_PORT:
        raise ListenError(f"{listen!r} is not HOST:PORT.", ExitCode.UNUSABLE)
    try:
        infos = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        family, _, _, _, address = infos[0]
        if not secret and not ipaddress.ip_address(address[0]).is_loopback:
            raise ListenError(
                f"{keys[0]} is {listen}, which others can reach: set {keys[1]} too, or listen on"
                " 127.0.0.1.",
                ExitCode.UNUSABLE,
            )
        return _listening(family, address[:2])
    except UnicodeError as error:  # of a host name's label that is empty or too long
        raise ListenError(f"{host!r} is not a host's name.", ExitCode.UNUSABLE) from error
    except OSError as error:
        # The error's own text goes on after the reason, except for names that are not found.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise ListenError(
            f"{keys[0]} is {listen}, but listening there failed: {reason}.",
            ExitCode.FAILURE,
        ) from error


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at an address of the host. Raises OSError."""
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host!r} is not a host's name") from error
    family, _, _, _, address = infos[0]
    return _listening(family, address[:2])


def _listening(family: int, address: Any) -> socket.socket:
    listener = socket.create_server(address, family=family, backlog=BACKLOG)
    # For its connections: asyncio would do so only if the listener named its protocol. Without
    # it the second of two small writes waits for a delayed ACK, some 40 ms (RFC 9293, 3.7.4).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket) -> str:
    """HOST:PORT of a socket that listens."""
    host, port = listener.getsockname()[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def handed_down() -> socket.socket | None:
    """The socket that the parent process listens on; None if it handed none down."""
    descriptor = os.environ.pop(HANDED_DOWN, None)
    if descriptor is None:
        return None
    listener = socket.socket(fileno=int(descriptor))
    listener.set_inheritable(False)
    return listener
