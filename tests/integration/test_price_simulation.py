"""price simulate: every call charged again, exactly, and nothing changed by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import select

from reseller_kit.core.errors import KitError
from reseller_kit.core.usage_file import UsedCall, read_usage
from reseller_kit.db import tables as t
from reseller_kit.db import tenants
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows.schedule import NewChange, schedule_price
from reseller_kit.flows.simulate import Period, Simulation, simulate
from tests.support.commands import Cli
from tests.support.factories import deposit, grant, make_call, make_customer, make_key
from tests.support.provisioning import EXAMPLE, KEYS, applied, dump, rows

RETAIL = {"input": Fraction("1.925"), "cached_input": Fraction("0.1925"), "output": Fraction("15.40")}
"""gpt-5 at aurora: cost × 1.10 × 1.40, in USD per million tokens."""
u = t.usage_record.c
CALLS = [{"input": 1, "output": 1}, {"input": 1003, "cached_input": 17, "output": 333}, {"input": 7}]


def change(**terms: Any) -> NewChange:
    defaults: dict[str, Any] = {"match": None, "markup_ppm": None, "prices": {}, "allow_loss": True}
    return NewChange(effective_from=0, **{**defaults, **terms})


def nano(quantities: Mapping[str, int], prices: Mapping[str, Fraction]) -> int:
    """A call's charge, the long way round."""
    return ceil(sum((count * prices[name] for name, count in quantities.items()), Fraction(0)) * 1000)


def expected(prices: Mapping[str, Fraction]) -> int:
    return sum(nano(call, prices) for call in CALLS)


async def used(db: Database) -> None:
    """The calls of CALLS at aurora."""
    async with db.read(EVERY_TENANT) as connection:
        tenant = await tenants.find(connection, "aurora")
    assert tenant is not None
    customer = await make_customer(db, tenant, "jane@example.com")
    await deposit(db, tenant)
    await grant(db, customer)
    key = await make_key(db, customer)
    for quantities in CALLS:
        await make_call(db, customer, key, "gpt-5", quantities=quantities)


async def of_this_month(db: Database, **terms: Any) -> Simulation:
    now = now_us()
    return await simulate(db, "aurora", change(**terms), Period(now - 3_600_000_000, now + 1))


async def test_each_call_is_charged_as_it_was_and_as_it_would_be(db: Database) -> None:
    await applied(db)
    await used(db)
    before = await dump(db)
    found = await of_this_month(db, match="gpt-5", markup_ppm=555_500)
    earned = found.models["gpt-5"]
    wholesale = {name: price / Fraction("1.4") for name, price in RETAIL.items()}
    then = {name: price * Fraction("1.5555") for name, price in wholesale.items()}
    # Prices are published in whole millionths of a dollar per million tokens, rounded half up.
    then = {name: Fraction(int(price * 10**6 + Fraction(1, 2)), 10**6) for name, price in then.items()}
    assert earned.calls == 3
    assert (earned.retail_now, earned.retail_then) == (expected(RETAIL), expected(then))
    assert earned.wholesale == expected(wholesale)
    assert earned.margin_then == earned.retail_then - earned.wholesale
    assert found.total == earned
    assert await dump(db) == before


async def test_now_is_what_was_charged(db: Database) -> None:
    await applied(db)
    await used(db)
    found = await of_this_month(db, markup_ppm=400_000)
    stored = await rows(db, select(u.retail_nano, u.wholesale_nano))
    assert found.total.retail_now == found.total.retail_then == sum(row.retail_nano for row in stored)
    assert found.total.wholesale == sum(row.wholesale_nano for row in stored)


@pytest.mark.parametrize(
    "terms",
    [
        {"markup_ppm": 700_000},
        {"match": "gpt-*", "markup_ppm": 700_000},
        {"match": "gpt-5", "prices": {"input": 3_000_000}},
    ],
)
async def test_a_simulation_foretells_what_scheduling_publishes(db: Database, terms: dict[str, Any]) -> None:
    await applied(db)
    found = await simulate(db, "aurora", change(**terms), [])
    new = structs.replace(change(**terms), effective_from=now_us() + 3_600_000_000, allow_loss=False)
    made = await schedule_price(db, "aurora", new, "test")
    assert found.lines == made.lines
    assert found.lines != []


async def test_a_model_without_a_price_is_named_and_left_out(db: Database) -> None:
    await applied(db)
    calls = [UsedCall("gpt-5", {"input": 1000}), UsedCall("gone", {"input": 1}), UsedCall("gpt-5", {"input_audio": 1})]
    found = await simulate(db, "aurora", change(markup_ppm=500_000), calls)
    assert found.models["gpt-5"].calls == 2
    assert found.unpriced == {"gone": 1}
    images = await simulate(db, "aurora", change(markup_ppm=500_000), [UsedCall("gpt-5", {"images": 1})])
    assert (images.models, images.unpriced) == ({}, {"gpt-5": 1})


async def test_an_alias_counts_as_its_model(db: Database) -> None:
    await applied(db)
    found = await simulate(db, "aurora", change(markup_ppm=500_000), [UsedCall("aurora-fast", {"input": 1000})])
    assert list(found.models) == ["gpt-5-mini"]


