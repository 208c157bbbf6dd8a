"""Which addresses count as public, in every spelling that stands for another address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.public_addresses import is_public

PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1")
INSIDE = (
    "127.0.0.1", "127.8.9.10", "10.0.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "168.63.129.16", "0.0.0.0", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1",
    "192.88.99.1", "192.0.0.170", "198.18.0.1", "203.0.113.5", "::", "::1", "::7f00:1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::",
    "2002:a9fe:a9fe::1", "2001:0:808:808::1", "2606:4700::5efe:7f00:1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff0e::1", "2001:db8::1",
)  # fmt: skip
NO_ADDRESS = ("", "localhost", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "8.8.8.8:80", "[::1]", "8.8.8.8 ")


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [*INSIDE, *NO_ADDRESS])
def test_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_no_way_of_writing_an_ipv4_address_makes_it_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    ways = (0xFFFF << 32 | number, 0x64_FF9B << 96 | number, 0x2002 << 112 | number << 80)
    if not is_public(str(address)):
        assert not any(is_public(str(ipaddress.IPv6Address(way))) for way in ways)
