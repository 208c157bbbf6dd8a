"""The tables of tenants.toml that say how long, how much and how many at once. Reads and checks nothing."""

from __future__ import annotations

from typing import Annotated

from . import leaves
from .leaves import Flag, Seconds
from .shop_structs import Table

Count = Annotated[int, leaves.number("count", 1, 1_000_000_000)]


class Timeouts(Table, frozen=True, kw_only=True):
    """Seconds to wait for an upstream."""

    connect: Annotated[Seconds, "Until the connection stands."] = 5.0
    first_byte: Annotated[Seconds, "From the request sent to the first byte of the answer."] = 60.0
    idle: Annotated[Seconds, "Between two pieces of an answer."] = 60.0
    total: Annotated[Seconds, "From the request sent to the end of the answer."] = 1800.0


class RouteTimeouts(Table, frozen=True, kw_only=True):
    """Seconds to wait on one route; what is left out is as its upstream says."""

    connect: Annotated[Seconds | None, "Until the connection stands."] = None
    first_byte: Annotated[Seconds | None, "From the request sent to the first byte of the answer."] = None
    idle: Annotated[Seconds | None, "Between two pieces of an answer."] = None
    total: Annotated[Seconds | None, "From the request sent to the end of the answer."] = None


class Queue(Table, frozen=True, kw_only=True):
    """Requests that wait for an upstream; storefronts take turns, and within each its customers."""

    length: Annotated[Count, "Most that wait, per process."] = 1000
    length_per_tenant: Annotated[Count, "Most of one storefront."] = 500
    seconds: Annotated[Seconds, "How long one waits at most."] = 30.0


class KeyLimits(Table, frozen=True, kw_only=True):
    """The most that goes over each key of a pool, counted by each process alone; left out: no limit."""

    concurrent_requests: Annotated[Count | None, "Requests under way at once."] = None
    requests_per_minute: Annotated[Count | None, "Requests in a minute."] = None
    tokens_per_minute: Annotated[Count | None, "Tokens in a minute, as charged."] = None


class CustomerLimits(Table, frozen=True, kw_only=True):
    """Limits of each customer; left out: none."""

    requests_per_minute: Annotated[Count | None, "Each customer's requests in a minute."] = None
    tokens_per_minute: Annotated[Count | None, "Each customer's tokens in a minute."] = None
    concurrent_requests: Annotated[Count | None, "Each customer's requests under way at once."] = None
    shorten: Annotated[Flag, "Lower the output limit to what the credit covers, instead of refusing."] = False


class Limits(CustomerLimits, frozen=True, kw_only=True):
    """Limits of each customer and of the whole storefront; left out: none."""

    tenant_requests_per_minute: Annotated[Count | None, "Requests of all customers in a minute."] = None
    tenant_tokens_per_minute: Annotated[Count | None, "Tokens of all customers in a minute."] = None
    tenant_concurrent_requests: Annotated[Count | None, "Requests of all customers under way at once."] = None
