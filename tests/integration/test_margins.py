"""Margins: what calls earned the operator and the reseller, exactly as the ledger has it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from sqlalchemy import func, select, update

from reseller_kit.core.times import format_time, parse_time
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from tests.support import factories as make
from tests.support.commands import Cli

WHOLESALE = {"input": 275_000, "cached_input": 27_500, "output": 2_200_000}
RETAIL = {"input": 385_001, "cached_input": 38_501, "output": 3_080_003}
DAY_US = 86_400 * 10**6
TODAY = now_us() // DAY_US * DAY_US


async def _seed(db: Database) -> None:
    """Seven calls of two models on two days, one of them through a dearer backup, and one of another tenant."""
    await make.make_platform(db)
    upstream_id = await make.make_upstream(db)
    for name in ("gpt-5-mini", "gpt-5-nano"):
        await make.make_model(db, name, upstream_id=upstream_id)
    for slug in ("aurora", "boreal"):
        tenant = await make.make_tenant(db, slug)
        for name in ("gpt-5-mini", "gpt-5-nano"):
            await make.publish(db, tenant, name, wholesale=WHOLESALE, retail=RETAIL)
        await make.deposit(db, tenant)
        customer = await make.make_customer(db, tenant, "kim@example.com")
        await make.grant(db, customer)
        key = await make.make_key(db, customer)
        for number in range(7 if slug == "aurora" else 1):
            day = TODAY - (2 * DAY_US if number < 2 else 0)
            model = "gpt-5-nano" if number == 6 else "gpt-5-mini"
            used = {"input": 1_001 + number, "output": 333 * number + 1}
            dearer: dict[str, Any] = {"upstream": "backup", "cost_nano": 5 * 10**9} if number == 4 else {}
            await make.make_call(db, customer, key, model, quantities=used, created_at=day + number, **dearer)


async def _entries(db: Database, tenant: str) -> dict[str, int]:
    a, e = t.account.c, t.entry.c
    statement = select(a.kind, func.sum(e.amount_nano)).join(t.entry, e.account_id == a.id).join(t.tenant)
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(statement.where(t.tenant.c.slug == tenant).group_by(a.kind))
        return {row[0]: int(row[1]) for row in rows}


def nano(amount: str) -> int:
    return int(Fraction(amount) * 10**9)


def test_margins_are_those_of_the_ledger(cli: Cli) -> None:
    cli.seed(_seed)
    report = cli.ask("wholesale", "margin", "--tenant", "aurora")
    rows = [(row["day"], row["model"], row["calls"]) for row in report["margins"]]
    today, before = format_time(TODAY)[:10], format_time(TODAY - 2 * DAY_US)[:10]
    assert rows == [(today, "gpt-5-mini", 4), (today, "gpt-5-nano", 1), (before, "gpt-5-mini", 2)]
    for row in (*report["margins"], report["total"]):
        assert nano(row["reseller_margin"]) == nano(row["retail"]) - nano(row["wholesale"])
        assert nano(row["operator_margin"]) == nano(row["wholesale"]) - nano(row["cost"])
    for name in ("retail", "wholesale", "cost", "reseller_margin", "operator_margin"):
        assert sum(nano(row[name]) for row in report["margins"]) == nano(report["total"][name])
    total, posted = report["total"], cli.seed(lambda db: _entries(db, "aurora"))
    assert nano(total["retail"]) == posted["reseller_revenue"]
    assert nano(total["wholesale"]) == posted["wholesale_revenue"]
    assert nano(total["cost"]) == posted["upstream_payable"]
    assert nano(total["operator_margin"]) == posted["wholesale_revenue"] - posted["upstream_payable"] < 0
    assert (report["tenant"], report["currency"], total["calls"]) == ("aurora", "USD", 7)


def test_margins_since_a_moment(cli: Cli) -> None:
    cli.seed(_seed)
    since = format_time(TODAY)
    report = cli.ask("wholesale", "margin", "--tenant", "aurora", "--since", since)
    assert report["total"]["calls"] == 5
    later = format_time(parse_time(since) + 2 * DAY_US)
    assert cli.ask("wholesale", "margin", "--tenant", "aurora", "--since", later)["margins"] == []
    assert "No calls yet." in cli.run("wholesale", "margin", "--tenant", "aurora", "--since", later).stdout
    assert cli.refused("wholesale", "margin", "--tenant", "aurora", "--since", "soon")[0] == 2
    assert cli.refused("wholesale", "margin", "--tenant", "nobody")[0] == 4


def test_the_doctor_names_calls_that_cost_more_than_they_brought(cli: Cli) -> None:
    cli.seed(_seed)
    found = [x for x in cli.run("tenant", "doctor", "aurora", "--json").json()["findings"] if x["code"] == "DR212"]
    (loss,) = found
    assert (loss["level"], loss["where"]) == ("warning", "aurora")
    assert "Of gpt-5-mini through backup, 1 of the last 7 days' calls cost you 4.99" in loss["message"]
    assert "DR212" not in {x["code"] for x in cli.run("tenant", "doctor", "boreal", "--json").json()["findings"]}


def test_the_doctor_looks_at_the_account_that_calls_draw_on(cli: Cli) -> None:
    async def seed(db: Database) -> None:
        for slug, balance in (("even", 0), ("owing", -1)):
            tenant = await make.make_tenant(db, slug, settings={"wholesale": {"settlement": "revenue_share"}})
            a = t.account.c
            async with db.write(EVERY_TENANT) as connection:
                share = update(t.account).where(a.tenant_id == tenant.id, a.kind == "reseller_accrual")
                await connection.execute(share.values(balance_nano=balance))

    cli.seed(seed)
    for slug, expected in (("even", False), ("owing", True)):
        codes = {x["code"] for x in cli.run("tenant", "doctor", slug, "--json").json()["findings"]}
        assert ("DR207" in codes) == expected
