"""How the whole platform stands, for the operator's first page: tenants, money by day, what is stuck. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, Select, Table, cast, func, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.times import DAY_US
from . import tables as t
from .accounts import DRAWN_ON
from .rollups import rolled_until

_AMOUNTS: Final = ("retail_nano", "wholesale_nano", "cost_nano")
_TO_DECIDE: Final = ("review", "duplicate_paid", "activation_failed")


class DaySums(Struct, frozen=True, kw_only=True):
    """What a tenant's calls of one day (its start in µs, UTC) came to, at all three levels in nano-USD."""

    tenant_id: int
    day_at: int
    calls: int
    retail: int
    wholesale: int
    cost: int


class Wallet(Struct, frozen=True):
    """A reseller's account of one kind, in nano-USD."""

    balance: int
    reserved: int


class Stuck(Struct, frozen=True, kw_only=True):
    """What waits for a person, or for longer than it should."""

    parked_mails: int
    late_mails: int
    open_holds: int
    parked_deliveries: int
    late_deliveries: int
    orders: int
    unasked_providers: int = 0
    reviews: int = 0
    reports: int = 0
    appeals: int = 0


async def sums_by_day(connection: AsyncConnection, since: int) -> list[DaySums]:
    """Every tenant's days from `since` (µs, on a day's start) on: from the rollups, and of records not in them yet."""
    mark = await rolled_until(connection)
    u = t.usage_record.c
    waiting = select(u.tenant_id, u.created_at, 1, *(u[name] for name in _AMOUNTS)).where(
        u.settled_at >= mark, u.created_at >= since
    )
    both = union_all(rolled(since), waiting).subquery().c
    day = both["at"] - both["at"] % DAY_US
    sums = [cast(func.sum(both[name]), BigInteger) for name in ("calls", *_AMOUNTS)]
    statement = select(both.tenant_id, day, *sums).group_by(both.tenant_id, day).order_by(both.tenant_id, day)
    return [
        DaySums(tenant_id=row[0], day_at=row[1], calls=row[2], retail=row[3], wholesale=row[4], cost=row[5])
        for row in await connection.execute(statement)
    ]


def rolled(since: int) -> Select[Any]:
    """The rollups of whole storefronts from then on, a few rows a quarter of an hour among many of customers.

    Storefront by storefront, whose rows of the time lie together. It is an outer join, and its check for a row is in
    disguise, so that no database begins with the rollups.
    """
    r, tenant = t.usage_rollup.c, t.tenant.c
    each = (r.tenant_id == tenant.id) & (r.customer_id == literal_column("''")) & (r.quarter_at >= since)
    columns = (r.tenant_id, r.quarter_at.label("at"), r.calls, *(r[name] for name in _AMOUNTS))
    return select(*columns).select_from(t.tenant.outerjoin(t.usage_rollup, each)).where(func.coalesce(r.calls, 0) > 0)


async def wallets(connection: AsyncConnection) -> Mapping[tuple[int, str], Wallet]:
    """(tenant, kind of account) → what is in it, of the accounts that calls draw on."""
    c = t.account.c
    statement = select(c.tenant_id, c.kind, c.balance_nano, c.reserved_nano).where(c.kind.in_(DRAWN_ON.values()))
    return {(row[0], row[1]): Wallet(row[2], row[3]) for row in await connection.execute(statement)}


async def customers(connection: AsyncConnection) -> Mapping[int, int]:
    """Tenant → how many customers it has."""
    c = t.customer.c
    statement = select(c.tenant_id, func.count()).where(c.status != "deleted").group_by(c.tenant_id)
    return {row[0]: row[1] for row in await connection.execute(statement)}


async def failures(connection: AsyncConnection, since: int) -> Mapping[int, tuple[int, int]]:
    """Tenant → (calls, those of them that failed) of days from `since` (µs, on a day's start in UTC) on."""
    c = t.model_day.c
    sums = [cast(func.sum(c[name]), BigInteger) for name in ("calls", "failures")]
    statement = select(c.tenant_id, *sums).where(c.day_at >= since).group_by(c.tenant_id)
    return {row[0]: (row[1], row[2]) for row in await connection.execute(statement)}


async def stuck(connection: AsyncConnection, *, late: int) -> Stuck:
    """As of now; `late` (µs): what waits since before it waits too long."""
    mail, hold, inbox, order = t.outbox.c, t.hold.c, t.inbox.c, t.purchase_order.c
    statement = select(
        _count(t.outbox, mail.parked_at.is_not(None)),
        _count(t.outbox, mail.sent_at.is_(None), mail.parked_at.is_(None), mail.created_at < late),
        _count(t.hold, hold.state == "open", hold.created_at < late),
        _count(t.inbox, inbox.parked_at.is_not(None)),
        _count(t.inbox, inbox.processed_at.is_(None), inbox.parked_at.is_(None), inbox.received_at < late),
        _count(t.purchase_order, order.state.in_(_TO_DECIDE)),
        _count(t.payment_poll, t.payment_poll.c.failed_at.is_not(None)),
        _count(t.tenant, t.tenant.c.status == "draft", t.tenant.c.review_asked_at.is_not(None)),
        _count(t.abuse_report, t.abuse_report.c.state == "open"),
        _count(t.abuse_report, t.abuse_report.c.state == "appealed"),
    )
    row = (await connection.execute(statement)).one()
    return Stuck(
        parked_mails=row[0],
        late_mails=row[1],
        open_holds=row[2],
        parked_deliveries=row[3],
        late_deliveries=row[4],
        orders=row[5],
        unasked_providers=row[6],
        reviews=row[7],
        reports=row[8],
        appeals=row[9],
    )


def _count(table: Table, *conditions: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(table).where(*conditions).scalar_subquery()
