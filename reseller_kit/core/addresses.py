"""Where a key may be used from: addresses and networks of both protocols. Asks no resolver and reads no request."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from typing import Final

from .errors import InvalidRequest

MAX_NETWORKS: Final = 50
"""Most that one key may name."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Addresses and networks (`203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`) in their one spelling, each once.

    Raises InvalidRequest for what is none, for a network with bits behind its prefix, and for too many.
    """
    found: dict[str, None] = {}
    for text in texts:
        try:
            network = _plain(ipaddress.ip_network(text.strip()))
        except ValueError:
            raise InvalidRequest(
                f"{text.strip()[:80]!r} is neither an address nor a network.",
                param="allow_ips",
                fix="Write it like 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32.",
            ) from None
        whole = network.prefixlen == network.max_prefixlen
        found[str(network.network_address) if whole else str(network)] = None
    if len(found) > MAX_NETWORKS:
        raise InvalidRequest(
            f"{len(found)} networks are too many.", param="allow_ips", fix=f"Give at most {MAX_NETWORKS}."
        )
    return tuple(found)


def admits(networks: tuple[str, ...], address: str) -> bool:
    """Whether an address lies in one of the networks; no network at all admits every address."""
    if not networks:
        return True
    try:
        found = _address(address)
    except ValueError:
        return False
    return any(found in network for network in _parsed(networks) if network.version == found.version)


@functools.lru_cache(maxsize=4096)
def _parsed(networks: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in networks)


def _address(text: str) -> _Address:
    address = ipaddress.ip_address(text)
    # A socket of both protocols shows its IPv4 clients in this form.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _plain(network: _Network) -> _Network:
    """A mapped IPv4 network as what it is, since that is how addresses are compared."""
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network
