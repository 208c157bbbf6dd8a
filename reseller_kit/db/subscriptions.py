"""A tenant's subscriptions. Decides on none: that is `core.subscription`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Column, ColumnElement, Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.order import GIVEN_UP, UNPAID, OrderState
from ..core.subscription import Period, SubscriptionState
from . import tables as t
from .kept import kept


class Subscription(Struct, frozen=True, kw_only=True):
    """A subscription as stored, with the terms of what the current period was sold as. Times in µs."""

    id: str
    tenant_id: int
    customer_id: str
    email: str
    order_id: str
    package_id: int
    package: str
    version: int
    terms: dict[str, Any]
    next_package_id: int | None
    state: SubscriptionState
    provider: str
    provider_ref: str | None
    pin: dict[str, Any] | None
    anchor_at: int
    number: int
    period_starts_at: int
    period_ends_at: int
    cancel_at: int | None
    told_at: int
    created_at: int
    changed_at: int

    @property
    def title(self) -> str:
        """What stood on the page."""
        return str(self.terms["title"])

    @property
    def period(self) -> Period:
        """How often it renews."""
        period: Period = self.terms["period"]
        return period

    @property
    def ended_at(self) -> int | None:
        """When it ends, or did, as far as that is known."""
        if self.cancel_at is None and self.state == "ended":
            return self.told_at or self.changed_at
        return self.cancel_at


_STORED: Final = tuple(
    name for name in Subscription.__struct_fields__ if name not in {"email", "package", "version", "terms"}
)


async def add(connection: AsyncConnection, tenant_id: int, values: Mapping[str, Any]) -> bool:
    """A new one; `values`: its columns. False when its order began one before."""
    once = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {**values, "tenant_id": tenant_id}
    statement = once(t.subscription).values(row).on_conflict_do_nothing(index_elements=["order_id"])
    return bool((await connection.execute(statement)).rowcount)


async def find(
    connection: AsyncConnection,
    tenant_id: int,
    subscription_id: str,
    customer_id: str | None = None,
    *,
    lock: bool = False,
) -> Subscription | None:
    """The tenant's subscription, or only if it is this customer's. `lock` keeps others from changing it meanwhile."""
    c = t.subscription.c
    whose = () if customer_id is None else (c.customer_id == customer_id,)
    return await _one(connection, tenant_id, c.id == subscription_id, *whose, lock=lock)


async def of_order(connection: AsyncConnection, tenant_id: int, order_id: str) -> Subscription | None:
    """What this order began."""
    return await _one(connection, tenant_id, t.subscription.c.order_id == order_id)


async def of_ref(connection: AsyncConnection, tenant_id: int, provider: str, provider_ref: str) -> Subscription | None:
    """What a provider calls so."""
    c = t.subscription.c
    return await _one(connection, tenant_id, c.provider == provider, c.provider_ref == provider_ref)


async def page(
    connection: AsyncConnection,
    tenant_id: int,
    limit: int,
    before_id: str | None,
    *,
    customer_id: str | None = None,
    state: str | None = None,
) -> list[Subscription]:
    """The tenant's subscriptions, newest first: of one customer or in one state, where that is given."""
    rows = await connection.execute(*_page(tenant_id, limit, before_id, customer_id, state))
    return [Subscription(**row) for row in rows.mappings()]


@kept
def _page(tenant_id: int, limit: int, before_id: str | None, customer_id: str | None, state: str | None) -> Select[Any]:
    c = t.subscription.c
    statement = narrowed(tenant_id)
    for column, value in ((c.customer_id, customer_id), (c.state, state)):
        if value is not None:
            statement = statement.where(column == value)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    return statement.order_by(c.id.desc()).limit(limit)


async def change(connection: AsyncConnection, tenant_id: int, subscription_id: str, *, now: int, **values: Any) -> None:
    """Write columns of a subscription that the caller has locked."""
    c = t.subscription.c
    statement = update(t.subscription).where(c.tenant_id == tenant_id, c.id == subscription_id)
    await connection.execute(statement.values(changed_at=now, **values))


