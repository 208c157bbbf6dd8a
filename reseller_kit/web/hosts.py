"""The request's host decides the storefront; nothing else does. Answers no request."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from ..core.errors import UnknownHost
from ..core.storefront import HostEntry, Snapshot
from ..core.tenant import is_loopback_host, split_authority
from ..core.visitors import client_address

Scope = Mapping[str, Any]
Headers = Sequence[tuple[bytes, bytes]]
Named = Mapping[bytes, bytes]
"""Headers by name, the last of each name."""
NAMED_KEY: Final = "reseller_kit.named"
"""Where a request's headers are by name in its scope, if the server has put them there."""


class Site(Struct, frozen=True):
    """Where a request arrived: the canonical host, and the storefront behind it (None on the operator's own hosts)."""

    host: str
    entry: HostEntry | None
    loopback: bool
    """Whether the host may be served over http."""


class StorefrontUnread(Exception):
    """A host is live, but this process has not read the storefront behind it."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


class HostTable:
    """Host header → site for one snapshot, remembering the headers seen."""

    _MAX_SEEN = 10_000

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._seen: dict[bytes, Site] = {}

    def find(self, headers: Headers, named: Named) -> Site:
        """The site of a request.

        Raises UnknownHost unless there is exactly one well-formed Host that lives here, or StorefrontUnread.
        """
        host = named.get(b"host")
        if host is None or (len(named) < len(headers) and [name for name, _ in headers].count(b"host") > 1):
            raise _unknown()
        site = self._seen.get(host)
        return self._resolve(host) if site is None else site

    def _resolve(self, raw: bytes) -> Site:
        authority = split_authority(raw.decode("latin-1"))
        if authority is None:
            raise _unknown()
        host = authority[0]
        entry = self.snapshot.hosts.get(host)
        if entry is None and host not in self.snapshot.platform_hosts:
            raise StorefrontUnread(host) if host in self.snapshot.places else _unknown()
        site = Site(host, entry, is_loopback_host(host))
        if len(self._seen) < self._MAX_SEEN:
            self._seen[raw] = site
        return site


def named_headers(scope: Scope) -> Named:
    """A request's headers by name."""
    return scope.get(NAMED_KEY) or dict(scope["headers"])


class Peers:
    """A set of addresses and networks, as in `RESELLER_KIT_TRUSTED_PROXIES`."""

    def __init__(self, networks: Sequence[str]) -> None:
        self.networks = [ipaddress.ip_network(network, strict=False) for network in networks]

    def include(self, scope: Scope) -> bool:
        """Whether the connection's peer is one of them."""
        client = scope.get("client")
        if not client or not self.networks:
            return False
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return False
        return any(address in network for network in self.networks if network.version == address.version)


def is_secure(scope: Scope, trusted: Peers) -> bool:
    """Whether the client came by https, by the connection itself or by a trusted proxy's word."""
    if scope["scheme"] == "https":
        return True
    if not trusted.include(scope):
        return False
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return values == [b"https"]


def client_of(scope: Scope, trusted: Peers) -> str:
    """The address that a request came from; X-Forwarded-For counts only as far as trusted proxies wrote it."""
    client = scope.get("client")
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return client_address(client[0] if client else "", values, trusted.networks)


def _unknown() -> UnknownHost:
    return UnknownHost("There is nothing at this address.")
