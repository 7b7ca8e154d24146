"""Which hosts our process may be sent to by a URL that somebody else wrote.

A URL can name a machine in our own network, by number, by a name that resolves
to one, or by a name that resolves differently the second time. So a name is
resolved once, every address it has must be public, and the connection then goes
to one of these very addresses.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable

#: host and port in, addresses out; raises OSError when the name cannot be resolved
Resolver = Callable[[str, int], Awaitable[list[str]]]

#: the part of IPv6 that is routed in public, and what is reserved inside it
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_RESERVED_V6 = [ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20")]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: protocol assignments and the old 6to4 relays; Python counts parts of both as public
_RESERVED_V4 = [ipaddress.IPv4Network(text) for text in ("192.0.0.0/24", "192.88.99.0/24")]

_HOST_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
#: 127.1, 0x7f.0.0.1 and 2130706433 are numbers to a resolver, though not to Python
_NUMERIC_HOST = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)


async def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system for all addresses of a host, in the order in which to try them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public_address(address: str) -> bool:
    """Tell whether an IP address belongs to the open internet.

    IPv6 addresses that stand for an IPv4 one are judged by that one. Anything
    that is no address at all is not public.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = _embedded_ipv4(found)
        return _is_public_v6(found) if inner is None else _is_public_v4(inner)
    return _is_public_v4(found)


def is_ip_address(host: str) -> bool:
    """Tell whether the host of a URL is an IP address in its usual spelling."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_unambiguous_host(host: str) -> bool:
    """Tell whether a host is an IP address or a name, spelled so that everybody reads the same."""
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
