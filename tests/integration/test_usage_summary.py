"""Totals by day, model and key: whole days of the tenant's zone, also when clocks change, and never behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs
from sqlalchemy import ClauseElement, Executable, insert, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from reseller_kit.core.errors import InvalidRequest, NotFound
from reseller_kit.core.ids import new_id
from reseller_kit.core.months import month_of
from reseller_kit.core.times import parse_time
from reseller_kit.db import credits as credit_rows
from reseller_kit.db import operator_overview, partitions, rollups, usage
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.rollups import SumFilter
from reseller_kit.db.usage import UsageFilter
from reseller_kit.flows.rollup import roll_up
from reseller_kit.flows.usage_summary import summarize
from tests.support.commands import Cli
from tests.support.ledger import (
    Shop,
    add_customer,
    altered,
    deposit,
    grant,
    hold,
    make_shop,
    open_ledger,
    settle,
    usage_row,
)


async def make_calls(db: Database, shop: Shop, moments: list[str]) -> None:
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10**9))
        await ledger.submit(deposit(shop, 10**9))
        for moment in moments:
            placed = hold(shop, 900, 600)
            await ledger.submit(placed)
            item = settle(shop, placed, {"input": 100, "output": 5})
            await ledger.submit(altered(item, created_at=parse_time(moment)))


async def set_zone(db: Database, zone: str) -> None:
    async with db.administer() as connection:
        await connection.execute(update(t.tenant).values(timezone=zone))


@pytest.mark.parametrize(
    ("zone", "moments", "days"),
    [
        # Clocks go back at 01:00 UTC: the 25th has 25 hours.
        (
            "Europe/Berlin",
            ["2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"],
            [("2026-10-24", 1), ("2026-10-25", 2), ("2026-10-26", 1)],
        ),
        # Clocks go forward at midnight: the day begins at one o'clock.
        (
            "America/Santiago",
            ["2026-09-06T03:59:59Z", "2026-09-06T04:00:00Z", "2026-09-07T02:59:59Z", "2026-09-07T03:00:00Z"],
            [("2026-09-05", 1), ("2026-09-06", 2), ("2026-09-07", 1)],
        ),
        (
            "Asia/Kathmandu",
            ["2026-10-01T18:14:59Z", "2026-10-01T18:15:00Z"],
            [("2026-10-01", 1), ("2026-10-02", 1)],
        ),
        (
            "Australia/Lord_Howe",
            ["2026-10-01T13:29:59Z", "2026-10-01T13:30:00Z"],
            [("2026-10-01", 1), ("2026-10-02", 1)],
        ),
    ],
)
async def test_days_are_those_of_the_zone(
    db: Database, zone: str, moments: list[str], days: list[tuple[str, int]]
) -> None:
    shop = await make_shop(db)
    await set_zone(db, zone)
    await make_calls(db, shop, moments)
    for _ in range(2):
        found = await summarize(db, tenant_slug="aurora", since=parse_time(moments[0]) - 1)
        assert [(day, each.calls) for day, each in found.rows] == days
        assert (found.total.calls, found.total.retail_nano) == (len(moments), 360 * len(moments))
        await roll_up(db)
    second = await summarize(db, tenant_slug="aurora", since=parse_time(moments[1]))
    assert [(day, each.calls) for day, each in second.rows] == days[1:]


async def test_every_zone_has_days_of_whole_quarters() -> None:
    from zoneinfo import available_timezones

    for name in available_timezones():
        offset = datetime(2026, 7, 1, tzinfo=ZoneInfo(name)).utcoffset()
        assert offset is not None
        assert offset % timedelta(minutes=15) == timedelta(0), name


async def test_by_default_thirty_days_to_this_moment(db: Database) -> None:
    shop = await make_shop(db)
    today = datetime.fromtimestamp(now_us() / 1_000_000, ZoneInfo("UTC")).date()
    first = today - timedelta(days=29)
    await make_calls(db, shop, [f"{first - timedelta(days=1)}T23:59:59Z", f"{first}T00:00:00Z", f"{today}T00:00:00Z"])
    found = await summarize(db, tenant_slug="aurora", customer="kim@aurora.example")
    assert [day for day, _ in found.rows] == [first.isoformat(), today.isoformat()]
    with pytest.raises(InvalidRequest, match="future"):
        await summarize(db, tenant_slug="aurora", since=now_us() + 10**9)
    assert (await summarize(db, tenant_slug="aurora", since=-(10**15))).total.calls == 3
    with pytest.raises(NotFound):
        await summarize(db, tenant_slug="aurora", customer="nobody@aurora.example")


def test_the_command(cli: Cli) -> None:
    async def seed(db: Database) -> tuple[Shop, Shop]:
        shop = await make_shop(db)
        other = await add_customer(db, shop, "lee@aurora.example")
        foreign = await make_shop(db, "borealis")
        for owner in (shop, other, foreign):
            await make_calls(db, owner, ["2026-10-01T10:00:00Z", "2026-10-02T10:00:00Z"])
        return shop, other

    shop, other = cli.seed(seed)
    since = ("--since", "2026-10-01")
    found = cli.ask("usage", "summary", "--tenant", "aurora", *since)
    assert found == {
        "tenant": "aurora",
        "customer": None,
        "timezone": "UTC",
        "since": "2026-10-01T00:00:00.000000Z",
        "by": "day",
        "rows": [{"day": "2026-10-01", **figures(2)}, {"day": "2026-10-02", **figures(2)}],
        "total": figures(4),
    }
    by_key = cli.ask("usage", "summary", "--tenant", "aurora", *since, "--by", "key")
    assert {row["key"]: row["calls"] for row in by_key["rows"]} == {shop.key_id: 2, other.key_id: 2}
    mine = cli.ask(
        "usage", "summary", "--tenant", "aurora", "--customer", "lee@aurora.example", *since, "--by", "model"
    )
    assert mine["rows"] == [{"model": "gpt-test", **figures(2)}]
    assert mine["customer"] == "lee@aurora.example"
    shown = cli.run("usage", "summary", "--tenant", "aurora", *since).stdout
    assert "2026-10-02" in shown
    assert "0.00000144" in shown
    assert cli.refused("usage", "summary", "--tenant", "aurora", "--by", "week")[0] == 2
    assert cli.refused("usage", "summary", "--tenant", "nobody")[0] == 4
    assert cli.refused("usage", "summary", "--tenant", "borealis", "--customer", other.customer_id)[0] == 4


def figures(calls: int) -> dict[str, object]:
    amounts = {1: ("0.00000036", "0.00000024", "0.00000012"), 2: ("0.00000072", "0.00000048", "0.00000024")}
    amounts[4] = ("0.00000144", "0.00000096", "0.00000048")
    retail, wholesale, cost = amounts[calls]
    return {
        "calls": calls,
        "input_tokens": 100 * calls,
        "cached_input_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_tokens": 5 * calls,
        "quantities": {"input": 100 * calls, "output": 5 * calls},
        "retail": retail,
        "wholesale": wholesale,
        "cost": cost,
    }


async def test_pages_are_found_by_index(db: Database) -> None:
    """What the portal asks is answered from an index in its order: no scan, no sort of a customer's whole past."""
    shop = await make_shop(db)
    last = await fill(db, shop)
    u = t.usage_record.c
    customer = UsageFilter(shop.customer_id)
    asked = SumFilter(shop.customer_id, 0)
    for statement, index in (
        (usage.narrowed(shop.tenant_id, customer, 50), "tenant_id_customer_id_id"),
        (usage.narrowed(shop.tenant_id, UsageFilter(shop.customer_id, before_id=last), 50), "tenant_id_customer_id_id"),
        (usage.narrowed(shop.tenant_id, UsageFilter(before_id=last), 50), "tenant_id_id"),
        (usage.narrowed(shop.tenant_id, UsageFilter(), 1).where(u.id == last), "PRIMARY KEY"),
        (rollups._rolled(shop.tenant_id, asked, "quarter"), "PRIMARY KEY"),
        (rollups._waiting(shop.tenant_id, asked, "quarter", now_us()), "settled_at"),
    ):
        plan = await explained(db, statement)
        assert "SCAN usage" not in plan, plan
        assert "B-TREE FOR ORDER BY" not in plan, plan
        # The months to come are empty, where any index is as good as another.
        part = f"{partitions.partition_name('usage_record', month_of(now_us()))}_"
        chosen = [line for line in plan.splitlines() if part in line or db.backend == "sqlite"]
        names = {"PRIMARY KEY": ("PRIMARY KEY", "_pkey", "pk_usage_rollup", "_tenant_id_id")}.get(index, (f"_{index}",))
        assert any(name in line for line in chosen or [plan] for name in names), plan


