"""tenants.toml and the price catalogue: whose cost counts, what is refused with its line and fix, what is warned of."""

from __future__ import annotations

from typing import Any

import pytest

from reseller_kit.core.catalog import Tier
from reseller_kit.core.errors import InvalidManifest
from reseller_kit.core.manifest import (
    Finding,
    Manifest,
    Report,
    as_findings,
    cost_sources,
    document_of,
    parse_manifest,
    price_book,
    resources,
)
from reseller_kit.core.price_catalogue import Catalogue, CatalogueOn, DatedPrices, KnownModel, Provider


def listed(day: str = "", **prices: int) -> DatedPrices:
    return DatedPrices(effective_from=day, prices=prices)


ROCKET = KnownModel(
    id="rocket",
    names=("rocket",),
    dated_names=("rocket",),
    context=200_000,
    max_output=50_000,
    prices=(
        listed(input=3_000_000, output=6_000_000),
        listed("2026-03-01", input=1_000_000, cached_input=100_000, output=2_000_000),
        listed("2027-01-01", input=1_500_000, cached_input=100_000, output=2_000_000),
    ),
)
COMET = KnownModel(
    id="comet",
    names=("comet",),
    context=64_000,
    prices=(
        DatedPrices(
            prices={"input": 1_200_000, "output": 1_000_000},
            tiers=(Tier(above_input=32_000, prices={"input": 2_400_000}),),
        ),
    ),
)
ACME = Provider(
    id="acme",
    name="Acme",
    aliases=("acme-ai",),
    hosts=("api.acme.example",),
    models=(
        ROCKET,
        COMET,
        KnownModel(id="vector", names=("vector",), prices=(listed(input=20_000),)),
        KnownModel(id="gift", names=("gift",), refused="the source says that it is free"),
        KnownModel(id="early", names=("early",), prices=(listed("2026-12-01", input=1, output=1),)),
        KnownModel(id="odd", names=("odd",), prices=(listed(input=9, output=9),), disputed=("odd",)),
        KnownModel(id="ear", names=("ear",), prices=(listed(input=9, output=9),), merged=("cache_audio_read",)),
    ),
)
ON = CatalogueOn(catalogue=Catalogue(version="2026-05-05", providers=(ACME,)), day="2026-06-01")

TEXT = """\
schema = 1
[platform]
name = "Northwind"
[upstreams.one]
dialect = "openai"
base_url = "https://api.acme.example/v1"
api_keys = ["env:KEY"]
[models.m1]
routes = [{ upstream = "one", model = "rocket" }]
[[tenants]]
slug = "aurora"
name = "Aurora"
  [[tenants.domains]]
  host = "aurora.example"
"""


def parsed(text: str = TEXT, on: CatalogueOn = ON) -> Manifest:
    return parse_manifest(text, "t.toml", catalogue=on)


def findings_of(text: str, on: CatalogueOn = ON) -> list[Finding]:
    try:
        return list(parsed(text, on).warnings)
    except InvalidManifest as error:
        return as_findings(error.details)


def cost_of(manifest: Manifest, model: str = "m1") -> dict[str, int]:
    return price_book(manifest.document)["aurora", model].cost.prices


def model_line(routes: str, more: str = "") -> str:
    return TEXT.replace('routes = [{ upstream = "one", model = "rocket" }]', f"routes = [{routes}]\n{more}")


def test_a_route_without_cost_costs_what_the_catalogue_says_on_the_day() -> None:
    assert cost_of(parsed())["input"] == 1_000_000
    assert cost_of(parsed(on=CatalogueOn(catalogue=ON.catalogue, day="2026-02-28")))["input"] == 3_000_000
    assert cost_of(parsed(on=CatalogueOn(catalogue=ON.catalogue, day="2027-01-01")))["input"] == 1_500_000


@pytest.mark.parametrize(
    "upstream",
    [
        'base_url = "https://api.acme.example/v1"',
        'base_url = "https://elsewhere.example/v1"\nprovider = "acme"',
        'base_url = "https://elsewhere.example/v1"\nprovider = "acme-ai"',
    ],
)
def test_the_provider_is_named_or_follows_from_the_host(upstream: str) -> None:
    text = TEXT.replace('base_url = "https://api.acme.example/v1"', upstream)
    assert cost_of(parsed(text))["output"] == 2_000_000


def test_a_dated_name_costs_what_its_model_does() -> None:
    assert cost_of(parsed(TEXT.replace('"rocket"', '"rocket-2025-09-30"')))["input"] == 1_000_000


def test_tiers_come_along_and_the_dearest_route_counts() -> None:
    text = model_line('{ upstream = "one", model = "rocket" }, { upstream = "one", model = "comet" }')
    cost = price_book(parsed(text).document)["aurora", "m1"].cost
    assert (cost.prices["input"], cost.prices["output"]) == (1_200_000, 2_000_000)
    assert cost.at(32_001)["input"] == 2_400_000


