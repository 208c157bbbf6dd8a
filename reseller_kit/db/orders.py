"""A tenant's orders, their timelines and receipts. Decides on no state: that is `core.order`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Column, Select, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.order import OrderState, Transition
from . import tables as t
from .kept import kept


class Order(Struct, frozen=True, kw_only=True):
    """An order as stored, with its package's code, version and title. Nano-USD, times in µs."""

    id: str
    tenant_id: int
    customer_id: str
    email: str
    package_id: int
    package: str
    version: int
    terms: dict[str, Any]
    state: OrderState
    provider: str
    provider_ref: str | None
    provider_facts: dict[str, Any]
    price_nano: int
    credits_nano: int
    refunded_nano: int
    terms_hash: str
    request_key: str | None
    lot_id: str | None
    note: str
    created_at: int
    paid_at: int | None
    lapses_at: int
    changed_at: int
    subscription_id: str | None = None
    period_starts_at: int | None = None
    period_ends_at: int | None = None
    beneficiary_id: int | None = None
    cancelled_at: int | None = None
    facts_version: int = 0
    settled_version: int = 0

    @property
    def title(self) -> str:
        """What stood on the page."""
        return str(self.terms["title"])

    @property
    def kind(self) -> str:
        """One of: topup, package, subscription."""
        return str(self.terms.get("kind", "package"))


class OrderEventRow(Struct, frozen=True, kw_only=True):
    """A line of an order's timeline."""

    event: str
    before: str
    after: str
    actor: str
    facts: dict[str, Any]
    created_at: int


class Receipt(Struct, frozen=True, kw_only=True):
    """A receipt as it was issued."""

    order_id: str
    year: int
    number: int
    content: dict[str, Any]
    issued_at: int

    @property
    def label(self) -> str:
        """Its number as people read it, such as 2026-00042."""
        return f"{self.year}-{self.number:05d}"


_STORED = tuple(name for name in Order.__struct_fields__ if name not in {"email", "package", "version", "terms"})


async def add(connection: AsyncConnection, tenant_id: int, values: Mapping[str, Any], actor: str) -> bool:
    """A new order in state `draft`; `values`: its columns. False when its request key has become an order meanwhile."""
    row = {**values, "tenant_id": tenant_id, "state": "draft", "changed_at": values["created_at"]}
    once = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    keys = ["tenant_id", "customer_id", "request_key"]
    added = await connection.execute(once(t.purchase_order).values(row).on_conflict_do_nothing(index_elements=keys))
    if not added.rowcount:
        return False
    line = _line(tenant_id, row["id"], None, actor=actor, facts={}, now=row["created_at"])
    await connection.execute(insert(t.order_event).values(line))
    return True


async def find(
    connection: AsyncConnection, tenant_id: int, order_id: str, customer_id: str | None = None, *, lock: bool = False
) -> Order | None:
    """The tenant's order, or only if it is this customer's. `lock` keeps others from changing it meanwhile."""
    statement = narrowed(tenant_id).where(t.purchase_order.c.id == order_id)
    if customer_id is not None:
        statement = statement.where(t.purchase_order.c.customer_id == customer_id)
    if lock:
        statement = statement.with_for_update(of=t.purchase_order, key_share=True)
    return _order((await connection.execute(statement)).mappings().one_or_none())


async def by_reference(connection: AsyncConnection, tenant_id: int, reference: str) -> Order | None:
    """The tenant's newest order that its provider calls so."""
    c = t.purchase_order.c
    statement = narrowed(tenant_id).where(c.provider_ref == reference).order_by(c.id.desc()).limit(1)
    return _order((await connection.execute(statement)).mappings().one_or_none())


async def find_ref(connection: AsyncConnection, tenant_id: int, provider: str, ref: str) -> str | None:
    """The id of the order whose checkout is called that by its provider."""
    c = t.purchase_order.c
    mine = select(c.id).where(c.tenant_id == tenant_id, c.provider == provider, c.provider_ref == ref)
    found: str | None = await connection.scalar(mine)
    return found


async def find_request(connection: AsyncConnection, tenant_id: int, customer_id: str, request_key: str) -> Order | None:
    """The order that a form of the customer's became, if it was sent before."""
    c = t.purchase_order.c
    statement = narrowed(tenant_id).where(c.customer_id == customer_id, c.request_key == request_key)
    return _order((await connection.execute(statement)).mappings().one_or_none())


async def page(
    connection: AsyncConnection,
    tenant_id: int,
    limit: int,
    before_id: str | None,
    *,
    customer_id: str | None = None,
    state: str | None = None,
) -> list[Order]:
    """The tenant's orders, newest first: of one customer or in one state, where that is given."""
    rows = await connection.execute(*_page(tenant_id, limit, before_id, customer_id, state))
    return [found for row in rows.mappings() if (found := _order(row)) is not None]


@kept
def _page(tenant_id: int, limit: int, before_id: str | None, customer_id: str | None, state: str | None) -> Select[Any]:
    c = t.purchase_order.c
    statement = narrowed(tenant_id)
    for column, value in ((c.customer_id, customer_id), (c.state, state)):
        if value is not None:
            statement = statement.where(column == value)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    return statement.order_by(c.id.desc()).limit(limit)