async def test_a_storefronts_keys_are_summed_customer_by_customer(db: Database) -> None:
    shop = await make_shop(db)
    await fill(db, shop)
    plan = await explained(db, rollups._rolled(shop.tenant_id, SumFilter(None, 1), "key"))
    if db.backend == "sqlite":
        assert "usage_rollup USING PRIMARY KEY (tenant_id=? AND customer_id=? AND quarter_at>?)" in plan, plan
    else:
        assert "Seq Scan on usage_rollup" not in plan, plan


async def test_the_operators_days_are_summed_storefront_by_storefront(db: Database) -> None:
    """Not by reading what every customer ever called, which is most of the rollups."""
    shop = await make_shop(db)
    await fill(db, shop)
    plan = await explained(db, operator_overview.rolled(1))
    if db.backend == "sqlite":
        assert "usage_rollup USING PRIMARY KEY (tenant_id=? AND customer_id=? AND quarter_at>?)" in plan, plan
    else:
        assert "Seq Scan on usage_rollup" not in plan, plan


async def test_a_page_of_history_is_a_range_of_the_wallets_index(db: Database) -> None:
    """However far back it begins: nothing newer is passed over, and nothing is sorted."""
    shop = await make_shop(db)
    names = ("id", "tenant_id", "wallet_id", "code", "ref", "balance_after_nano", "created_at")
    rows = [
        dict(
            zip(names, (new_id("txn"), shop.tenant_id, shop.wallet_id + number % 3, "call", "", 0, number), strict=True)
        )
        for number in range(3_000)
    ]
    lines = [
        {
            "txn_id": row["id"],
            "line": line,
            "tenant_id": shop.tenant_id,
            "account_id": row["wallet_id"],
            "amount_nano": 0,
        }
        for row in rows
        for line in range(2)
    ]
    async with db.administer() as connection:
        await connection.execute(insert(t.txn), rows)
        await connection.execute(insert(t.entry), lines)
        if db.backend == "postgresql":
            await connection.exec_driver_sql("ANALYZE")
    for before in ((None, None), (1_000, str(rows[1_000]["id"]))):
        plan = await explained(db, credit_rows.history_rows(shop.tenant_id, shop.wallet_id, 51, *before))
        assert "ix_txn_wallet_id_created_at_id" in plan, plan
        assert not any(word in plan for word in ("B-TREE", "Sort", "SCAN", "Seq Scan on txn")), plan
        if before[0] is not None:
            [condition] = [line for line in plan.splitlines() if "created_at" in line and ("<" in line)]
            assert "Index Cond" in condition or "SEARCH" in condition, plan