async def test_without_terms_prices_are_as_they_are(db: Database) -> None:
    await applied(db)
    found = await simulate(db, "aurora", change(match="gpt-5-mini"), [UsedCall("gpt-5-mini", {"input": 1_000_000})])
    assert found.total.retail_then == found.total.retail_now == 600_000_000
    assert {line.retail for line in found.lines if line.usage_class == "input"} == {600_000}
    assert len({line.model for line in (await simulate(db, "aurora", change(), [])).lines}) == 4


@pytest.mark.parametrize("terms", [{"match": "nothing", "markup_ppm": 1}, {"prices": {"input": 1}}])
async def test_a_change_that_makes_no_sense_is_refused(db: Database, terms: dict[str, Any]) -> None:
    await applied(db)
    with pytest.raises(KitError):
        await simulate(db, "aurora", change(**terms), [])


def test_the_commands_agree_on_a_file_and_the_records(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(EXAMPLE)
    served = Cli(cli.folder, cli.database_url, {**KEYS})
    served.ask("apply", "-f", str(file), "--yes")
    served.seed(used)
    listed = served.run("usage", "list", "--tenant", "aurora", "--json").stdout
    usage = tmp_path / "usage.json"
    usage.write_text(listed)
    assert len(read_usage(listed, "f")) == 3
    options = ("price", "simulate", "--tenant", "aurora", "--model", "gpt-5", "--markup", "90%")
    from_file = served.ask(*options, "--usage", str(usage))
    assert from_file == served.ask(*options)
    assert from_file["total"]["calls"] == 3
    assert from_file["models"][0]["model"] == "gpt-5"
    assert {line["class"] for line in from_file["prices"]} >= {"input", "output"}
    text = served.run(*options).stdout
    assert "MARGIN THEN" in text
    usage.write_text(json.dumps({"records": [{"model": "gpt-5", "input_tokens": -1}]}))
    code, error = served.refused(*options, "--usage", str(usage))
    assert (code, error["details"][0]["file"]) == (2, str(usage))
    assert error["message"].startswith(f"{usage}:1: ")
    assert served.refused(*options, "--usage", str(usage), "--since", "2026-01-01")[0] == 2
    assert served.refused(*options, "--since", "2026-01-02", "--until", "2026-01-01")[0] == 2
    assert served.refused(*options, "--usage", str(tmp_path / "none"))[0] == 4


def test_prices_are_scheduled_listed_and_cancelled_by_command(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(EXAMPLE)
    served = Cli(cli.folder, cli.database_url, {**KEYS})
    served.ask("apply", "-f", str(file), "--yes")
    options = ("price", "schedule", "--tenant", "aurora")
    assert served.ask(*options) == {"scheduled": [], "next_cursor": None}
    terms = ("--effective-from", "2031-01-01", "--model", "gpt-5", "--set", "input=2.00", "--set", "output=16.00")
    made = served.ask(*options, *terms)
    assert (made["effective_from"], made["model"], made["state"]) == ("2031-01-01T00:00:00.000000Z", "gpt-5", "waiting")
    assert made["set"] == {"input": "2.00", "output": "16.00"}
    line = next(line for line in made["prices"] if line["class"] == "input")
    assert {name: line[name] for name in ("cost", "wholesale", "retail", "margin")} == {
        "cost": "1.25",
        "wholesale": "1.375",
        "retail": "2.00",
        "margin": "0.625",
    }
    (listed,) = served.ask(*options)["scheduled"]
    assert listed["id"] == made["id"]
    planned = served.ask("plan", "-f", str(file))
    assert {move["model"] for move in planned["scheduled"]} == {"gpt-5"}
    assert "Scheduled for 2031-01-01" in served.run("plan", "-f", str(file)).stdout
    history = served.ask("price", "history", "--tenant", "aurora", "--model", "gpt-5")["prices"]
    assert [row["status"] for row in history if row["level"] == "retail"] == ["scheduled", "in force"]
    assert served.ask("price", "cancel", "--tenant", "aurora", made["id"])["state"] == "cancelled"
    assert served.refused("price", "cancel", "--tenant", "aurora", made["id"])[0] == 5
    for wrong in (
        ("--effective-from", "2020-01-01", "--markup", "50%"),
        ("--effective-from", "soon", "--markup", "50%"),
        ("--effective-from", "2031-01-01", "--markup", "50"),
        ("--effective-from", "2031-01-01", "--model", "gpt-5", "--set", "input=-1"),
        ("--effective-from", "2031-01-01", "--model", "gpt-5", "--set", "input=0.0000001"),
        ("--effective-from", "2031-01-01", "--model", "gpt-5", "--set", "input=NaN"),
        ("--effective-from", "2031-01-01", "--model", "gpt-5", "--set", "input=99999999"),
        ("--effective-from", "2031-01-01", "--model", "gpt-5", "--set", "=1"),
        ("--effective-from", "2031-01-01", "--model", "gpt-5", "--set", "input=2", "--set", "input=3"),
        ("--effective-from", "2031-01-01", "--model", "", "--markup", "50%"),
        ("--markup", "50%"),
    ):
        assert served.refused(*options, *wrong)[0] == 2, wrong
    assert served.refused(*options, "--effective-from", "2031-01-01", "--model", "gpt-6", "--markup", "5%")[0] == 4
