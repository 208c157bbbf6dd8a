"""What has to come to its end before a customer, or a whole storefront, can leave. Ends nothing."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.order import UNPAID
from ..core.subscription import LIVE
from . import tables as t

SHOWN: Final = 20
_TO_DECIDE: Final = ("paid", "activation_failed", "review", "duplicate_paid")
_UNDECIDED: Final = ("asked", "pending")


class Unsettled(Struct, frozen=True):
    """Something that is under way: `what` it is, and its id."""

    what: str
    id: str


async def of_customer(connection: AsyncConnection, tenant_id: int, customer_id: str) -> list[Unsettled]:
    """What of the customer's is under way, the first few of each kind; only renewals that nobody has cancelled."""
    return await _found(connection, tenant_id, customer_id)


async def of_tenant(connection: AsyncConnection, tenant_id: int) -> list[Unsettled]:
    """What of the storefront's is under way, payouts too; without subscriptions, which its end cancels."""
    c = t.payout.c
    waiting = select(c.id).where(c.tenant_id == tenant_id, c.state.in_(("requested", "approved")))
    payouts = await connection.scalars(waiting.order_by(c.id).limit(SHOWN))
    found = await _found(connection, tenant_id, None)
    return [*found, *(Unsettled("payout", one) for one in payouts)]


async def renewing(connection: AsyncConnection, tenant_id: int) -> list[str]:
    """The ids of the storefront's subscriptions that would renew."""
    c = t.subscription.c
    live = (c.tenant_id == tenant_id, c.state.in_(LIVE), c.cancel_at.is_(None))
    return list(await connection.scalars(select(c.id).where(*live).order_by(c.id)))


async def credit_of(connection: AsyncConnection, tenant_id: int, wallet_id: int) -> int:
    """What a wallet holds, in nano-USD: below zero for a debt."""
    a = t.account.c
    held = await connection.scalar(select(a.balance_nano).where(a.tenant_id == tenant_id, a.id == wallet_id))
    return int(held or 0)


async def held(connection: AsyncConnection, tenant_id: int) -> dict[str, int]:
    """What the storefront's accounts hold in nano-USD, by kind, where it is not 0."""
    a = t.account.c
    sums = select(a.kind, func.sum(a.balance_nano)).where(a.tenant_id == tenant_id).group_by(a.kind)
    return {row[0]: int(row[1]) for row in await connection.execute(sums) if row[1]}


async def _found(connection: AsyncConnection, tenant_id: int, customer_id: str | None) -> list[Unsettled]:
    h, o, r, s = t.hold.c, t.purchase_order.c, t.payment_refund.c, t.subscription.c
    own = select(o.id).where(o.tenant_id == tenant_id, o.customer_id == customer_id)
    every = customer_id is None
    found = [
        ("call", t.hold, h.request_id, (h.state == "open", *(() if every else (h.customer_id == customer_id,)))),
        (
            "order",
            t.purchase_order,
            o.id,
            (o.state.in_(_TO_DECIDE), *(() if every else (o.customer_id == customer_id,))),
        ),
        ("refund", t.payment_refund, r.id, (r.state.in_(_UNDECIDED), *(() if every else (r.order_id.in_(own),)))),
    ]
    if not every:
        live = (s.state.in_(LIVE), s.cancel_at.is_(None), s.customer_id == customer_id)
        opened = (o.state.in_(UNPAID), o.provider != "manual", o.customer_id == customer_id)
        found += [("subscription", t.subscription, s.id, live), ("checkout", t.purchase_order, o.id, opened)]
    return [
        Unsettled(what, one)
        for what, table, key, wanted in found
        for one in await _ids(connection, tenant_id, table, key, wanted)
    ]


async def _ids(
    connection: AsyncConnection, tenant_id: int, table: Table, key: object, wanted: tuple[object, ...]
) -> list[str]:
    statement = select(key).where(table.c.tenant_id == tenant_id, *wanted).order_by(key).limit(SHOWN)  # type: ignore[call-overload]
    return list(await connection.scalars(statement))