async def bind_order(
    connection: AsyncConnection, tenant_id: int, order_id: str, *, subscription_id: str, starts_at: int, ends_at: int
) -> None:
    """The order is this period of the subscription."""
    c = t.purchase_order.c
    statement = update(t.purchase_order).where(c.tenant_id == tenant_id, c.id == order_id)
    values = {"subscription_id": subscription_id, "period_starts_at": starts_at, "period_ends_at": ends_at}
    await connection.execute(statement.values(values))


class PeriodOrder(Struct, frozen=True):
    """An order of a period, as far as it says whether the period is ordered."""

    id: str
    state: OrderState
    changed_at: int


async def orders_of(
    connection: AsyncConnection, tenant_id: int, subscription_id: str, starts_at: int
) -> list[PeriodOrder]:
    """The orders of its period that begins then, oldest first, those among them that were given up."""
    c = t.purchase_order.c
    statement = select(c.id, c.state, c.changed_at).where(
        c.tenant_id == tenant_id, c.subscription_id == subscription_id, c.period_starts_at == starts_at
    )
    return [PeriodOrder(*row) for row in await connection.execute(statement.order_by(c.id))]


async def covered_until(connection: AsyncConnection, tenant_id: int, subscription_id: str) -> int:
    """Where the last period ends that there is an order of, credited yet or not, in µs; 0 for none."""
    c = t.purchase_order.c
    statement = select(func.max(c.period_ends_at)).where(
        c.tenant_id == tenant_id, c.subscription_id == subscription_id, c.state.not_in(GIVEN_UP)
    )
    return await connection.scalar(statement) or 0


async def orders_in(
    connection: AsyncConnection, tenant_id: int, subscription_id: str, states: Collection[OrderState]
) -> list[str]:
    """Its orders that are in one of these states."""
    c = t.purchase_order.c
    own = (c.tenant_id == tenant_id, c.subscription_id == subscription_id, c.state.in_(states))
    return list(await connection.scalars(select(c.id).where(*own).order_by(c.id)))


async def waiting_orders(connection: AsyncConnection, tenant_id: int, ids: Collection[str]) -> dict[str, str]:
    """Subscription → the latest order of its next period that is to be paid, of those that have one."""
    if not ids:
        return {}
    s, o = t.subscription.c, t.purchase_order.c
    joined = t.purchase_order.join(t.subscription, (s.id == o.subscription_id) & (s.tenant_id == o.tenant_id))
    statement = select(o.subscription_id, o.id).select_from(joined).where(o.tenant_id == tenant_id)
    of_next = (o.subscription_id.in_(ids), o.period_starts_at == s.period_ends_at, o.state.in_(UNPAID))
    return {row[0]: row[1] for row in await connection.execute(statement.where(*of_next).order_by(o.id))}


def narrowed(tenant_id: int | Column[int]) -> Select[Any]:
    """The columns of `Subscription`, of one tenant; `db.operator_subscriptions` alone passes the column itself."""
    s, p, c = t.subscription.c, t.package.c, t.customer.c
    columns = (*(s[name] for name in _STORED), c.email, p.code.label("package"), p.version, p.terms)
    joined = t.subscription.join(t.package, p.id == s.package_id).join(t.customer, c.id == s.customer_id)
    return (
        select(*columns)
        .select_from(joined)
        .where(s.tenant_id == tenant_id, p.tenant_id == tenant_id, c.tenant_id == tenant_id)
    )


async def _one(
    connection: AsyncConnection, tenant_id: int, *narrower: ColumnElement[bool], lock: bool = False
) -> Subscription | None:
    statement = narrowed(tenant_id).where(*narrower)
    if lock:
        statement = statement.with_for_update(of=t.subscription)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Subscription(**row)
