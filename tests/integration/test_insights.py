"""A reseller's insights, against a database: to the nano what the ledger says, by days of the storefront's zone."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs
from sqlalchemy import func, insert, select, update

from reseller_kit.core.days import QUARTER_US, day_of, start_of
from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.times import DAY_US, HOUR_US, parse_time
from reseller_kit.db import insights as insight_rows
from reseller_kit.db import tables as t
from reseller_kit.db import tenants
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows import snapshot, standing
from reseller_kit.flows.insights import Insights, insights, stretch_of
from reseller_kit.flows.rollup import roll_up
from reseller_kit.flows.unlock import unlock
from tests.support.factories import SECRET_KEY, Key, deposit, grant, make_call, make_customer, make_key
from tests.support.provisioning import applied, rows

ZONE = "Pacific/Auckland"


async def shop(db: Database, slug: str = "aurora") -> Tenant:
    async with db.read(EVERY_TENANT) as connection:
        tenant = await tenants.find(connection, slug)
    assert tenant is not None
    await deposit(db, tenant)
    return tenant


async def caller(db: Database, tenant: Tenant, email: str) -> tuple[Customer, Key]:
    customer = await make_customer(db, tenant, email)
    await grant(db, customer)
    return customer, await make_key(db, customer)


async def of(db: Database, tenant: Tenant, days: int = 3, zone: str = ZONE) -> Insights:
    today = day_of(now_us(), ZoneInfo(zone))
    return await insights(db, tenant.id, zone, today - dt.timedelta(days=days - 1), today)


async def booked(db: Database, tenant: Tenant, kind: str) -> int:
    """The sum of a sink's entries from calls, as the ledger has it."""
    e, a, x = t.entry.c, t.account.c, t.txn.c
    statement = (
        select(func.sum(e.amount_nano))
        .join(t.account, a.id == e.account_id)
        .join(t.txn, x.id == e.txn_id)
        .where(e.tenant_id == tenant.id, a.kind == kind, x.code == "call")
    )
    return int((await rows(db, statement))[0][0] or 0)


async def test_every_figure_agrees_with_the_ledger_to_the_nano(db: Database) -> None:
    await applied(db)
    tenant, other = await shop(db), await shop(db, "nocturne")
    jane, her_key = await caller(db, tenant, "jane@example.com")
    joe, his_key = await caller(db, tenant, "joe@example.com")
    far, far_key = await caller(db, other, "jane@example.com")
    await make_call(db, far, far_key, quantities={"input": 9_999_999})
    for number in range(1, 6):
        await make_call(db, jane, her_key, "gpt-5", quantities={"input": number * 37, "output": number * 11 + 1})
        await make_call(db, joe, his_key, quantities={"input": 1_003 * number, "cached_input": 7})
        if number == 3:
            await roll_up(db)
    await make_call(db, joe, his_key, quantities={}, status="failed", http_status=503)
    before, found = await of(db, tenant), None
    await roll_up(db)
    found = await of(db, tenant)
    assert found == before
    assert found.sum("retail") == await booked(db, tenant, "reseller_revenue") > 0
    assert found.sum("wholesale") == await booked(db, tenant, "wholesale_revenue") > 0
    assert found.sum("margin") == found.sum("retail") - found.sum("wholesale")
    for name in ("retail", "wholesale", "calls", "failed_calls"):
        assert sum(getattr(model, name) for model in found.models) == found.sum(name)
    assert [(model.model, model.calls, model.failed_calls) for model in found.models] == [
        ("gpt-5-mini", 6, 1),
        ("gpt-5", 5, 0),
    ] or {model.model for model in found.models} == {"gpt-5", "gpt-5-mini"}
    assert (found.active, found.days[-1].active, found.sum("new")) == (2, 2, 2)
    assert Fraction(found.sum("failed_calls"), found.sum("calls")) == Fraction(1, 11)
    assert found.latency is not None
    assert (found.latency.calls, found.latency.median_ms, found.latency.first_byte_ms) == (10, 120, 40)


