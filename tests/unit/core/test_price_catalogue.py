"""Looking a model up: exact names, aliases, dated dated_names, and names that nobody knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.price_catalogue import (
    Catalogue,
    DatedPrices,
    KnownModel,
    Provider,
    find_model,
    find_provider,
    nearest_names,
    next_prices,
    prices_on,
    provider_at,
)

OLD = DatedPrices(prices={"input": 3, "output": 4})
NEW = DatedPrices(effective_from="2026-03-01", prices={"input": 1, "output": 2})
LATER = DatedPrices(effective_from="2027-01-01", prices={"input": 5, "output": 6})

PROVIDER = Provider(
    id="acme-ai",
    name="Acme",
    aliases=("acme",),
    hosts=("api.acme.example",),
    models=(
        KnownModel(id="rocket-2", names=("rocket-2", "rocket-2-2025-01-01"), prices=(OLD, NEW, LATER)),
        KnownModel(id="rocket", names=("rocket", "rocket-latest"), dated_names=("rocket",), prices=(OLD,)),
        KnownModel(id="rocket-free", names=("rocket-free",), refused="the source says that it is free"),
    ),
)
CATALOGUE = Catalogue(version="2026-05-05", providers=(PROVIDER,))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("rocket", "rocket"),
        ("ROCKET-Latest", "rocket"),
        ("rocket-2", "rocket-2"),
        ("rocket-2-2025-01-01", "rocket-2"),
        ("rocket-20250203", "rocket"),
        ("rocket-2025-02-03", "rocket"),
        ("rocket@20250203", "rocket"),
        ("rocket-2025-02-30", None),
        ("rocket-20251301", None),
        ("rocket-2-2026-01-01", None),
        ("rocket-latest-2026-01-01", None),
        ("rocket-mini", None),
        ("rocket-2025-02-03-mini", None),
        ("-2025-02-03", None),
        ("", None),
    ],
)
def test_a_model_is_found_by_its_names_and_by_days_after_some_of_them(name: str, found: str | None) -> None:
    model = find_model(PROVIDER, name)
    assert (model.id if model else None) == found


def test_providers_are_found_by_id_alias_and_host() -> None:
    assert find_provider(CATALOGUE, "Acme") is find_provider(CATALOGUE, "acme-ai") is PROVIDER
    assert find_provider(CATALOGUE, "acm") is None
    assert provider_at(CATALOGUE, "API.acme.example") is PROVIDER
    assert provider_at(CATALOGUE, "eu.api.acme.example") is None
    assert provider_at(CATALOGUE, "") is None


@pytest.mark.parametrize(
    ("day", "now", "then"),
    [("2026-02-28", OLD, NEW), ("2026-03-01", NEW, LATER), ("2026-12-31", NEW, LATER), ("2027-01-01", LATER, None)],
)
def test_a_list_holds_from_its_day_on(day: str, now: DatedPrices, then: DatedPrices | None) -> None:
    prices = PROVIDER.models[0].prices
    assert prices_on(prices, day) is now
    assert next_prices(prices, day) is then


def test_before_the_first_list_there_is_no_price() -> None:
    assert prices_on((NEW,), "2026-02-28") is None
    assert prices_on((), "2026-02-28") is None


def test_only_priced_models_are_suggested() -> None:
    assert nearest_names(PROVIDER, "rockte")[0] == "rocket"
    assert "rocket-free" not in nearest_names(PROVIDER, "rocket-fre")
    assert nearest_names(PROVIDER, "zzz") == []


@given(st.text(max_size=40))
def test_any_text_may_be_looked_up(name: str) -> None:
    model = find_model(PROVIDER, name)
    assert model is None or any(name.lower().startswith(known) for known in model.names)
