"""Which addresses are public, and which hosts are unambiguous."""

import pytest

from bot.images.ssrf_guard import is_public_address, is_unambiguous_host, resolve_host

PUBLIC = [
    "8.8.8.8",
    "104.16.0.1",
    "2606:4700::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]

PRIVATE = {
    "this network": "0.0.0.0",  # noqa: S104 # judged, not listened on
    "loopback": "127.0.0.1",
    "all of loopback": "127.255.255.254",
    "private 10": "10.0.0.1",
    "private 172": "172.31.255.255",
    "private 192": "192.168.1.1",
    "cloud metadata": "169.254.169.254",
    "carrier NAT": "100.64.0.1",
    "protocol assignments": "192.0.0.8",
    "documentation": "203.0.113.7",
    "benchmarks": "198.18.0.1",
    "6to4 relays": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 unspecified": "::",
    "v6 loopback": "::1",
    "v6 link-local": "fe80::1",
    "v6 link-local with a zone": "fe80::1%eth0",
    "v6 site-local": "fec0::1",
    "v6 unique local": "fd00::1",
    "v6 multicast": "ff0e::1",
    "v6 documentation": "2001:db8::1",
    "v6 newer documentation": "3fff::1",
    "teredo": "2001:0:808:808::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped metadata": "::ffff:169.254.169.254",
    "compatible loopback": "::127.0.0.1",
    "6to4 of a private network": "2002:a00:1::1",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of one's own": "64:ff9b:1::1",
    "segment routing": "5f00::1",
    "a name": "example.com",
    "nothing": "",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE.keys())
def test_everything_else_is_not(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize("host", ["example.com", "a-b.c_d.example.com", "127.0.0.1", "::1", "1e100.net", "0x.org"])
def test_ordinary_hosts_are_plain(host: str) -> None:
    assert is_unambiguous_host(host)


@pytest.mark.parametrize(
    "host", ["", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "a%20b", "a,b", "10.0x1"]
)
def test_hosts_that_hide_a_number_are_not_plain(host: str) -> None:
    assert not is_unambiguous_host(host)


async def test_the_system_resolves_an_address_to_itself_once() -> None:
    assert await resolve_host("127.0.0.1", 443) == ["127.0.0.1"]
