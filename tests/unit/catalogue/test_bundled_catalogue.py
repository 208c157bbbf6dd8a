"""The catalogue that comes with the product: prices checked by hand, and what holds for all of it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from reseller_kit.catalogue import FILE, catalogue_today, read_catalogue
from reseller_kit.core.catalog import TOKEN_CLASSES, USAGE_CLASSES
from reseller_kit.core.money import MAX_PRICE_PICO, MAX_TOKEN_PRICE_PICO
from reseller_kit.core.price_catalogue import DatedPrices, KnownModel, find_model, find_provider, prices_on, provider_at
from scripts._lib.bootstrap import ROOT
from scripts._lib.catalogue.convert import written

CATALOGUE = read_catalogue()
DAY = "2026-11-25"
REQUIRED = ("openai", "anthropic", "google", "deepseek", "mistral", "x-ai", "groq")


def known(provider: str, model: str) -> KnownModel:
    owner = find_provider(CATALOGUE, provider)
    assert owner is not None
    found = find_model(owner, model)
    assert found is not None
    return found


def lists(model: KnownModel) -> Iterator[DatedPrices]:
    yield from model.prices
    for dated in model.service_tiers.values():
        yield from dated


MODELS = [(provider, model) for provider in CATALOGUE.providers for model in provider.models]

# Published prices in pico-USD a token: input, cached_input, output, and what else is named.
PUBLISHED = [
    ("openai", "gpt-4o", {"input": 2_500_000, "cached_input": 1_250_000, "output": 10_000_000}),
    ("openai", "gpt-4o-2024-05-13", {"input": 5_000_000, "output": 15_000_000}),
    ("openai", "gpt-4o-mini", {"input": 150_000, "cached_input": 75_000, "output": 600_000}),
    ("openai", "gpt-4.1", {"input": 2_000_000, "cached_input": 500_000, "output": 8_000_000}),
    ("openai", "gpt-5", {"input": 1_250_000, "cached_input": 125_000, "output": 10_000_000}),
    ("openai", "gpt-5-mini", {"input": 250_000, "cached_input": 25_000, "output": 2_000_000}),
    ("openai", "gpt-5-nano", {"input": 50_000, "cached_input": 5_000, "output": 400_000}),
    ("openai", "o3", {"input": 2_000_000, "cached_input": 500_000, "output": 8_000_000}),
    ("openai", "text-embedding-3-small", {"input": 20_000}),
    ("openai", "whisper-1", {"seconds": 100_000_000}),
    (
        "anthropic",
        "claude-sonnet-4-5-20250929",
        {
            "input": 3_000_000,
            "cached_input": 300_000,
            "cache_write": 3_750_000,
            "cache_write_1h": 6_000_000,
            "output": 15_000_000,
        },
    ),
    (
        "anthropic",
        "claude-opus-4-1",
        {
            "input": 15_000_000,
            "cached_input": 1_500_000,
            "cache_write": 18_750_000,
            "cache_write_1h": 30_000_000,
            "output": 75_000_000,
        },
    ),
    ("anthropic", "claude-3-5-haiku-20241022", {"input": 800_000, "cache_write": 1_000_000, "output": 4_000_000}),
    ("google", "gemini-2.5-pro", {"input": 1_250_000, "cached_input": 125_000, "output": 10_000_000}),
    ("gemini", "gemini-2.5-flash", {"input": 300_000, "input_audio": 1_000_000, "output": 2_500_000}),
    ("deepseek", "deepseek-chat", {"input": 270_000, "cached_input": 70_000, "output": 1_100_000}),
    ("mistral", "mistral-large-2411", {"input": 2_000_000, "output": 6_000_000}),
    ("xai", "grok-4", {"input": 3_000_000, "cached_input": 750_000, "output": 15_000_000}),
    ("groq", "llama-3.3-70b-versatile", {"input": 590_000, "output": 790_000}),
    ("openrouter", "openai/gpt-5-mini", {"input": 250_000, "cached_input": 25_000, "output": 2_000_000}),
]


@pytest.mark.parametrize(
    ("provider", "model", "prices"), PUBLISHED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_well_known_prices_are_those_published(provider: str, model: str, prices: dict[str, int]) -> None:
    in_force = prices_on(known(provider, model).prices, DAY)
    assert in_force is not None
    assert {name: in_force.prices[name] for name in prices} == prices


def test_prices_have_their_days() -> None:
    o3 = known("openai", "o3").prices
    before, after = prices_on(o3, "2025-06-09"), prices_on(o3, "2025-06-10")
    assert before is not None
    assert after is not None
    assert (before.prices["input"], after.prices["input"]) == (10_000_000, 2_000_000)


def test_a_long_request_has_prices_of_its_own() -> None:
    in_force = prices_on(known("google", "gemini-2.5-pro").prices, DAY)
    assert in_force is not None
    assert in_force.price_list.at(200_000)["input"] == 1_250_000
    assert in_force.price_list.at(200_001) == {"input": 2_500_000, "cached_input": 250_000, "output": 15_000_000}


def test_kinds_of_service_are_price_lists_of_their_own() -> None:
    tiers = known("openai", "gpt-5-mini").service_tiers
    found = {name: dated[-1].prices["output"] for name, dated in tiers.items()}
    assert found == {"batch": 1_000_000, "flex": 1_000_000, "priority": 3_600_000, "fast": 3_600_000}


def test_limits_come_along() -> None:
    model = known("openai", "gpt-5-mini")
    assert (model.context, model.max_output) == (400_000, 128_000)


@pytest.mark.parametrize("provider", REQUIRED)
def test_the_required_providers_have_priced_models(provider: str) -> None:
    owner = find_provider(CATALOGUE, provider)
    assert owner is not None
    assert sum(bool(model.prices) for model in owner.models) >= 8
    assert all(provider_at(CATALOGUE, host) is owner for host in owner.hosts)


def test_every_price_is_a_whole_number_that_can_be_charged() -> None:
    raw = json.loads(FILE.read_text(encoding="utf-8"), parse_float=pytest.fail)
    assert raw["providers"]
    for _, model in MODELS:
        for listed in lists(model):
            for prices in (listed.prices, *(tier.prices for tier in listed.tiers)):
                for name, price in prices.items():
                    assert name in USAGE_CLASSES
                    assert type(price) is int
                    assert 0 <= price <= (MAX_TOKEN_PRICE_PICO if name in TOKEN_CLASSES else MAX_PRICE_PICO)
            assert any(listed.prices.values()), (model.id, "is free")


def test_a_model_has_prices_or_a_reason_why_not() -> None:
    for _, model in MODELS:
        assert bool(model.prices) != bool(model.refused)
        assert model.prices or not model.service_tiers


def test_days_and_tiers_rise() -> None:
    for _, model in MODELS:
        for dated in (model.prices, *model.service_tiers.values()):
            days = [listed.effective_from for listed in dated]
            assert days == sorted(set(days))
            assert all(not day or dt.date.fromisoformat(day) for day in days)
            for listed in dated:
                marks = [tier.above_input for tier in listed.tiers]
                assert marks == sorted(set(marks))
                assert all(tier.prices.keys() <= listed.prices.keys() for tier in listed.tiers)


def test_a_name_means_one_model() -> None:
    for provider in CATALOGUE.providers:
        names = [name for model in provider.models for name in model.names]
        assert len(names) == len(set(names))
        assert all(name == name.lower() and name.strip() == name != "" for name in names)
        assert all(set(model.dated_names) <= set(model.names) for model in provider.models)


def test_sources_bring_their_versions_and_licences() -> None:
    assert [source.name for source in CATALOGUE.sources] == ["genai-prices", "litellm"]
    for source in CATALOGUE.sources:
        assert source.version
        assert "Permission is hereby granted, free of charge" in source.licence
        assert "Copyright (c)" in source.licence
        assert "enterprise/" not in source.licence


def test_apis_that_leave_cached_tokens_out_of_the_input_are_told_apart() -> None:
    found = {provider.id: provider.input_excludes_cache for provider in CATALOGUE.providers}
    assert "default" in found["anthropic"]
    assert found["openai"] == found["deepseek"] == ()


def test_the_file_is_as_the_converter_writes_it() -> None:
    assert written(CATALOGUE) == FILE.read_text(encoding="utf-8")
    report = (ROOT / "docs" / "catalogue-report.md").read_text(encoding="utf-8")
    assert f"newest day in its data: {CATALOGUE.version}" in report
    assert f"{CATALOGUE.sources[0].version} (" in report


def test_the_day_is_today_in_utc() -> None:
    before = dt.datetime.now(dt.UTC).date().isoformat()
    assert before <= catalogue_today().day <= dt.datetime.now(dt.UTC).date().isoformat()


def test_serving_does_not_load_it() -> None:
    code = "import sys, reseller_kit.app, reseller_kit.cli.serve; print('reseller_kit.catalogue' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