async def change(
    connection: AsyncConnection,
    tenant_id: int,
    order_id: str,
    made: Transition,
    *,
    actor: str,
    now: int,
    facts: Mapping[str, Any] | None = None,
    **values: Any,
) -> bool:
    """Carry out a transition, with further columns that change; False when the order is not in that state any more."""
    c = t.purchase_order.c
    statement = update(t.purchase_order).where(c.tenant_id == tenant_id, c.id == order_id, c.state == made.before)
    if not (await connection.execute(statement.values(state=made.after, changed_at=now, **values))).rowcount:
        return False
    line = _line(tenant_id, order_id, made, actor=actor, facts=facts or {}, now=now)
    await connection.execute(insert(t.order_event).values(line))
    return True


async def set_refunded(connection: AsyncConnection, tenant_id: int, order_id: str, refunded_nano: int) -> None:
    """What went back of the order's price in all, where that alone changes."""
    c = t.purchase_order.c
    statement = update(t.purchase_order).where(c.tenant_id == tenant_id, c.id == order_id)
    await connection.execute(statement.values(refunded_nano=refunded_nano))


async def charged_back(connection: AsyncConnection, tenant_id: int, customer_id: str) -> list[str]:
    """The customer's orders whose payment a bank took back, by id."""
    c = t.purchase_order.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.state == "charged_back")
    return list(await connection.scalars(select(c.id).where(*mine).order_by(c.id)))


async def note(
    connection: AsyncConnection,
    tenant_id: int,
    order_id: str,
    *,
    event: str,
    state: str,
    actor: str,
    facts: Mapping[str, Any],
    now: int,
) -> None:
    """A line of the timeline that moves the order nowhere."""
    line = {
        "tenant_id": tenant_id,
        "order_id": order_id,
        "event": event,
        "before": state,
        "after": state,
        "actor": actor,
        "facts": dict(facts),
        "created_at": now,
    }
    await connection.execute(insert(t.order_event).values(line))


async def expect(connection: AsyncConnection, tenant_id: int, order_id: str, facts: Mapping[str, Any]) -> None:
    """What a draft is about to be opened with, before its provider is asked."""
    c = t.purchase_order.c
    draft = (c.tenant_id == tenant_id, c.id == order_id, c.state == "draft")
    await connection.execute(update(t.purchase_order).where(*draft).values(provider_facts=dict(facts)))


async def timeline(connection: AsyncConnection, tenant_id: int, order_id: str) -> list[OrderEventRow]:
    """What happened to the tenant's order, oldest first."""
    c = t.order_event.c
    columns = [c[name] for name in OrderEventRow.__struct_fields__]
    statement = select(*columns).where(c.tenant_id == tenant_id, c.order_id == order_id).order_by(c.id)
    return [OrderEventRow(**row) for row in (await connection.execute(statement)).mappings()]


async def open_count(connection: AsyncConnection, tenant_id: int, customer_id: str) -> int:
    """How many of the customer's orders wait for a payment."""
    c = t.purchase_order.c
    statement = select(func.count()).where(
        c.tenant_id == tenant_id, c.customer_id == customer_id, c.state.in_(("draft", "checkout_open"))
    )
    return int(await connection.scalar(statement) or 0)


async def issue_receipt(
    connection: AsyncConnection, tenant_id: int, order_id: str, *, year: int, content: Mapping[str, Any], now: int
) -> Receipt:
    """The order's receipt, under the next number of the tenant's year."""
    await connection.execute(select(t.tenant.c.id).where(t.tenant.c.id == tenant_id).with_for_update(key_share=True))
    c = t.receipt.c
    last = await connection.scalar(select(func.max(c.number)).where(c.tenant_id == tenant_id, c.year == year))
    issued = Receipt(order_id=order_id, year=year, number=(last or 0) + 1, content=dict(content), issued_at=now)
    row = {name: getattr(issued, name) for name in Receipt.__struct_fields__}
    await connection.execute(insert(t.receipt).values({**row, "tenant_id": tenant_id}))
    return issued


async def receipt(connection: AsyncConnection, tenant_id: int, order_id: str) -> Receipt | None:
    """The receipt of the tenant's order."""
    columns = [t.receipt.c[name] for name in Receipt.__struct_fields__]
    statement = select(*columns).where(t.receipt.c.tenant_id == tenant_id, t.receipt.c.order_id == order_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Receipt(**row)


def narrowed(tenant_id: int | Column[int]) -> Select[Any]:
    """The columns of `Order`, of one tenant; `db.operator_orders` alone passes the column itself: every tenant."""
    o, p, c = t.purchase_order.c, t.package.c, t.customer.c
    columns = (*(o[name] for name in _STORED), c.email, p.code.label("package"), p.version, p.terms)
    joined = t.purchase_order.join(t.package, p.id == o.package_id).join(t.customer, c.id == o.customer_id)
    return (
        select(*columns)
        .select_from(joined)
        .where(o.tenant_id == tenant_id, p.tenant_id == tenant_id, c.tenant_id == tenant_id)
    )


def _order(row: Any) -> Order | None:
    return None if row is None else Order(**row)


def _line(
    tenant_id: int, order_id: str, made: Transition | None, *, actor: str, facts: Mapping[str, Any], now: int
) -> dict[str, Any]:
    """A line of the timeline; without a transition the first one."""
    return {
        "tenant_id": tenant_id,
        "order_id": order_id,
        "event": "create" if made is None else made.event,
        "before": "" if made is None else made.before,
        "after": "draft" if made is None else made.after,
        "actor": actor,
        "facts": dict(facts),
        "created_at": now,
    }
