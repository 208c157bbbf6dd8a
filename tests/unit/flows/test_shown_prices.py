"""Which prices customers are shown: each that is charged, and none twice."""

from __future__ import annotations

from reseller_kit.core.catalog import PriceList, Tier
from reseller_kit.core.pricing import complete
from reseller_kit.flows.brand import shown_prices


def shown(price_list: PriceList) -> list[tuple[str, int, int]]:
    return [(row.class_name, row.above_input, row.pico) for row in shown_prices(complete(price_list))]


def test_a_cache_write_that_costs_what_input_costs_is_not_named_in_tiers_either() -> None:
    tiered = PriceList(
        prices={"input": 3, "cached_input": 1, "output": 9}, tiers=(Tier(above_input=10, prices={"input": 6}),)
    )
    assert shown(tiered) == [("input", 0, 3), ("cached_input", 0, 1), ("output", 0, 9), ("input", 10, 6)]


def test_a_cache_write_of_its_own_in_one_tier_is_named_wherever_it_is_charged() -> None:
    tiered = PriceList(
        prices={"input": 3, "output": 9}, tiers=(Tier(above_input=10, prices={"input": 6, "cache_write": 7}),)
    )
    rows = shown(tiered)
    assert ("cache_write", 0, 3) in rows
    assert ("cache_write", 10, 7) in rows