@pytest.mark.parametrize(
    ("routes", "more", "origin", "price"),
    [
        ('{ upstream = "one", model = "rocket" }', "", "catalogue", 1_000_000),
        ('{ upstream = "one", model = "rocket" }', 'cost = { input = "7", output = "7" }', "model", 7_000_000),
        ('{ upstream = "one", model = "rocket", cost = { input = "8", output = "8" } }', "", "route", 8_000_000),
        ('{ upstream = "one", model = "unheard-of" }', 'cost = { input = "7", output = "7" }', "model", 7_000_000),
    ],
)
def test_what_the_file_states_goes_before_the_catalogue(routes: str, more: str, origin: str, price: int) -> None:
    manifest = parsed(model_line(routes, more))
    (source,) = cost_sources(document_of(resources(manifest), Report("t", {})), ON)
    assert source.origin == origin
    assert source.catalogue == ("2026-05-05" if origin == "catalogue" else None)
    assert cost_of(manifest)["input"] == price


def test_a_price_to_come_is_named_with_its_day() -> None:
    (source,) = cost_sources(document_of(resources(parsed()), Report("t", {})), ON)
    assert (source.effective_from, source.following_from) == ("2026-03-01", "2027-01-01")


@pytest.mark.parametrize(
    ("old", "new", "message", "fix"),
    [
        ('"rocket"', '"rockte"', "has no model of that name at acme", 'Did you mean "rocket"'),
        ('"rocket"', '"rocket-mini"', "has no model of that name at acme", 'Did you mean "rocket"'),
        ('"rocket"', '"zzz"', "has no model of that name at acme", "Add cost = {"),
        ('"rocket"', '"gift"', "the source says that it is free", "Add cost = {"),
        ('"rocket"', '"early"', "its first price lies in the future", "Add cost = {"),
        ('"rocket"', '"vector"', "prices only input, and answers there have output", 'api = ["embeddings"]'),
        ("api.acme.example", "other.example", "its host is no provider's", 'provider = "acme"'),
        ("[models.m1]", 'provider = "acne"\n[models.m1]', "has no provider 'acne'", 'Did you mean "acme"?'),
    ],
)
def test_what_the_catalogue_does_not_price_is_refused_with_line_and_fix(
    old: str, new: str, message: str, fix: str
) -> None:
    text = TEXT.replace(old, new)
    (found,) = findings_of(text)
    routes = next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith("routes"))
    assert (found.code, found.level, found.line) == ("RK307", "error", routes)
    assert found.path == "models.m1.routes[0]"
    assert message in found.message
    assert fix in found.fix
    assert "cost = {" in found.fix


def test_without_a_catalogue_every_cost_must_be_stated() -> None:
    (found,) = findings_of(TEXT, CatalogueOn())
    assert (found.code, found.message) == ("RK307", "Nothing says what 'rocket' costs at 'one'.")


def test_an_upstream_of_embeddings_needs_no_price_of_output() -> None:
    text = TEXT.replace('"rocket"', '"vector"').replace("[models.m1]", 'api = ["embeddings"]\n[models.m1]')
    assert cost_of(parsed(text))["input"] == 20_000


@pytest.mark.parametrize(
    ("model", "word"), [("odd", "sources disagree on what 'odd' costs"), ("ear", "(cache audio read) cost more")]
)
def test_doubtful_prices_are_a_warning(model: str, word: str) -> None:
    (found,) = findings_of(TEXT.replace('"rocket"', f'"{model}"'))
    assert (found.code, found.level) == ("RK320", "warning")
    assert word in found.message
    stated = model_line(f'{{ upstream = "one", model = "{model}" }}', 'cost = { input = "9", output = "9" }')
    assert findings_of(stated) == []


def test_a_model_cost_below_the_catalogues_is_a_warning() -> None:
    low = model_line('{ upstream = "one", model = "rocket" }', 'cost = { input = "0.50", output = "2.00" }')
    (found,) = findings_of(low)
    assert (found.code, found.level, found.path) == ("RK403", "warning", "models.m1.routes[0]")
    assert "input" in found.message
    own = 'cost = { input = "0.50", output = "2.00" }'
    assert findings_of(model_line(f'{{ upstream = "one", model = "rocket", {own} }}', own)) == []


def limits_of(text: str) -> dict[str, Any]:
    fields = resources(parsed(text))["model", "m1"]
    return {name: fields[name] for name in ("context", "max_output")}


@pytest.mark.parametrize(
    ("routes", "more", "context", "max_output"),
    [
        ('{ upstream = "one", model = "rocket" }', "", 200_000, 50_000),
        ('{ upstream = "one", model = "rocket" }', "context = 9000", 9000, 9000),
        ('{ upstream = "one", model = "rocket" }', "max_output = 300000", 300_000, 300_000),
        ('{ upstream = "one", model = "rocket" }, { upstream = "one", model = "comet" }', "", 64_000, 50_000),
        ('{ upstream = "one", model = "odd" }', "", 128_000, 8_192),
        ('{ upstream = "one", model = "odd" }', "context = 4096", 4096, 4096),
    ],
)
def test_limits_default_to_what_the_catalogue_knows(routes: str, more: str, context: int, max_output: int) -> None:
    assert limits_of(model_line(routes, more)) == {"context": context, "max_output": max_output}


def test_the_catalogue_adds_nothing_to_what_the_file_states() -> None:
    fields = resources(parsed())["model", "m1"]
    assert fields["routes"] == [{"upstream": "one", "model": "rocket"}]
    assert "cost" not in fields