async def test_days_are_those_of_the_zone(db: Database) -> None:
    await applied(db)
    tenant = await shop(db)
    jane, key = await caller(db, tenant, "jane@example.com")
    midnight = start_of(day_of(now_us(), ZoneInfo(ZONE)), ZoneInfo(ZONE))
    for moment in (midnight - 1, midnight - HOUR_US, midnight):
        await make_call(db, jane, key, created_at=moment)
    found = await of(db, tenant)
    assert [day.calls for day in found.days] == [0, 2, 1]
    assert [day.active for day in found.days] == [0, 1, 1]
    assert found.active == 1


@pytest.mark.parametrize(
    ("zone", "first", "moments", "active"),
    [
        # Clocks go back at 01:00 UTC: the 25th has 25 hours, to the quarter before 23:00 UTC.
        (
            "Europe/Berlin",
            "2026-10-24",
            ["2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"],
            [1, 1, 1],
        ),
        # Of the long day only the hour that it has more, and of the next one only the first quarter.
        (
            "Europe/Berlin",
            "2026-10-24",
            ["2026-10-25T22:14:00Z", "2026-10-25T22:59:00Z", "2026-10-25T23:01:00Z"],
            [0, 1, 1],
        ),
        # Clocks go forward at midnight: the 6th begins at one o'clock.
        (
            "America/Santiago",
            "2026-09-05",
            ["2026-09-06T03:59:59Z", "2026-09-06T04:00:00Z", "2026-09-07T02:59:59Z", "2026-09-07T03:00:00Z"],
            [1, 1, 1],
        ),
        ("Asia/Kathmandu", "2026-10-01", ["2026-10-01T18:14:59Z", "2026-10-01T18:15:00Z"], [1, 1, 0]),
    ],
)
@pytest.mark.parametrize("rolled", [False, True])
async def test_a_customer_is_counted_on_each_day_with_a_call(
    db: Database, zone: str, first: str, moments: list[str], active: list[int], *, rolled: bool
) -> None:
    await applied(db)
    tenant = await shop(db)
    jane, key = await caller(db, tenant, "jane@example.com")
    for moment in moments:
        await make_call(db, jane, key, created_at=parse_time(moment))
    if rolled:
        await roll_up(db)
    begin = dt.date.fromisoformat(first)
    found = await insights(db, tenant.id, zone, begin, begin + dt.timedelta(days=2))
    assert [day.active for day in found.days] == active
    assert found.active == 1


async def test_callers_are_found_by_index_a_day_at_a_time(db: Database) -> None:
    """What a customer called within a day, however much it was, is passed over."""
    await applied(db)
    tenant = await shop(db)
    jane, _ = await caller(db, tenant, "jane@example.com")
    since = start_of(dt.date(2026, 10, 1), ZoneInfo("UTC"))
    grain = {"tenant_id": tenant.id, "customer_id": jane.id, "grain": "quarter", "model": "", "key_id": ""}
    sums = dict.fromkeys(t.TOTALLED, 1)
    quarters = [{**grain, "at": since + number * QUARTER_US, **sums} for number in range(10 * 96)]
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(insert(t.usage_total), quarters)
    stretch = stretch_of(dt.date(2026, 10, 1), dt.date(2026, 10, 10), "UTC")
    async with db.read(tenant.id) as connection:
        found = await connection.execute(
            await insight_rows.callers(connection, tenant.id, (stretch.since, stretch.until), stretch.following)
        )
    assert [row.at for row in found] == [since + number * DAY_US for number in range(10)]


