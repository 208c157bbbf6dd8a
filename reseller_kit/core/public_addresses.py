"""Which IP addresses lie on the public internet: what a reseller's own upstream may be at. Resolves no name."""

from __future__ import annotations

import ipaddress
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The upper half of an interface id that holds an IPv4 address below it (RFC 5214)."""
_SERVICES: Final = (
    ipaddress.IPv4Network("192.88.99.0/24"),  # anycast relays of 6to4, retired (RFC 7526)
    ipaddress.IPv4Network("168.63.129.16/32"),  # a cloud's service to its machines, within a public range
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 of a local network (RFC 8215)
    ipaddress.IPv6Network("2001::/32"),  # Teredo: the packet leaves over an IPv4 address that is not looked at
    ipaddress.IPv6Network("fec0::/10"),  # site-local, retired (RFC 3879)
)
"""Not for the public, whatever the registries behind `is_global` say of them."""


def is_public(text: str) -> bool:
    """Whether this is an IP address that everybody on the internet reaches the same machine at; no for what is none.

    An IPv6 address that stands for an IPv4 address (mapped, NAT64, 6to4, ISATAP) is judged by that one as well.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return all(_is_public(each) for each in (address, *_within(address)))


def is_address(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_public(address: Address) -> bool:
    if any(address in network for network in _SERVICES if network.version == address.version):
        return False
    if isinstance(address, ipaddress.IPv6Address) and _only_stands_for_another(address):
        return True
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _only_stands_for_another(address: ipaddress.IPv6Address) -> bool:
    """Whether the IPv4 address within decides; `is_global` says different things of these, by the version of Python."""
    return address.ipv4_mapped is not None or address in _NAT64 or address in _SIX_TO_FOUR


def _within(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that the address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    number = int(address)
    found = []
    if address.ipv4_mapped is not None or address in _NAT64 or address in _COMPATIBLE:
        found.append(number & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        found.append(number >> 80 & 0xFFFF_FFFF)
    if number >> 32 & 0xFFFF_FFFF in _ISATAP:
        found.append(number & 0xFFFF_FFFF)
    return tuple(map(ipaddress.IPv4Address, found))
