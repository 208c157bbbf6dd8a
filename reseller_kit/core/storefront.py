"""What a serving process knows of its storefronts: immutable values, replaced whole. Looks nothing up itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from .apis import Api, served_apis
from .catalog import LaterPrice, OfferedModel
from .limits import Kind
from .tenant import DomainRole, TenantStatus

DEFAULT_RESPONSES_DAYS: Final = 30
NO_GROUP: Final = "none"
"""What commands call being in no group."""


def priced_apart(settings: Mapping[str, Any]) -> frozenset[str]:
    """The tenant's groups that have a markup of their own, by its stored settings."""
    return frozenset(group["id"] for group in settings.get("groups", ()) if group.get("markup") is not None)


class CallLimits(Struct, frozen=True, kw_only=True):
    """A tenant's limits, of each customer and of all together (`tenant_…`); None means none.

    `shorten` lowers output limits that credit does not cover.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    tenant_requests_per_minute: int | None = None
    tenant_tokens_per_minute: int | None = None
    tenant_concurrent_requests: int | None = None
    shorten: bool = False

    def for_group(self, own: CallLimits) -> CallLimits:
        """The limits of a group that has some of its own: those of all customers together stay what they are."""
        return replace(
            own,
            tenant_requests_per_minute=self.tenant_requests_per_minute,
            tenant_tokens_per_minute=self.tenant_tokens_per_minute,
            tenant_concurrent_requests=self.tenant_concurrent_requests,
        )


class Storefront(Struct, frozen=True, kw_only=True):
    """One tenant as it is served: identity, state, offer and money settings. `overdraft` in nano-USD."""

    tenant_id: int
    slug: str
    name: str
    status: TenantStatus
    suspended: bool
    theme: str
    timezone: str
    primary_host: str
    api_host: str
    reseller_wallet_id: int
    overdraft: int
    limits: CallLimits
    models: Mapping[str, OfferedModel]
    """By the name a customer asks for: public names and aliases."""
    later: Mapping[str, tuple[LaterPrice, ...]]
    """By public name: the retail prices that are to follow, as far as they differ from those before them, in order."""
    settings: Mapping[str, Any]
    packages: tuple[Mapping[str, Any], ...]
    responses_days: int = DEFAULT_RESPONSES_DAYS
    """How long responses are kept; 0: none is."""
    groups: Mapping[str, Storefront] = {}
    """The storefront as customers of each group meet it: with its own models, routes and limits."""

    def as_met_by(self, group_id: str | None) -> Storefront:
        """The storefront as a customer of the group meets it; of no group, or of one that is gone, as it is itself."""
        return self if group_id is None else self.groups.get(group_id, self)

    @property
    def open(self) -> bool:
        """Whether calls are served and pages are the shop's own."""
        return self.status == "active" and not self.suspended


class HostEntry(Struct, frozen=True):
    """What a live host answers as. `secured`: it is known to be reached over https, so that nobody need note it."""

    storefront: Storefront
    role: DomainRole
    secured: bool = True


class Place(Struct, frozen=True, kw_only=True):
    """What a process knows of every live host, whether or not it has read the storefront behind it."""

    tenant_id: int
    slug: str
    status: TenantStatus
    suspended: bool
    role: DomainRole


class UpstreamKey(Struct, frozen=True):
    """A key of an upstream's pool. Holds the credential: never logged, never shown; its fingerprint is."""

    secret: str
    fingerprint: str

    def __repr__(self) -> str:
        return f"UpstreamKey(fingerprint={self.fingerprint!r})"


class UpstreamConfig(Struct, frozen=True, kw_only=True, dict=True):
    """How to reach one upstream, by its full name. Holds credentials: never logged, never shown.

    What follows from its settings is found out once: every call asks.
    """

    name: str
    dialect: str
    base_url: str
    provider: str
    api_keys: tuple[UpstreamKey, ...]
    headers: tuple[tuple[str, str], ...]
    settings: Mapping[str, Any]
    tenant_id: int | None = None
    """Whose own it is; None: the operator's."""
    public_only: bool = False
    """It is never connected to at an address that is not on the public internet."""

    @cached_property
    def apis(self) -> tuple[Api, ...]:
        """The generating APIs that it serves, the preferred one first."""
        return served_apis(self.dialect, self.provider, self.settings.get("api"))

    @cached_property
    def breaks(self) -> bool:
        """Whether its endpoints have circuits."""
        return self.settings.get("breaker", True) is not False

    @cached_property
    def limits(self) -> tuple[tuple[Kind, int], ...]:
        """The most of requests and tokens a minute, and of calls at once, as far as there are limits."""
        settings = self.settings
        most: tuple[tuple[Kind, int | None], ...] = (
            ("requests", settings.get("requests_per_minute")),
            ("tokens", settings.get("tokens_per_minute")),
            ("concurrency", settings.get("max_concurrency")),
        )
        return tuple((kind, limit) for kind, limit in most if limit)

    def __repr__(self) -> str:
        return f"UpstreamConfig(name={self.name!r})"


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that routing and pricing need, as of one revision of the database.

    Where storefronts are many, `hosts` holds those that were asked for, and `places` all.
    """

    revision: int
    read_at: int
    """The revision that it was read at; no part of it changed between that and `revision`."""
    platform_name: str
    platform_hosts: frozenset[str]
    platform: Storefront | None
    """The operator as its own hosts' pages meet it: a storefront that offers nothing; None before the first apply."""
    public_url: str | None
    places: Mapping[str, Place]
    hosts: Mapping[str, HostEntry]
    upstreams: Mapping[str, UpstreamConfig]
    hidden_words: tuple[str, ...]
    """Names and hosts of upstreams and of the platform, to be cleaned out of upstream error texts."""
    good_until: int | None
    """The next moment (µs) at which a published price takes effect; None when none is to come."""