async def test_the_first_pages_days_are_those_of_the_insights(db: Database) -> None:
    await applied(db)
    tenant = await shop(db)
    jane, key = await caller(db, tenant, "jane@example.com")
    midnight = start_of(day_of(now_us(), ZoneInfo(ZONE)), ZoneInfo(ZONE))
    for moment in (midnight - 40 * DAY_US, midnight - 1, midnight):
        await make_call(db, jane, key, created_at=moment, quantities={"input": 1_003})
    await roll_up(db)
    await make_call(db, jane, key, created_at=midnight - DAY_US - HOUR_US)
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    front = next(entry.storefront for entry in served.hosts.values() if entry.storefront.slug == "aurora")
    stand = await standing.look(db, structs.replace(front, timezone=ZONE))
    found = await of(db, tenant, standing.DAYS)
    assert [(day.day, day.calls, day.retail) for day in stand.days] == [
        (day.day, day.calls, day.retail) for day in found.days
    ]
    assert [day.calls for day in stand.days[-3:]] == [1, 1, 1]
    assert stand.steps.called


async def test_orders_and_what_became_of_them(db: Database) -> None:
    await applied(db)
    tenant = await shop(db)
    jane, _ = await caller(db, tenant, "jane@example.com")
    now = now_us()
    package = (await rows(db, select(t.package.c.id).where(t.package.c.tenant_id == tenant.id).limit(1)))[0].id
    order = {
        "tenant_id": tenant.id,
        "customer_id": jane.id,
        "package_id": package,
        "provider": "manual",
        "provider_facts": {},
        "price_nano": 10_000_000_001,
        "credits_nano": 5,
        "terms_hash": "0",
        "created_at": now,
        "lapses_at": now,
        "changed_at": now,
    }
    async with db.write(EVERY_TENANT) as connection:
        for number, paid_at in enumerate((now, now - DAY_US, None)):
            row = {**order, "id": f"ord_{number}", "state": "activated" if paid_at else "lapsed", "paid_at": paid_at}
            await connection.execute(insert(t.purchase_order).values(row))
        for number, event in enumerate(("charge_back", "pay", "lapse")):
            line = {"tenant_id": tenant.id, "order_id": f"ord_{number}", "event": event, "before": "a", "after": "b"}
            await connection.execute(
                insert(t.order_event).values({**line, "actor": "x", "facts": {}, "created_at": now})
            )
        fact = {"provider": "paddle", "kind": "payment", "ref": "txn_1", "status": "failed", "state": {}}
        times = dict.fromkeys(("occurred_at", "created_at", "changed_at"), now)
        await connection.execute(insert(t.payment_fact).values({**fact, **times, "tenant_id": tenant.id}))
    found = await of(db, tenant)
    assert found.sum("failed_payments") == found.days[-1].failed_payments == 1
    assert [(day.orders, day.sold) for day in found.days] == [(0, 0), (1, 10_000_000_001), (1, 10_000_000_001)]
    assert (found.sum("unpaid"), found.sum("charged_back")) == (1, 1)


async def test_cohorts_are_by_month_of_sign_up(db: Database) -> None:
    await applied(db)
    tenant = await shop(db)
    old, old_key = await caller(db, tenant, "old@example.com")
    await caller(db, tenant, "quiet@example.com")
    zone = ZoneInfo(ZONE)
    this_month = day_of(now_us(), zone).replace(day=1)
    last_month = (this_month - dt.timedelta(days=1)).replace(day=1)
    async with db.write(EVERY_TENANT) as connection:
        joined = update(t.customer).where(t.customer.c.id == old.id)
        await connection.execute(joined.values(created_at=start_of(last_month, zone)))
    await make_call(db, old, old_key, created_at=start_of(last_month, zone) + HOUR_US)
    await make_call(db, old, old_key)
    found = (await of(db, tenant)).cohorts
    assert [(one.month, one.customers, one.active) for one in found] == [
        (last_month, 1, (1, 1)),
        (this_month, 1, (0,)),
    ]


async def test_a_span_is_bounded(db: Database) -> None:
    await applied(db)
    tenant = await shop(db)
    for first, last in (("2026-02-01", "2026-01-31"), ("2024-01-01", "2026-01-01")):
        with pytest.raises(InvalidRequest):
            await insights(db, tenant.id, "UTC", dt.date.fromisoformat(first), dt.date.fromisoformat(last))
