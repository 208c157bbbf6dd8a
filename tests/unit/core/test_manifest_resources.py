"""A manifest as resources, and its prices: what plan and apply compare."""

from __future__ import annotations

from pathlib import Path

from reseller_kit.core.manifest import (
    Manifest,
    Report,
    Resources,
    document_of,
    parse_manifest,
    price_book,
    price_moves,
    resources,
)
from reseller_kit.core.manifest.resources import flat, nested

EXAMPLE = (Path(__file__).parents[3] / "tenants.example.toml").read_text(encoding="utf-8")

SMALL = """\
schema = 1
[platform]
name = "Northwind"
[upstreams.one]
dialect = "openai"
base_url = "https://api.example.com/v1"
api_keys = ["env:KEY"]
[models.m1]
routes = [{ upstream = "one", model = "x" }]
cost = { input = "1.00", output = "2.00" }
[[tenants]]
slug = "aurora"
name = "Aurora"
  [[tenants.domains]]
  host = "aurora.example"
"""


def changed(manifest: Manifest, key: tuple[str, str], **fields: object) -> Resources:
    state = resources(manifest)
    state[key] = {**state[key], **{name.replace("__", "."): value for name, value in fields.items()}}
    return state


def test_resources_hold_what_the_file_states_and_no_more() -> None:
    found = resources(parse_manifest(SMALL, "t.toml"))
    assert found == {
        ("platform", "platform"): {"name": "Northwind"},
        ("upstream", "one"): {
            "dialect": "openai",
            "base_url": "https://api.example.com/v1",
            "api_keys": ["env:KEY"],
        },
        ("model", "m1"): {
            "context": 128_000,
            "max_output": 8_192,
            "routes": [{"upstream": "one", "model": "x"}],
            "cost.input": "1.00",
            "cost.output": "2.00",
        },
        ("tenant", "aurora"): {"name": "Aurora"},
        ("domain", "aurora.example"): {"tenant": "aurora"},
    }


def test_spelling_makes_no_difference() -> None:
    plain = resources(parse_manifest(EXAMPLE, "t.toml"))
    respelt = (
        EXAMPLE.replace('"40%"', '"40.00%"')
        .replace('"10.00"', '"10"')
        .replace('"aurora.localhost"', '"AURORA.localhost."')
    )
    respelt = respelt.replace(", priority = 0, weight = 1", "").replace('"0.025"', '"0.0250"')
    assert resources(parse_manifest(respelt, "t.toml")) == plain


def test_resources_lead_back_to_the_document() -> None:
    manifest = parse_manifest(EXAMPLE, "t.toml")
    report = Report("state", {})
    assert document_of(resources(manifest), report) == manifest.document
    assert report.findings == []


def test_a_resource_without_its_tenant_is_left_out() -> None:
    manifest = parse_manifest(EXAMPLE, "t.toml")
    state = {key: fields for key, fields in resources(manifest).items() if key != ("tenant", "nocturne")}
    report = Report("state", {})
    assert [tenant.slug for tenant in document_of(state, report).tenants] == ["aurora"]
    assert report.findings == []


def test_nested_and_flat_are_inverse() -> None:
    fields = resources(parse_manifest(EXAMPLE, "t.toml"))["tenant", "nocturne"]
    table = nested("tenant", fields)
    assert table["brand"]["tokens"] == {"color.accent": {"light": "#be185d", "dark": "#f9a8d4"}}
    assert table["catalog"]["aliases"] == {"nocturne-pro": "gpt-5", "nocturne-swift": "gpt-5-mini"}
    assert flat("tenant", table) == fields


def test_prices_of_the_example_at_all_levels() -> None:
    book = price_book(parse_manifest(EXAMPLE, "t.toml").document)
    mini = book["aurora", "gpt-5-mini"]
    assert mini.cost.prices["cached_input"] == 25_000
    assert mini.wholesale.prices["input"] == 275_000
    assert mini.retail.prices == {
        "input": 600_000,
        "cached_input": 38_500,
        "output": 4_000_000,
        "cache_write": 385_000,
        "cache_write_1h": 385_000,
    }
    assert ("nocturne", "claude-sonnet-4-5") not in book
    assert book["nocturne", "gpt-4.1"].retail.prices["input"] == 2_592_000
    assert book["aurora", "claude-sonnet-4-5"].retail.at(200_001)["output"] == 30_937_500


def test_only_prices_that_move_are_told() -> None:
    manifest = parse_manifest(EXAMPLE, "t.toml")
    before = price_book(manifest.document)
    assert price_moves(before, before) == []
    state = changed(manifest, ("model", "gpt-5"), cost__output="11.00")
    after = price_book(document_of(state, Report("state", {})))
    moves = price_moves(before, after)
    assert [(move.tenant, move.model, move.usage_class) for move in moves] == [
        ("aurora", "gpt-5", "output"),
        ("nocturne", "gpt-5", "output"),
    ]
    assert moves[0].before == {"wholesale": "11.00", "retail": "15.40", "margin": "4.40"}
    assert moves[0].after == {"wholesale": "12.10", "retail": "16.94", "margin": "4.84"}


def test_a_model_that_comes_or_goes_moves_all_its_prices() -> None:
    manifest = parse_manifest(SMALL, "t.toml")
    book = price_book(manifest.document)
    assert all(move.before is None for move in price_moves({}, book))
    assert {move.usage_class for move in price_moves(book, {})} >= {"input", "output"}
