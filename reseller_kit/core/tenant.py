"""Tenants and the hosts they answer at. Decides which host text names which storefront; looks nothing up.

Hosts are compared in one canonical form: lower-case ASCII (IDNA A-labels as sent), no trailing dot, no port.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Literal

import idna

from .errors import InvalidRequest

TenantStatus = Literal["draft", "active", "archived"]
DomainRole = Literal["storefront", "api", "alias"]

_LABEL: Final = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_AUTHORITY: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?", re.ASCII)
_SLUG: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
PLATFORM_SLUG: Final = "platform"
"""The tenant that is the operator itself: its members are operators, it sells wholesale credit, it is no storefront."""
RESERVED_SLUGS: Final = frozenset({PLATFORM_SLUG})
_MAX_HOST_LENGTH: Final = 253


def normalise_host(text: str) -> str:
    """A host name or IP literal, as written in the configuration, in canonical form.

    Raises InvalidRequest when it carries a port, a scheme or anything else that is no host.
    """
    host = text.strip().lower().removesuffix(".")
    literal = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in literal or literal != host:
        return _ip_literal(literal, text)
    if _looks_numeric(literal):
        return _ip_literal(literal, text)
    if not host.isascii():
        host = _to_ascii(host, text)
    # Full-width digits have become digits: nobody writes an address so who means one.
    if len(host) > _MAX_HOST_LENGTH or _looks_numeric(host) or not _HOST_NAME.fullmatch(host):
        raise _no_host_name(text)
    return host


def split_authority(value: str) -> tuple[str, int | None] | None:
    """The value of a Host header as (canonical host, port or None); None when it is malformed.

    Strict on purpose (RFC 9110 section 7.2): no user info, no white space, no folding, no percent-encoding.
    """
    match = _AUTHORITY.fullmatch(value)
    if match is None:
        return None
    port = int(match[2]) if match[2] else None
    if port is not None and not 0 < port < 65536:
        return None
    try:
        return normalise_host(match[1]), port
    except InvalidRequest:
        return None


def is_loopback_host(host: str) -> bool:
    """Whether a canonical host is a loopback literal or a `localhost` name (RFC 6761), and so served over http."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_slug(text: str) -> bool:
    """Whether `text` may name a tenant: 1 to 40 of a-z, 0-9 and hyphen, beginning with a letter, not reserved."""
    return _SLUG.fullmatch(text) is not None and text not in RESERVED_SLUGS


def url_host(host: str) -> str:
    """A canonical host as it stands in a URL: IPv6 literals in brackets."""
    return f"[{host}]" if ":" in host else host


def _looks_numeric(host: str) -> bool:
    """Whether the last label is a number, which makes the whole an IPv4 address (WHATWG URL, "ends in a number")."""
    last = host.rpartition(".")[2]
    return last.isdigit() or (last.startswith("0x") and all(c in "0123456789abcdef" for c in last[2:]))


def _ip_literal(literal: str, text: str) -> str:
    parse = ipaddress.IPv6Address if ":" in literal or text.strip().startswith("[") else ipaddress.IPv4Address
    try:
        if "%" in literal:
            raise ValueError(literal)  # a zone of this machine's is part of no address
        return str(parse(literal))
    except ValueError:
        if literal.count(":") == 1:  # a name or an IPv4 address with its port
            raise _no_host_name(text) from None
        raise InvalidRequest(
            f"{text!r} is not an IP address.", fix="Write four decimal numbers, or an IPv6 address."
        ) from None


def _no_host_name(text: str) -> InvalidRequest:
    return InvalidRequest(
        f"{text!r} is not a host name.", fix="Write it like shop.example.com, without scheme, port or path."
    )


def _to_ascii(host: str, text: str) -> str:
    """A-labels as browsers make them (UTS 46, IDNA 2008); the library of this name follows the older rules."""
    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
    except UnicodeError:
        raise InvalidRequest(f"{text!r} is not a host name.", fix="Write it in its xn-- form.") from None
