"""What all use cases of orders share: find one, move it on, tell of it. Decides nothing."""

from __future__ import annotations

from typing import Any

from ..core.errors import Conflict, NotFound
from ..core.ids import is_public_id
from ..core.money import format_amount
from ..core.order import Transition
from ..db import audit_log, operator_orders, orders, outbox
from ..db.engine import EVERY_TENANT, Connection, Database, now_us
from ..db.orders import Order
from . import events


async def change(
    connection: Connection,
    order: Order,
    made: Transition,
    actor: str,
    *,
    facts: dict[str, Any] | None = None,
    **values: Any,
) -> None:
    """Move the order on. Raises Conflict when somebody else did meanwhile."""
    done = await orders.change(
        connection, order.tenant_id, order.id, made, actor=actor, now=now_us(), facts=facts, **values
    )
    if not done:
        raise Conflict("The order changed meanwhile.", fix="Look at it, then try again.")
    await events.tell_of_order(connection, order.tenant_id, order.id, made)


async def require_order(
    connection: Connection, tenant_id: int, order_id: str, customer_id: str | None = None, *, lock: bool = False
) -> Order:
    """The tenant's order, or only this customer's. Raises NotFound."""
    found = None
    if is_public_id(order_id, "ord"):
        found = await orders.find(connection, tenant_id, order_id, customer_id, lock=lock)
    if found is None:
        raise _unknown(order_id)
    return found


async def tenant_of(db: Database, order_id: str, tenant_id: int | None) -> str:
    """The slug of the tenant that an order belongs to: any for the operator, only `tenant_id` for a team of its own.

    Raises NotFound.
    """
    async with db.read(EVERY_TENANT) as connection:
        known = is_public_id(order_id, "ord")
        slug = await operator_orders.tenant_of_order(connection, order_id, tenant_id) if known else None
    if slug is None:
        raise _unknown(order_id)
    return slug


def _unknown(order_id: str) -> NotFound:
    return NotFound(f"There is no order {order_id[:80]!r}.", fix="See: reseller-kit order list --tenant SLUG")


async def record(connection: Connection, order: Order, actor: str, action: str, facts: dict[str, Any]) -> None:
    """Keep in the audit log who decided on an order."""
    shown = {"amount": format_amount(order.price_nano), **facts}
    await audit_log.record(connection, order.tenant_id, actor, action, "order", order.id, after=shown)


async def mail(connection: Connection, order: Order, kind: str, facts: dict[str, Any], now: int) -> None:
    """Tell the customer."""
    await outbox.add(
        connection,
        order.tenant_id,
        kind=kind,
        recipient=order.email,
        payload={**mailed(order), **facts},
        dedupe=f"{kind}:{order.id}:{now}",
        now=now,
    )


def mailed(order: Order) -> dict[str, Any]:
    """What every mail of an order tells."""
    return {
        "order": order.id,
        "title": order.title,
        "price": format_amount(order.price_nano),
        "credits": format_amount(order.credits_nano),
    }
