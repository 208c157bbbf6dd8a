"""Whose routes serve whom: names of resellers' own upstreams, and what a tenant or group leaves of a model's routes.

An upstream is known by its full name: the operator's by the name in its table, a reseller's own by `slug/name`. No
name in tenants.toml holds a slash, so neither is ever taken for the other.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Protocol, TypeVar


class _Routed(Protocol):
    @property
    def upstream(self) -> str: ...


R = TypeVar("R", bound=_Routed)


def own_upstream(slug: str, name: str) -> str:
    """The full name of a reseller's own upstream."""
    return f"{slug}/{name}"


def owner_of(upstream: str) -> str | None:
    """The slug of the tenant whose own the upstream of this full name is; None for the operator's."""
    slug, slash, _ = upstream.partition("/")
    return slug if slash else None


def full_name(name: str, slug: str, own: Container[str]) -> str:
    """What a tenant's routing means by a name: its own upstream before the operator's of that name."""
    return own_upstream(slug, name) if name in own else name


def priced_as(model: str, upstream: str, upstream_model: str) -> str:
    """The name under which the price of a model's route is kept; `upstream` in full."""
    return f"{model}@{upstream}/{upstream_model}"


def allowed(names: Iterable[str] | None, slug: str, own: Container[str]) -> frozenset[str] | None:
    """The full names of the upstreams in a tenant's list; None for no list, which lets all through."""
    return None if names is None else frozenset(full_name(name, slug, own) for name in names)


def within(routes: Iterable[R], names: frozenset[str] | None) -> tuple[R, ...]:
    """The routes over upstreams of these full names, in their order; all of them where there is no list."""
    return tuple(route for route in routes if names is None or route.upstream in names)
