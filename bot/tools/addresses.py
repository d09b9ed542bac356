"""Which addresses may be reached: those that are public, however they are written."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")
_NOT_PUBLIC = [
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # of protocols; Python calls some of it global
        "192.88.99.0/24",  # relays of 6to4
        "64:ff9b:1::/48",  # NAT64 of one's own network
        "2001::/32",  # Teredo: an IPv4 address inside, behind whatever NAT
        "fec0::/10",
    )
]


class NotPublic(OSError):
    """A host that has an address which is not public; nothing was sent to it."""


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, also inside a form that holds an IPv4 address.

    https://www.iana.org/assignments/iana-ipv6-special-registry
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and (inside := _ipv4_in(ip)) is not None:
        ip = inside
    if any(ip.version == network.version and ip in network for network in _NOT_PUBLIC):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _ipv4_in(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is reached by way of a mapped, 6to4 or NAT64 one."""
    if ip.ipv4_mapped or ip.sixtofour:
        return ip.ipv4_mapped or ip.sixtofour
    for network in (_NAT64, _COMPATIBLE):
        assert isinstance(network, IPv6Network)
        if ip in network:
            return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


async def addresses_of(host: str, port: int, *, trusted: bool) -> list[str]:
    """The addresses of a host, for a connection to one of them and to nothing looked up later.

    Unless the host is trusted, one address that is not public refuses them all: a name that leads
    to both kinds was made to reach the private one. Raises OSError.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not trusted and not all(map(is_public, addresses)):
        raise NotPublic(f"{host} is not a public address")
    return addresses
