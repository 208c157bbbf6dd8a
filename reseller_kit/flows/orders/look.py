"""Looking orders up. Changes nothing."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ...core.errors import InvalidRequest
from ...core.paging import Page, Window, after, page_of
from ...core.storefront import Storefront
from ...db import operator_orders, orders, payment_facts, payment_refunds
from ...db.engine import NO_TENANT, Connection, Database
from ...db.orders import Order, OrderEventRow, Receipt
from ...db.payment_facts import FactRow
from ...db.payment_refunds import Refund
from ..customers import require_customer
from ..order_steps import require_order, tenant_of
from ..tenants import named_tenant, require_tenant, scope_of

_LIST: Final = "orders"


class NamedOrder(Struct, frozen=True):
    """An order with its tenant's slug."""

    tenant: str
    order: Order


class OrderDetail(Struct, frozen=True):
    """An order with its timeline and receipt, and its tenant's slug. `payments`: what came of it; `refunds`: went back.

    A customer's own look has neither of the last two.
    """

    order: Order
    tenant: str
    timeline: list[OrderEventRow]
    receipt: Receipt | None
    payments: tuple[FactRow, ...] = ()
    refunds: tuple[Refund, ...] = ()


async def list_orders(
    db: Database, tenant_slug: str | None, window: Window, *, customer: str | None = None, state: str | None = None
) -> Page[NamedOrder]:
    """Orders, newest first: of one tenant or of all, of one of its customers, in one state."""
    key = after(window, _LIST, (str,))
    before = str(key[0]) if key else None
    if customer is not None and tenant_slug is None:
        raise InvalidRequest(
            "A customer belongs to a tenant, and none is given.", param="tenant", fix="Give --tenant as well."
        )
    async with db.read(scope_of(tenant_slug)) as connection:
        if tenant_slug is None:
            named = await operator_orders.page(connection, window.limit + 1, before, state)
        else:
            tenant = await require_tenant(connection, tenant_slug)
            owner_id = None if customer is None else (await require_customer(connection, tenant, customer)).id
            own = await orders.page(connection, tenant.id, window.limit + 1, before, customer_id=owner_id, state=state)
            named = [(tenant.slug, order) for order in own]
    return page_of([NamedOrder(*one) for one in named], window, _LIST, lambda row: (row.order.id,))


async def show_order(db: Database, order_id: str, tenant_id: int | None = None) -> OrderDetail:
    """One order of any tenant for the operator, or only of that tenant. Raises NotFound."""
    slug = await tenant_of(db, order_id, tenant_id)
    async with db.read(NO_TENANT) as connection:
        tenant = await named_tenant(connection, slug)
        order = await require_order(connection, tenant.id, order_id)
        timeline = await orders.timeline(connection, tenant.id, order_id)
        rows = await payment_facts.of_order(connection, tenant.id, order_id)
        return OrderDetail(
            order,
            slug,
            timeline,
            await orders.receipt(connection, tenant.id, order_id),
            tuple(row for row in rows if row.kind == "payment"),
            tuple(await payment_refunds.of_order(connection, tenant.id, order_id)),
        )


async def own_orders(connection: Connection, tenant_id: int, customer_id: str, window: Window) -> Page[Order]:
    """A customer's own orders, newest first."""
    key = after(window, _LIST, (str,))
    before = str(key[0]) if key else None
    rows = await orders.page(connection, tenant_id, window.limit + 1, before, customer_id=customer_id)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def order_by_reference(db: Database, tenant_id: int, reference: str) -> Order | None:
    """The tenant's order that its provider calls so."""
    async with db.read(tenant_id) as connection:
        return await orders.by_reference(connection, tenant_id, reference)


async def own_order(db: Database, storefront: Storefront, customer_id: str, order_id: str) -> OrderDetail:
    """A customer's own order. Raises NotFound, for another customer's as for one that is not there."""
    tenant_id = storefront.tenant_id
    async with db.read(tenant_id) as connection:
        order = await require_order(connection, tenant_id, order_id, customer_id)
        timeline = await orders.timeline(connection, tenant_id, order.id)
        return OrderDetail(order, storefront.slug, timeline, await orders.receipt(connection, tenant_id, order.id))
