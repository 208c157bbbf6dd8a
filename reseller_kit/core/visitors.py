"""What a request tells of its sender, as people say it: browser and network. Believes nothing that it tells."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_BROWSERS: Final = (
    (re.compile(r"Edg(?:e|A|iOS)?/"), "Edge"),
    (re.compile(r"OPR/|Opera"), "Opera"),
    (re.compile(r"SamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"Firefox/|FxiOS/"), "Firefox"),
    (re.compile(r"Chrome/|Chromium/|CriOS/"), "Chrome"),
    (re.compile(r"Safari/"), "Safari"),
    (re.compile(r"^curl/"), "curl"),
)
_SYSTEMS: Final = (
    (re.compile(r"iPhone|iPod"), "iPhone"),
    (re.compile(r"iPad"), "iPad"),
    (re.compile(r"Android"), "Android"),
    (re.compile(r"Windows"), "Windows"),
    (re.compile(r"Mac OS X|Macintosh"), "macOS"),
    (re.compile(r"CrOS"), "ChromeOS"),
    (re.compile(r"Linux|X11"), "Linux"),
)
_MAX_AGENT: Final = 512


def browser_name(user_agent: str) -> str:
    """Browser and system of a User-Agent header, such as "Firefox · Linux"; empty for one that says neither."""
    text = user_agent[:_MAX_AGENT]
    names = (next((name for pattern, name in table if pattern.search(text)), "") for table in (_BROWSERS, _SYSTEMS))
    return " · ".join(name for name in names if name)


def place_of(address: str) -> str:
    """The network that an address belongs to, coarse on purpose: "203.0.113.x", "2001:db8:1::/48"."""
    parsed = _parsed(address)
    if parsed is None:
        return ""
    if parsed.version == 4:
        return str(parsed).rpartition(".")[0] + ".x"
    return str(ipaddress.ip_network((parsed, 48), strict=False))


def throttled_as(address: str) -> str:
    """What attempts from an address are counted under: itself, or its /64, which one subscriber has all of."""
    parsed = _parsed(address)
    if parsed is None:
        return "unknown"
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """Who asked: the connection's peer, or, where that is a trusted proxy, the last address that none of them has.

    `forwarded_for` are the values of X-Forwarded-For in order. What a client wrote there itself stands before what
    the proxies added, so it is never reached.
    """
    current = peer
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
    while hops and _is_trusted(current, trusted):
        hop = hops.pop()
        if _parsed(hop) is None:
            break
        current = hop
    return current


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in trusted if network.version == parsed.version)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return parsed if mapped is None else mapped