async def fill(db: Database, shop: Shop) -> str:
    """Three thousand records of fifty tenants with rollups and statistics; the id of one in the middle."""
    rows, sums = [], []
    for number in range(3_000):
        row = {**structs.asdict(usage_row(shop, new_id("req"), {"input": 1})), "settled_at": now_us()}
        whose = {"customer_id": shop.customer_id if number % 100 == 0 else f"cus_{number % 100}"}
        rows.append({**row, **whose, "tenant_id": shop.tenant_id + number % 50})
        grain = {
            "tenant_id": rows[-1]["tenant_id"],
            "customer_id": rows[-1]["customer_id"],
            "model": "m",
            "key_id": "k",
        }
        sums.append({**grain, "quarter_at": number * 900_000_000, **dict.fromkeys(t.SUMMED, 1)})
    async with db.administer() as connection:
        await connection.execute(insert(t.usage_record), rows)
        await connection.execute(insert(t.usage_rollup), sums)
        if db.backend == "postgresql":
            await connection.exec_driver_sql("ANALYZE")
    return str(rows[1_500]["id"])


class Explained(Executable, ClauseElement):
    """A statement's plan instead of its rows."""

    inherit_cache = False
    _returns_rows = True

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement


@compiles(Explained)
def _explained(element: Explained, compiler: SQLCompiler, **options: object) -> str:
    verb = "EXPLAIN QUERY PLAN" if compiler.dialect.name == "sqlite" else "EXPLAIN"
    return f"{verb} {compiler.process(element.statement, **options)}"


async def explained(db: Database, statement: ClauseElement) -> str:
    async with db.read(EVERY_TENANT) as connection:
        rows = (await connection.execute(Explained(statement))).all()
    return "\n".join(str(row[-1]) for row in rows)
