from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.catalog import (
    INPUT_CLASSES,
    OUTPUT_CLASSES,
    TOKEN_CLASSES,
    USAGE_CLASSES,
    PriceList,
    PriceVersion,
    Tier,
    price_of,
)
from reseller_kit.core.pricing import (
    PricingRule,
    bound_for,
    bounds,
    charge,
    charge_lines,
    complete,
    dearest,
    derive_fee,
    derive_group_retail,
    derive_retail,
    derive_wholesale,
    free_of_charge,
    input_tokens,
    losses,
    lowest,
    matching_rule,
    units_bound,
)

prices = st.integers(0, 10**9)
base = st.fixed_dictionaries(
    {"input": prices, "output": prices}, optional={name: prices for name in USAGE_CLASSES[1:] if name != "output"}
)
tiers = st.lists(
    st.builds(Tier, above_input=st.integers(1, 5_000), prices=base), max_size=3, unique_by=lambda tier: tier.above_input
)
price_lists = st.builds(
    PriceList, prices=base, tiers=tiers.map(lambda found: tuple(sorted(found, key=lambda tier: tier.above_input)))
)
quantities = st.dictionaries(st.sampled_from(TOKEN_CLASSES), st.integers(0, 10_000))


def test_the_charge_is_quantity_times_price_rounded_up_once() -> None:
    price_list = PriceList(prices={"input": 250_000, "cached_input": 25_000, "output": 2_000_001})
    assert charge(price_list, {"input": 1, "cached_input": 1, "output": 1}) == 2_276
    assert charge(price_list, {}) == 0
    assert charge(price_list, {"input": 0, "seconds": 0}) == 0


