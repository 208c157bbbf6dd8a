"""The oracle against sums done by hand, so that it can be trusted to judge the product."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from scripts._lib.demo.oracle import Amounts, CannotTell, Oracle, Usage


def make_document(**tenant: Any) -> dict[str, Any]:
    return {
        "wholesale": {"markup": "10%"},
        "models": {
            "swift": {
                "cost": {"input": "0.25", "cached_input": "0.025", "output": "2.00"},
                "routes": [
                    {"upstream": "near", "model": "swift-1"},
                    {"upstream": "far", "model": "x/swift-1", "cost": {"input": "0.26", "output": "2.10"}},
                ],
            },
            "deep": {
                "routes": [
                    {"upstream": "near", "model": "deep-1", "cost": {"input": "1.00", "output": "9.00"}},
                    {"upstream": "far", "model": "deep-1", "cost": {"input": "1.50", "output": "8.00"}},
                ],
            },
            "long": {
                "cost": {
                    "input": "3.00",
                    "output": "15.00",
                    "tiers": [{"above_input": 1000, "input": "6.00", "output": "22.50"}],
                },
                "routes": [{"upstream": "near", "model": "long"}],
            },
        },
        "tenants": [{"slug": "shop", "pricing": {"markup": "40%"}, **tenant}],
    }


def test_wholesale_is_cost_with_the_platform_markup() -> None:
    oracle = Oracle(make_document())
    assert oracle.wholesale("shop", "swift", "input", 0) == Fraction("0.275")
    assert oracle.wholesale("shop", "swift", "output", 0) == Fraction("2.20")


def test_a_tenant_may_have_a_wholesale_markup_of_its_own() -> None:
    oracle = Oracle(make_document(wholesale={"markup": "8%"}))
    assert oracle.wholesale("shop", "swift", "input", 0) == Fraction("0.27")


def test_retail_is_derived_from_the_rounded_wholesale_price() -> None:
    document = make_document(pricing={"markup": "100%"})
    document["models"]["swift"]["cost"]["input"] = "0.000005"
    oracle = Oracle(document)
    # 0.0000055 rounds half-up to 0.000006; twice the unrounded price would have been 0.000011.
    assert oracle.wholesale("shop", "swift", "input", 0) == Fraction("0.000006")
    assert oracle.retail("shop", "swift", "input", 0) == Fraction("0.000012")


def test_the_first_fitting_rule_decides_and_leaves_other_classes_to_its_markup() -> None:
    rules = [{"match": "sw*", "markup": "25%", "input": "0.60"}, {"match": "swift", "output": "9.99"}]
    oracle = Oracle(make_document(pricing={"markup": "40%", "rules": rules}))
    assert oracle.retail("shop", "swift", "input", 0) == Fraction("0.60")
    assert oracle.retail("shop", "swift", "output", 0) == Fraction("2.75")


def test_a_rule_without_markup_leaves_other_classes_to_the_tenants() -> None:
    oracle = Oracle(make_document(pricing={"markup": "40%", "rules": [{"match": "swift", "input": "0.60"}]}))
    assert oracle.retail("shop", "swift", "output", 0) == Fraction("3.08")


def test_without_a_cost_of_its_own_a_model_costs_its_dearest_route_class_by_class() -> None:
    oracle = Oracle(make_document())
    assert oracle.cost("deep", "input", 0) == Fraction("1.50")
    assert oracle.cost("deep", "output", 0) == Fraction("9.00")
    assert oracle.cost("deep", "cached_input", 0) == Fraction("1.50")


def test_a_long_prompt_reaches_its_tier_and_only_above_the_boundary() -> None:
    oracle = Oracle(make_document())
    assert oracle.cost("long", "input", 1000) == Fraction("3.00")
    assert oracle.cost("long", "input", 1001) == Fraction("6.00")


def test_an_alias_is_priced_like_the_model_behind_it() -> None:
    oracle = Oracle(make_document(catalog={"aliases": {"shop-fast": "swift"}}))
    assert oracle.public_model("shop", "shop-fast") == "swift"
    assert oracle.public_model("shop", "swift") == "swift"


def test_each_level_is_rounded_up_once_to_a_billionth() -> None:
    oracle = Oracle(make_document())
    # 7 × 0.25 + 3 × 0.025 + 5 × 2 = 11.825 millionths: 11 825 nano exactly; wholesale 13.0075 → 13 008 nano.
    amounts = oracle.amounts("shop", "swift", "near", "swift-1", Usage(input=7, cached_input=3, output=5))
    assert amounts.cost == Fraction(11_825, 10**9)
    assert amounts.wholesale == Fraction(13_008, 10**9)
    # Retail: 7 × 0.385 + 3 × 0.0385 + 5 × 3.08 = 18.2105 millionths → 18 211 nano.
    assert amounts.retail == Fraction(18_211, 10**9)


def test_cost_follows_the_route_and_the_other_levels_do_not() -> None:
    oracle = Oracle(make_document())
    usage = Usage(input=1_000, cached_input=0, output=1_000)
    near = oracle.amounts("shop", "swift", "near", "swift-1", usage)
    far = oracle.amounts("shop", "swift", "far", "x/swift-1", usage)
    assert (near.retail, near.wholesale) == (far.retail, far.wholesale)
    assert far.cost == Fraction("0.00236")
    assert near.cost == Fraction("0.00225")


def test_no_tokens_cost_nothing() -> None:
    zero = Fraction(0)
    amounts = Oracle(make_document()).amounts("shop", "swift", "near", "swift-1", Usage(0, 0, 0))
    assert amounts == Amounts(zero, zero, zero)


def test_what_the_file_does_not_say_is_not_guessed() -> None:
    document = make_document()
    del document["models"]["swift"]["cost"]
    with pytest.raises(CannotTell):
        Oracle(document).cost("swift", "input", 0)
    with pytest.raises(CannotTell):
        Oracle(make_document()).amounts("shop", "swift", "elsewhere", "swift-1", Usage(1, 0, 0))
