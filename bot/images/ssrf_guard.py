"""Which hosts an untrusted URL may lead to: protection against server-side request forgery (SSRF).

A URL can reach a host in our own network by its address, by a name that resolves to it, or by a name that resolves
differently the second time (DNS rebinding). So a name is resolved once, all its addresses must be public, and the
connection goes to one of them.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable

#: Resolves a host and a port to IP addresses. Raises OSError.
Resolver = Callable[[str, int], Awaitable[list[str]]]

#: The public unicast range of IPv6, and the reserved ranges inside it.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_RESERVED_V6 = [ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20")]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Protocol assignments and the old 6to4 relays; Python counts parts of both as public.
_RESERVED_V4 = [ipaddress.IPv4Network(text) for text in ("192.0.0.0/24", "192.88.99.0/24")]

_HOST_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
#: Resolvers accept 127.1, 0x7f.0.0.1 and 2130706433 as addresses; Python's `ipaddress` does not.
_NUMERIC_HOST = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)


async def resolve_host(host: str, port: int) -> list[str]:
    """Return all IP addresses of a host, in the order in which to try them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public_address(address: str) -> bool:
    """Tell whether an IP address is on the public internet; False for anything but an IP address.

    For an IPv6 address that embeds an IPv4 address, the latter counts.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return _is_public_v4(parsed)
    embedded = _embedded_ipv4(parsed)
    return _is_public_v6(parsed) if embedded is None else _is_public_v4(embedded)


def is_ip_address(host: str) -> bool:
    """Tell whether the host of a URL is an IP address in its usual notation."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_unambiguous_host(host: str) -> bool:
    """Tell whether a host is an IP address or a name that every resolver reads the same way."""
    return is_ip_address(host) or (_HOST_NAME.fullmatch(host) is not None and _NUMERIC_HOST.fullmatch(host) is None)


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_public_v6(address: ipaddress.IPv6Address) -> bool:
    reserved = any(address in network for network in _RESERVED_V6)
    return address in _PUBLIC_V6 and address.is_global and not reserved


def _is_public_v4(address: ipaddress.IPv4Address) -> bool:
    reserved = address.is_multicast or any(address in network for network in _RESERVED_V4)
    return address.is_global and not reserved
