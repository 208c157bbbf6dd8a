from __future__ import annotations

import pytest
from msgspec import Struct

from reseller_kit.core.times import format_time
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.tenants import find as find_tenant
from tests.support import factories as make
from tests.support.commands import Cli

WHOLESALE = {"input": 275_000, "cached_input": 27_500, "output": 2_200_000}
RETAIL = {"input": 600_000, "cached_input": 38_500, "output": 4_000_000}


class Shop(Struct):
    cli: Cli
    calls: list[str]
    foreign_call: str
    customer_id: str
    key_id: str


async def _seed(db: Database) -> tuple[list[str], str, str, str]:
    await make.make_platform(db)
    upstream_id = await make.make_upstream(db)
    await make.make_model(db, upstream_id=upstream_id)
    await make.make_model(db, "gpt-5-preview", upstream_id=upstream_id)
    catalog = {"deny": ["*-preview"], "aliases": {"aurora-fast": "gpt-5-mini"}}
    calls, owners = [], []
    for slug in ("aurora", "boreal"):
        tenant = await make.make_tenant(db, slug, settings={"catalog": catalog})
        for model in ("gpt-5-mini", "gpt-5-preview"):
            await make.publish(db, tenant, model, wholesale=WHOLESALE, retail=RETAIL)
        await make.deposit(db, tenant)
        customer = await make.make_customer(db, tenant, "kim@example.com")
        await make.grant(db, customer)
        key = await make.make_key(db, customer)
        owners.append((customer.id, key.row.id))
        used = {"input": 1_000, "cached_input": 200, "output": 500}
        calls.append(await make.make_call(db, customer, key, quantities=used, reasoning_tokens=120))
        if slug == "aurora":
            calls.append(await make.make_call(db, customer, key, quantities={}, status="failed", http_status=502))
    return calls[:2], calls[2], *owners[0]


@pytest.fixture
def shop(cli: Cli) -> Shop:
    return Shop(cli, *cli.seed(_seed))


def test_a_record_has_every_field_of_the_reference(shop: Shop) -> None:
    failed, record = shop.cli.ask("usage", "list", "--tenant", "aurora")["records"]
    assert [failed["id"], record["id"]] == list(reversed(shop.calls))
    assert (failed["status"], failed["retail"], failed["input_tokens"]) == ("failed", "0.00", 0)
    expected = {
        "customer": "kim@example.com",
        "customer_id": shop.customer_id,
        "key": shop.key_id,
        "model": "gpt-5-mini",
        "public_model": "gpt-5-mini",
        "upstream": "openai",
        "upstream_model": "gpt-5-mini",
        "dialect": "openai",
        "stream": False,
        "status": "ok",
        "http_status": 200,
        "input_tokens": 1_000,
        "cached_input_tokens": 200,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_tokens": 500,
        "reasoning_tokens": 120,
        "usage_source": "upstream",
        "retail": "0.0026077",
        "wholesale": "0.0013805",
        "cost": "0.001255",
        "attempts": 1,
        "latency_ms": 120,
        "first_byte_ms": 40,
    }
    assert {name: record[name] for name in expected} == expected
    assert record["created_at"].endswith("Z")


def test_records_are_narrowed_by_tenant_customer_and_time(shop: Shop) -> None:
    def listed(*arguments: str) -> list[str]:
        return [row["id"] for row in shop.cli.ask("usage", "list", *arguments)["records"]]

    everything = [shop.foreign_call, *reversed(shop.calls)]
    assert listed() == everything
    assert listed("--tenant", "boreal") == [shop.foreign_call]
    assert listed("--tenant", "aurora", "--customer", "KIM@example.com") == list(reversed(shop.calls))
    assert listed("--tenant", "aurora", "--customer", shop.customer_id) == list(reversed(shop.calls))
    assert listed("--since", "2026-01-01") == everything
    assert listed("--since", format_time(now_us() + 60_000_000)) == []
    assert shop.cli.refused("usage", "list", "--tenant", "boreal", "--customer", shop.customer_id)[0] == 4
    assert shop.cli.refused("usage", "list", "--customer", "kim@example.com")[0] == 2
    assert shop.cli.refused("usage", "list", "--since", "yesterday")[0] == 2


