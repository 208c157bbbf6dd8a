"""Costs that the catalogue gives: planned, stored with their origin, and moved by nothing but an apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.cli import plan_text
from reseller_kit.core.errors import InvalidManifest
from reseller_kit.core.price_catalogue import Catalogue, CatalogueOn, DatedPrices, KnownModel, Provider
from reseller_kit.db import tables as t
from reseller_kit.db.engine import Database
from reseller_kit.flows.provision import Plan, apply, plan, read_manifest, resolver
from reseller_kit.flows.unlock import unlock
from tests.support.provisioning import KEYS, SECRET_KEY, dump, installed, rows

TEXT = """\
schema = 1
[platform]
name = "Northwind"
[upstreams.one]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
provider = "acme"
api_keys = ["env:DEMO_UPSTREAM_KEY"]
[wholesale]
markup = "10%"
[models.m1]
routes = [{ upstream = "one", model = "rocket" }]
[[tenants]]
slug = "aurora"
name = "Aurora"
  [[tenants.domains]]
  host = "aurora.localhost"
"""


def catalogue(version: str, day: str, *dated: DatedPrices, context: int = 64_000) -> CatalogueOn:
    model = KnownModel(id="rocket", names=("rocket",), context=context, max_output=4_000, prices=dated)
    provider = Provider(id="acme", name="Acme", models=(model,))
    return CatalogueOn(catalogue=Catalogue(version=version, providers=(provider,)), day=day)


OLD = DatedPrices(prices={"input": 1_000_000, "output": 2_000_000})
NEW = DatedPrices(effective_from="2026-07-01", prices={"input": 3_000_000, "output": 4_000_000})
JUNE = catalogue("2026-05-05", "2026-06-01", OLD, NEW)
JULY = catalogue("2026-05-05", "2026-07-01", OLD, NEW)


async def planned(db: Database, on: CatalogueOn, text: str = TEXT) -> Plan:
    manifest = read_manifest(text, "tenants.toml", installed(), on)
    return await plan(db, await unlock(db, SECRET_KEY), manifest, resolver(KEYS, Path()))


async def applied(db: Database, on: CatalogueOn, text: str = TEXT) -> Plan:
    manifest = read_manifest(text, "tenants.toml", installed(), on)
    return await apply(db, await unlock(db, SECRET_KEY), manifest, resolver(KEYS, Path()), actor="test")


async def costs(db: Database) -> list[tuple[str, Any]]:
    c = t.price_version.c
    statement = select(c.model, c.prices).where(c.level == "cost").order_by(c.model, c.effective_from)
    return [(row.model, row.prices) for row in await rows(db, statement)]


async def test_the_catalogues_cost_is_stored_with_its_origin_and_priced_upwards(db: Database) -> None:
    await applied(db, JUNE)
    stored = await costs(db)
    assert [(model, prices["prices"]["input"], prices["origin"]) for model, prices in stored] == [
        ("m1", 1_000_000, "catalogue 2026-05-05"),
        ("m1@one/rocket", 1_000_000, "catalogue 2026-05-05"),
    ]
    statement = select(t.price_version.c.prices).where(t.price_version.c.level == "wholesale")
    ((wholesale,),) = await rows(db, statement)
    assert wholesale["prices"]["input"] == 1_100_000
    ((context, max_output),) = await rows(db, select(t.model.c.context, t.model.c.max_output))
    assert (context, max_output) == (64_000, 4_000)


async def test_the_plan_says_where_each_cost_comes_from_and_what_follows(db: Database) -> None:
    found = await planned(db, JUNE)
    (cost,) = plan_text.document(found)["costs"]
    assert cost == {
        "model": "m1",
        "upstream": "one",
        "upstream_model": "rocket",
        "origin": "catalogue",
        "tenant": None,
        "catalogue": "2026-05-05",
        "effective_from": None,
        "following_from": "2026-07-01",
        "moves": True,
    }
    text = plan_text.describe(found)
    assert "Costs by the price catalogue of 2026-05-05:" in text
    assert "m1  one/rocket  another price from 2026-07-01" in text
    assert "context" in text
    assert "64000" in text


async def test_a_price_that_took_effect_moves_with_the_next_apply_and_not_before(db: Database) -> None:
    await applied(db, JUNE)
    assert not (await planned(db, JUNE)).pending
    before = await costs(db)
    found = await planned(db, JULY)
    assert found.pending
    assert {(move.usage_class, (move.after or {})["wholesale"]) for move in found.prices} >= {("input", "3.30")}
    assert await costs(db) == before
    await applied(db, JULY)
    after = await costs(db)
    assert [prices["prices"]["input"] for _, prices in after] == [1_000_000, 3_000_000] * 2
    assert [entry for entry in after if entry in before] == before
    assert not (await planned(db, JULY)).pending


async def test_a_new_catalogue_with_the_same_prices_changes_nothing(db: Database) -> None:
    await applied(db, JUNE)
    before = await dump(db)
    newer = catalogue("2026-05-31", "2026-06-01", OLD, NEW)
    found = await applied(db, newer)
    assert not found.pending
    assert await dump(db) == before


async def test_a_new_catalogue_with_another_limit_is_a_change_of_the_model(db: Database) -> None:
    await applied(db, JUNE)
    found = await planned(db, catalogue("2026-05-31", "2026-06-01", OLD, NEW, context=32_000))
    changed = {(change.kind, change.id): change.fields for change in found.changes if change.action == "update"}
    assert changed["model", "m1"]["context"] == {"old": 64_000, "new": 32_000}


async def test_a_models_own_cost_keeps_its_prices_whatever_the_catalogue_says(db: Database) -> None:
    text = TEXT.replace("[[tenants]]", 'cost = { input = "9.00", output = "9.00" }\n[[tenants]]')
    await applied(db, JUNE, text)
    assert {prices["origin"] for _, prices in await costs(db)} == {"file"}
    found = await planned(db, JULY, text)
    assert not found.pending
    assert [source.origin for source in found.costs] == ["model"]


async def test_a_model_that_the_catalogue_no_longer_prices_is_refused_and_nothing_moves(db: Database) -> None:
    await applied(db, JUNE)
    before = await dump(db)
    with pytest.raises(InvalidManifest) as refused:
        await applied(db, catalogue("2026-05-31", "2026-06-01"))
    assert [(finding["code"], finding["line"]) for finding in refused.value.details] == [("RK307", 12)]
    assert await dump(db) == before


async def test_a_model_kept_from_an_earlier_file_is_priced_by_the_catalogue_too(db: Database) -> None:
    await applied(db, JUNE)
    start = TEXT.index("[models.m1]")
    other = TEXT[:start] + TEXT[start:].replace("[models.m1]", '[models."m2"]')
    found = await applied(db, JUNE, other)
    assert ("orphan", "m1") in {(change.action, change.id) for change in found.changes}
    assert {source.model for source in found.costs} == {"m1", "m2"}
    moved = await planned(db, JULY, other)
    assert {model for model, _, _ in moved.moved_costs} == {"m1", "m2"}


async def test_a_route_that_gets_cheaper_under_a_dearer_one_is_noted_though_no_price_moves(db: Database) -> None:
    """Margins are reported from the cost of the route that served, so a cost that moves alone is a change too."""
    dearer = '{ upstream = "one", model = "big", cost = { input = "9.00", output = "9.00" } }'
    text = TEXT.replace('model = "rocket" }]', f'model = "rocket" }}, {dearer}]')
    await applied(db, JUNE, text)
    cheaper = catalogue("2026-05-05", "2026-07-02", DatedPrices(prices={"input": 999_999, "output": 2_000_000}))
    found = await planned(db, cheaper, text)
    assert found.pending
    assert not found.prices
    assert set(found.moved_costs) == {("m1", "one", "rocket")}
    assert "costs to note" in plan_text.describe(found)
    done = await applied(db, cheaper, text)
    assert "costs noted" in plan_text.outcome(done)
    stored = [prices["prices"]["input"] for model, prices in await costs(db) if model == "m1@one/rocket"]
    assert stored == [1_000_000, 999_999]
    assert not (await planned(db, cheaper, text)).pending


async def test_a_kept_model_that_has_no_price_any_more_can_be_withdrawn(db: Database) -> None:
    await applied(db, JUNE)
    start = TEXT.index("[models.m1]")
    other = TEXT[:start] + '[models.m2]\nroutes = [{ upstream = "one", model = "own" }]\n'
    other += 'cost = { input = "1.00", output = "1.00" }\n' + TEXT[TEXT.index("[[tenants]]") :]
    emptied = catalogue("2026-05-31", "2026-06-01")
    with pytest.raises(InvalidManifest) as refused:
        await applied(db, emptied, other)
    (finding,) = refused.value.details
    assert finding["code"] == "RK307"
    assert "--prune" in finding["fix"]
    manifest = read_manifest(other, "tenants.toml", installed(), emptied)
    vault = await unlock(db, SECRET_KEY)
    done = await apply(db, vault, manifest, resolver(KEYS, Path()), actor="test", prune=True)
    assert ("archive", "m1") in {(change.action, change.id) for change in done.changes}
