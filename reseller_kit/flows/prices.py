"""Use cases of the operator on prices: what a tenant charges and pays now, and what it did. Publishes nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.catalog import USAGE_CLASSES, price_of
from ..core.errors import ModelNotFound
from ..core.manifest import Levels
from ..core.paging import Page, Window, after, page_of
from ..core.route_sets import allowed
from ..core.storefront import priced_apart
from ..db import prices, tenant_routes
from ..db.engine import NO_TENANT, Database, now_us
from ..db.prices import Published, StoredVersion
from ..db.tenants import Connection, Tenant
from .tenants import require_group, require_tenant

_LIST: Final = "prices"


class PriceLine(Struct, frozen=True, kw_only=True):
    """One usage class of a model at the three levels, in pico-USD per unit; None where a level does not price it.

    `provider`: what the reseller's own upstream charges the reseller, where calls go over one.
    `above_input` is 0 for the base prices, else the input tokens beyond which the tier applies.
    """

    model: str
    usage_class: str
    above_input: int
    cost: int | None
    wholesale: int | None
    retail: int
    provider: int | None = None

    @property
    def margin(self) -> int | None:
        """What is left to the reseller of retail, once the operator and its own provider are paid."""
        return None if self.wholesale is None else self.retail - self.wholesale - (self.provider or 0)


async def show_prices(
    db: Database, tenant_slug: str, model: str | None, group_id: str | None = None
) -> list[PriceLine]:
    """The prices in force of every model that the tenant offers, or of one, which may be an alias.

    `group_id`: what that group of customers pays. Raises ModelNotFound for a model that is not offered, and NotFound
    for a group that is not there.
    """
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        apart = group_id if require_group(tenant, group_id) in priced_apart(tenant.settings) else None
        published = await prices.in_force(connection, tenant.id, now_us(), apart)
        names = await offered_models(connection, tenant)
    offered = [row for row in published if row.model in names]
    if model is not None:
        name = _public_name(tenant, model)
        offered = [row for row in offered if row.model == name]
        if not offered:
            raise ModelNotFound(
                f"Tenant {tenant.slug} offers no model {model[:80]!r}.",
                fix=f"See: reseller-kit price show --tenant {tenant.slug}",
            )
    return [line for row in offered for line in lines_of(row.model, row)]


async def price_history(db: Database, tenant_slug: str, model: str | None, window: Window) -> Page[StoredVersion]:
    """Every price version of a tenant's models, newest first."""
    key = after(window, _LIST, (int, str))
    before = (int(key[0]), str(key[1])) if key else None
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        name = None if model is None else _public_name(tenant, model)
        rows = await prices.history(connection, tenant.id, name, window.limit + 1, before)
    return page_of(rows, window, _LIST, lambda row: (row.effective_from, row.id))


async def offered_models(connection: Connection, tenant: Tenant) -> dict[str, list[str]]:
    """The public models that a tenant's catalogue lets through and that it has a route for, priced or not.

    Of each the full names of the upstreams that serve it.
    """
    names = allowed(
        tenant.settings.get("routing", {}).get("upstreams"),
        tenant.slug,
        await tenant_routes.own_upstream_names(connection, tenant.id),
    )
    routed = await tenant_routes.upstreams_by_model(connection, tenant.id)
    left = {
        model: [upstream for upstream in upstreams if names is None or upstream in names]
        for model, upstreams in routed.items()
        if _is_let_through(tenant.settings, model)
    }
    return {model: list(dict.fromkeys(upstreams)) for model, upstreams in sorted(left.items()) if upstreams}


def _is_let_through(settings: Mapping[str, Any], model: str) -> bool:
    catalog = settings.get("catalog", {})
    allowed = any(fnmatch.fnmatchcase(model, glob) for glob in catalog.get("allow", ["*"]))
    return allowed and not any(fnmatch.fnmatchcase(model, glob) for glob in catalog.get("deny", []))


def _public_name(tenant: Tenant, model: str) -> str:
    return str(tenant.settings.get("catalog", {}).get("aliases", {}).get(model, model))


def lines_of(model: str, row: Published | Levels) -> Iterator[PriceLine]:
    """A model's prices, class by class."""
    for above in (0, *(tier.above_input for tier in row.retail.tiers)):
        cost, wholesale, retail = (level.at(above + 1) for level in (row.cost, row.wholesale, row.retail))
        for usage_class in USAGE_CLASSES:
            if usage_class in retail:
                yield PriceLine(
                    model=model,
                    usage_class=usage_class,
                    above_input=above,
                    cost=price_of(cost, usage_class),
                    wholesale=price_of(wholesale, usage_class),
                    retail=retail[usage_class],
                    provider=None if row.provider is None else price_of(row.provider.at(above + 1), usage_class),
                )