@given(price_lists, quantities)
def test_a_charge_is_exact_and_the_sum_of_its_lines(price_list: PriceList, used: dict[str, int]) -> None:
    in_force = complete(price_list).at(sum(used.get(name, 0) for name in INPUT_CLASSES))
    exact = Fraction(0)
    for name, quantity in used.items():
        price = price_of(in_force, name)
        assert price is not None
        exact += Fraction(quantity * price, 1000)
    completed = complete(price_list)
    lines = charge_lines(completed, used)
    assert charge(completed, used) == ceil(exact) == -(-sum(line[3] for line in lines) // 1000)
    assert all(amount == quantity * price and quantity > 0 for _, quantity, price, amount in lines)


@pytest.mark.parametrize(("total", "price"), [(99, 1), (100, 1), (101, 5), (1_000, 5), (1_001, 9)])
def test_a_long_context_tier_begins_above_its_boundary_and_prices_the_whole_call(total: int, price: int) -> None:
    price_list = PriceList(
        prices={"input": 1_000, "output": 1_000},
        tiers=(
            Tier(above_input=100, prices={"input": 5_000, "output": 5_000}),
            Tier(above_input=1_000, prices={"input": 9_000, "output": 9_000}),
        ),
    )
    used = {"input": total - 40, "cached_input": 30, "cache_write": 10, "output": 7}
    assert input_tokens(used) == total
    assert charge(complete(price_list), used) == (total + 7) * price


def test_a_class_without_a_price_is_charged_as_its_fallback_never_as_zero() -> None:
    price_list = PriceList(prices={"input": 3_000, "cache_write": 4_000, "output": 9_000})
    used = {
        "cached_input": 1,
        "cache_write_1h": 1,
        "input_audio": 1,
        "input_image": 1,
        "output_audio": 1,
        "output_image": 1,
    }
    assert charge(price_list, used) == 3 + 4 + 3 + 3 + 9 + 9


@pytest.mark.parametrize("unpriced", ["seconds", "images", "tool_call", "characters", "surprise"])
def test_a_class_without_price_or_fallback_is_refused(unpriced: str) -> None:
    with pytest.raises(KeyError):
        charge(PriceList(prices={"input": 1, "output": 1}), {unpriced: 1})
    with pytest.raises(KeyError):
        charge_lines(PriceList(prices={"input": 1, "output": 1}), {unpriced: 1})


@pytest.mark.parametrize("unpriced", ["seconds", "images", "tool_call", "characters", "surprise"])
def test_of_what_there_is_nothing_there_need_be_no_price(unpriced: str) -> None:
    price_list = PriceList(prices={"input": 3_000, "output": 9_000})
    assert charge(price_list, {"input": 5, unpriced: 0, "output": 2}) == 15 + 18
    assert charge_lines(price_list, {"input": 5, unpriced: 0}) == [("input", 5, 3_000, 15_000)]


def test_cache_writes_never_cost_what_cache_reads_do() -> None:
    prices = PriceList(prices={"input": 1_000, "cached_input": 100, "output": 4_000})
    assert charge(prices, {"cache_write": 10}) == 10
    assert charge(prices, {"cache_write_1h": 10}) == 10
    dearer = PriceList(prices={"input": 1_000, "cached_input": 100, "cache_write": 1_250, "output": 4_000})
    assert charge(dearer, {"cache_write_1h": 8}) == 10


def test_a_price_per_request_is_optional() -> None:
    assert charge(PriceList(prices={"input": 1_000}), {"request": 1, "input": 1}) == 1
    assert charge(PriceList(prices={"input": 1_000, "request": 5_000}), {"request": 1, "input": 1}) == 6
    assert charge_lines(PriceList(prices={"input": 1_000}), {"request": 1, "input": 1}) == [("input", 1, 1_000, 1_000)]


@given(price_lists)
def test_a_completed_list_names_every_text_class_and_charges_the_same(price_list: PriceList) -> None:
    completed = complete(price_list)
    assert complete(completed) == completed
    for found in (completed.prices, *(tier.prices for tier in completed.tiers)):
        assert {"input", "cached_input", "cache_write", "cache_write_1h", "output"} <= found.keys()
    assert completed.prices == {**completed.prices, **price_list.prices}


def test_a_tier_keeps_the_base_price_of_what_it_does_not_name() -> None:
    price_list = PriceList(prices={"input": 1, "output": 8}, tiers=(Tier(above_input=10, prices={"input": 2}),))
    assert complete(price_list).tiers[0].prices["output"] == 8


@given(price_lists, st.integers(0, 10**6), st.integers(0, 10**6), quantities)
def test_markups_of_nothing_or_more_never_lose(
    price_list: PriceList, wholesale: int, retail: int, used: dict[str, int]
) -> None:
    cost = complete(price_list)
    to_reseller = derive_wholesale(price_list, wholesale)
    to_customer = derive_retail("gpt-test", to_reseller, retail, [])
    assert losses(cost, to_reseller) == losses(to_reseller, to_customer) == []
    assert charge(to_customer, used) >= charge(to_reseller, used) >= charge(cost, used)


@given(price_lists, st.integers(0, 10**9), quantities)
def test_a_provider_and_the_fee_on_it_are_what_a_markup_makes_of_the_two(
    provider: PriceList, fee: int, used: dict[str, int]
) -> None:
    both, part = derive_wholesale(provider, fee), derive_fee(provider, fee)
    for above in (0, *(tier.above_input for tier in provider.tiers)):
        paid, taken = complete(provider).at(above + 1), part.at(above + 1)
        assert both.at(above + 1) == {name: price + taken[name] for name, price in paid.items()}
        assert all(price >= 0 for price in taken.values())
    assert charge(free_of_charge(provider), {name: n for name, n in used.items() if name in provider.prices}) == 0


def test_prices_are_rounded_half_up_once_per_class() -> None:
    wholesale = derive_wholesale(PriceList(prices={"input": 5, "output": 15}), 100_000)
    assert (wholesale.prices["input"], wholesale.prices["output"]) == (6, 17)
    retail = derive_retail("m", wholesale, 400_000, [])
    assert (retail.prices["input"], retail.prices["output"]) == (8, 24)


def test_the_first_rule_that_fits_wins_and_leaves_other_classes_to_its_markup() -> None:
    wholesale = complete(PriceList(prices={"input": 100, "output": 1_000}))
    rules = [
        PricingRule(match="claude-*", markup_ppm=0),
        PricingRule(match="gpt-*-mini", prices={"input": 7}),
        PricingRule(match="gpt-*", markup_ppm=1_000_000),
    ]
    assert matching_rule("gpt-5-mini", rules) == rules[1]
    assert derive_retail("gpt-5-mini", wholesale, 500_000, rules).prices["input"] == 7
    assert derive_retail("gpt-5-mini", wholesale, 500_000, rules).prices["output"] == 1_500
    assert derive_retail("gpt-5", wholesale, 500_000, rules).prices["output"] == 2_000
    assert derive_retail("GPT-5", wholesale, 500_000, rules).prices["output"] == 1_500


def test_losses_are_named_by_class_and_tier() -> None:
    wholesale = PriceList(
        prices={"input": 10, "output": 10}, tiers=(Tier(above_input=100, prices={"input": 20, "output": 20}),)
    )
    retail = PriceList(
        prices={"input": 10, "output": 9}, tiers=(Tier(above_input=100, prices={"input": 19, "output": 20}),)
    )
    assert [(loss.usage_class, loss.above_input, loss.base, loss.price) for loss in losses(wholesale, retail)] == [
        ("output", 0, 10, 9),
        ("input", 100, 20, 19),
    ]


def test_a_loss_hides_in_no_tier_that_only_one_list_has() -> None:
    wholesale = PriceList(
        prices={"input": 10, "output": 10}, tiers=(Tier(above_input=100, prices={"input": 20, "output": 20}),)
    )
    retail = PriceList(prices={"input": 15, "output": 15})
    assert [(loss.usage_class, loss.above_input) for loss in losses(wholesale, retail)] == [
        ("input", 100),
        ("output", 100),
    ]


@given(st.lists(price_lists, min_size=1, max_size=4), quantities)
def test_the_dearest_of_several_costs_covers_each_of_them(lists: list[PriceList], used: dict[str, int]) -> None:
    highest = dearest(lists)
    assert all(charge(highest, used) >= charge(complete(price_list), used) for price_list in lists)


def test_a_rule_without_markup_sells_at_wholesale_and_one_that_names_none_at_the_tenants() -> None:
    wholesale = PriceList(prices={"input": 1_000, "output": 4_000})
    free = PricingRule(match="gpt-*", markup_ppm=0)
    assert derive_retail("gpt-x", wholesale, 400_000, [free]).prices == {"input": 1_000, "output": 4_000}
    silent = PricingRule(match="gpt-*", prices={"input": 7})
    assert derive_retail("gpt-x", wholesale, 400_000, [silent]).prices == {"input": 7, "output": 5_600}


def test_bounds_never_fall_where_a_tier_is_cheaper_and_begin_above_its_mark() -> None:
    price_list = PriceList(
        prices={"input": 10, "cached_input": 3, "output": 40, "output_audio": 90, "request": 500},
        tiers=(
            Tier(above_input=100, prices={"input": 20, "output": 30}),
            Tier(above_input=200, prices={"input": 5, "output": 95, "request": 700}),
        ),
    )
    known = bounds(price_list)
    assert [(b.above_input, b.per_input, b.per_output, b.per_request) for b in known] == [
        (0, 10, 90, 500),
        (100, 20, 90, 500),
        (200, 20, 95, 700),
    ]
    for tokens, above in ((0, 0), (100, 0), (101, 100), (200, 100), (201, 200), (10**9, 200)):
        assert bound_for(known, tokens).above_input == above


@given(price_lists, quantities)
def test_a_bound_covers_every_charge_within_it(price_list: PriceList, used: dict[str, int]) -> None:
    read = sum(used.get(name, 0) for name in INPUT_CLASSES)
    written = sum(used.get(name, 0) for name in OUTPUT_CLASSES)
    completed = complete(price_list)
    bound = bound_for(bounds(completed), read)
    most = read * bound.per_input + written * bound.per_output + bound.per_request * used.get("request", 0)
    tokens = {name: n for name, n in used.items() if name in {*INPUT_CLASSES, *OUTPUT_CLASSES, "request"}}
    assert charge(completed, tokens) <= -(-most // 1000)


def test_other_units_are_bounded_by_their_dearest_tier() -> None:
    tiers = (Tier(above_input=10, prices={"tool_call": 7}), Tier(above_input=20, prices={"tool_call": 5}))
    price_list = PriceList(prices={"tool_call": 3, "seconds": 2}, tiers=())
    assert units_bound(price_list, {"tool_call": 4, "seconds": 5, "request": 1}) == 4 * 3 + 5 * 2
    assert units_bound(PriceList(prices={"tool_call": 3}, tiers=tiers), {"tool_call": 4}) == 4 * 7
    with pytest.raises(KeyError):
        units_bound(price_list, {"images": 1})
    assert units_bound(price_list, {"images": 0}) == 0


def test_of_several_versions_the_lowest_charge_counts_and_of_equals_the_first() -> None:
    dear, cheap, same = (
        PriceVersion(id=name, level="retail", price_list=PriceList(prices={"input": price, "output": 0}))
        for name, price in (("dear", 2_000), ("cheap", 1_000), ("same", 1_000))
    )
    assert lowest([dear], {"input": 5}) == (dear, 10)
    assert lowest([dear, cheap, same], {"input": 5}) == (cheap, 5)


def test_a_group_pays_its_own_markup_but_for_prices_that_a_rule_states() -> None:
    wholesale = PriceList(prices={"input": 1_000, "output": 4_000})
    retail = PriceList(prices={"input": 9_000, "output": 9_000})
    stated = [PricingRule(match="gpt-*", prices={"input": 9_000})]
    silent = [PricingRule(match="gpt-*", markup_ppm=900_000)]
    group = {"input": 1_100, "output": 4_400}
    assert derive_group_retail("gpt-x", wholesale, 100_000, stated, retail) == retail
    assert derive_group_retail("other", wholesale, 100_000, stated, retail).prices == group
    assert derive_group_retail("gpt-x", wholesale, 100_000, silent, retail).prices == group
