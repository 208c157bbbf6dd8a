"""The request's host decides the storefront; nothing else does. Answers no request."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ..core.errors import UnknownHost
from ..core.storefront import HostEntry, Snapshot
from ..core.tenant import is_loopback_host, split_authority

Scope = Mapping[str, Any]
Headers = Sequence[tuple[bytes, bytes]]


class Site(Struct, frozen=True):
    """Where a request arrived: the canonical host, and the storefront behind it (None on the operator's own hosts)."""

    host: str
    entry: HostEntry | None
    loopback: bool
    """Whether the host may be served over http."""


class HostTable:
    """Host header → site for one snapshot, remembering the headers seen."""

    _MAX_SEEN = 10_000

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._seen: dict[bytes, Site] = {}

    def find(self, headers: Headers) -> Site:
        """The site of a request. Raises UnknownHost unless there is exactly one well-formed Host that lives here."""
        host: bytes | None = None
        for name, value in headers:
            if name == b"host":
                if host is not None:
                    raise _unknown()
                host = value
        if host is None:
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
            raise _unknown()
        site = Site(host, entry, is_loopback_host(host))
        if len(self._seen) < self._MAX_SEEN:
            self._seen[raw] = site
        return site


class Peers:
    """A set of addresses and networks, as in `RESELLER_KIT_TRUSTED_PROXIES`."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]

    def include(self, scope: Scope) -> bool:
        """Whether the connection's peer is one of them."""
        client = scope.get("client")
        if not client or not self._networks:
            return False
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks if network.version == address.version)

    def client_of(self, scope: Scope) -> str:
        """The client's address: the peer's, or where that is one of these, what the nearest of them was asked from.

        Only proxies of the set are believed, each about the one before it; what a client writes into the header itself
        lies behind its own address and is never reached. Empty when the server does not know its peer.
        """
        found = (scope.get("client") or ("",))[0]
        given = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for hop in reversed(given.decode("latin-1").split(",")):
            if not self._has(found) or not _is_address(hop.strip()):
                break
            found = hop.strip()
        return found

    def _has(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._networks if network.version == address.version)


def is_secure(scope: Scope, trusted: Peers) -> bool:
    """Whether the client came by https, by the connection itself or by a trusted proxy's word."""
    if scope["scheme"] == "https":
        return True
    if not trusted.include(scope):
        return False
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return values == [b"https"]


def needs_https(site: Site, scope: Scope, trusted: Peers) -> bool:
    """Whether this request must be sent to https: only loopback names and literals are served over http."""
    return not site.loopback and not is_secure(scope, trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _unknown() -> UnknownHost:
    return UnknownHost("There is nothing at this address.")
