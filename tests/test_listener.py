"""Where the service may listen, and the socket it listens on."""

import socket

import pytest

from bot.exit_code import ExitCode
from bot.listener import HANDED_DOWN, ListenError, address_of, bind, handed_down

KEY = "sesame"
REACHABLE = ["0.0.0.0:0", "[::]:0", "0:0", "[::ffff:0.0.0.0]:0"]
"""Addresses that machines other than this one may reach, in ways to write them."""


@pytest.mark.parametrize("listen", REACHABLE)
def test_without_a_key_only_this_machine_is_listened_to(listen: str) -> None:
    with pytest.raises(ListenError, match=r"others can reach: set inference\.api_key") as info:
        bind(listen, secret="")
    assert info.value.exit_code is ExitCode.UNUSABLE


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.0.0.2:0", "localhost:0", "[::1]:0"])
def test_this_machine_is_listened_to_without_a_key(listen: str) -> None:
    with bind(listen, secret="") as listener:
        assert listener.getsockname()[0].startswith(("127.", "::1"))


def test_with_a_key_every_address_may_be_listened_to() -> None:
    with bind("0.0.0.0:0", KEY) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_address_is_told_as_it_is_written_in_the_configuration(host: str) -> None:
    with bind(f"{host}:0", "") as listener:
        assert address_of(listener) == f"{host}:{listener.getsockname()[1]}"


def test_what_is_written_to_a_client_leaves_at_once() -> None:
    with bind("127.0.0.1:0", "") as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "listen",
    ["8000", ":8000", "127.0.0.1", "localhost:http", "127.0.0.1:70000", f"{'a' * 64}.b:80"],
)
def test_what_is_no_address_is_named(listen: str) -> None:
    with pytest.raises(ListenError, match="is not "):
        bind(listen, KEY)


def test_a_host_that_is_not_this_machines_is_one_clear_line() -> None:
    with pytest.raises(ListenError, match="listening there failed: Cannot assign"):
        bind("192.0.2.1:0", KEY)


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError) as info:
            bind(address, "")
    assert str(info.value) == (
        f"inference.listen is {address}, but listening there failed: Address already in use."
    )


def test_a_socket_that_was_handed_down_is_listened_on_and_goes_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bind("127.0.0.1:0", "") as listener:
        monkeypatch.setenv(HANDED_DOWN, str(listener.fileno()))
        taken = handed_down()
        assert taken is not None
        assert taken.getsockname() == listener.getsockname()
        assert handed_down() is None
        taken.detach()