def test_records_go_on_by_cursor(shop: Shop) -> None:
    seen, cursor = [], None
    while True:
        page = shop.cli.ask("usage", "list", "--limit", "1", *(() if cursor is None else ("--cursor", cursor)))
        seen += [row["id"] for row in page["records"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [shop.foreign_call, *reversed(shop.calls)]


def test_a_charge_is_explained_line_by_line_within_its_tenant(shop: Shop) -> None:
    call = shop.calls[0]
    explained = shop.cli.ask("usage", "explain", call)
    assert explained["matches"] is True
    assert {line["level"] for line in explained["lines"]} == {"retail", "wholesale", "cost"}
    assert shop.cli.ask("usage", "explain", call, "--tenant", "aurora") == explained
    assert shop.cli.refused("usage", "explain", call, "--tenant", "boreal")[0] == 4
    assert shop.cli.refused("usage", "explain", "req_nothing")[0] == 4
    shown = shop.cli.run("usage", "explain", call).stdout
    assert "0.0026077" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_ledger_audit_proves_the_books_and_counts_open_holds(shop: Shop) -> None:
    report = shop.cli.ask("ledger", "audit")
    names = {"ok", "transactions", "entries", "open_holds", "imbalance", "findings", "archived_before"}
    assert set(report) == names
    assert (report["ok"], report["open_holds"], report["imbalance"], report["findings"]) == (True, 0, "0.00", [])
    assert report["transactions"] == 6

    async def hold(db: Database) -> None:
        tenant = await make.make_tenant(db, "zeta")
        await make.publish(db, tenant, "gpt-5-mini", wholesale=WHOLESALE, retail=RETAIL)
        await make.deposit(db, tenant)
        customer = await make.make_customer(db, tenant)
        await make.grant(db, customer)
        await make.make_call(db, customer, await make.make_key(db, customer), hold_only=True)

    shop.cli.seed(hold)
    result = shop.cli.run("ledger", "audit", "--json")
    assert result.code == 6
    assert result.json()["open_holds"] == 1
    assert shop.cli.ask("ledger", "audit", "--tenant", "aurora")["ok"] is True
    held = shop.cli.ask("wholesale", "balance", "--tenant", "zeta")
    assert held["held"] == "0.001375"


def test_prices_are_shown_at_the_three_levels(shop: Shop) -> None:
    lines = shop.cli.ask("price", "show", "--tenant", "aurora")["prices"]
    assert {line["model"] for line in lines} == {"gpt-5-mini"}
    by_class = {line["class"]: line for line in lines}
    assert by_class["output"] == {
        "model": "gpt-5-mini",
        "class": "output",
        "above_input": 0,
        "per": "million tokens",
        "cost": "2.00",
        "wholesale": "2.20",
        "retail": "4.00",
        "provider": None,
        "margin": "1.80",
    }
    assert set(by_class) == {"input", "cached_input", "cache_write", "cache_write_1h", "output"}
    assert shop.cli.ask("price", "show", "--tenant", "aurora", "--model", "aurora-fast")["prices"] == lines
    for model in ("gpt-5-preview", "nothing", ""):
        assert shop.cli.refused("price", "show", "--tenant", "aurora", "--model", model)[0] == 4


def test_a_new_version_is_shown_and_the_old_one_stays_in_the_history(shop: Shop) -> None:
    async def publish(db: Database) -> None:
        async with db.read(EVERY_TENANT) as connection:
            tenant = await find_tenant(connection, "aurora")
        assert tenant is not None
        await make.publish(db, tenant, "gpt-5-mini", wholesale=WHOLESALE, retail={**RETAIL, "output": 2_100_000})
        await make.make_price_version(
            db, "retail", "gpt-5-mini", {**RETAIL, "output": 9_000_000}, tenant=tenant, at=now_us() + 10**12
        )

    shop.cli.seed(publish)
    lines = shop.cli.ask("price", "show", "--tenant", "aurora")["prices"]
    output = next(line for line in lines if line["class"] == "output")
    assert (output["retail"], output["margin"]) == ("2.10", "-0.10")
    command = ("price", "history", "--tenant", "aurora", "--model", "gpt-5-mini")
    versions = shop.cli.ask(*command)["prices"]
    outputs = [row["prices"]["output"] for row in versions if row["level"] == "retail"]
    assert outputs == ["9.00", "2.10", "4.00"]
    assert [row["level"] for row in versions].count("cost") == 1
    first = shop.cli.ask(*command, "--limit", "3")
    rest = shop.cli.ask(*command, "--cursor", first["next_cursor"])
    assert first["prices"] + rest["prices"] == versions


def test_upstreams_are_listed_by_fingerprint_and_their_keys_never_shown(shop: Shop) -> None:
    result = shop.cli.run("upstream", "list", "--json")
    (upstream,) = result.json()["upstreams"]
    assert (upstream["name"], upstream["status"]) == ("openai", "active")
    assert upstream["models"] == ["gpt-5-mini", "gpt-5-preview"]
    assert upstream["keys"][0]["reference"] == "env:UPSTREAM_KEY"
    assert len(upstream["keys"][0]["fingerprint"]) == 8
    assert "sk-upstream" not in result.stdout


def test_an_upstream_that_does_not_answer_is_a_finding(shop: Shop) -> None:
    result = shop.cli.run("upstream", "check", "openai", "--json")
    assert result.code == 6
    (check,) = result.json()["upstreams"]
    assert (check["name"], check["health"]) == ("openai", "failed")
    assert check["fault"]
    assert shop.cli.refused("upstream", "check", "nothing")[0] == 4
