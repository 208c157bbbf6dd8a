"""What a hold comes to by its terms, and the largest limit that an amount covers: figures worked out by hand."""

from __future__ import annotations

import pytest

from reseller_kit.core.ledger import HoldTerms

TERMS = HoldTerms(
    retail_fixed=1_500,
    retail_per_output=700,
    wholesale_fixed=1_100,
    wholesale_per_output=300,
    output_limit=100,
    choices=3,
)


def test_each_choice_is_held_at_both_levels_and_rounded_up() -> None:
    assert (TERMS.retail(10), TERMS.wholesale(10)) == (23, 11)  # 22.5 and 10.1
    assert (TERMS.retail(0), TERMS.wholesale(0)) == (2, 2)  # 1.5 and 1.1


@pytest.mark.parametrize(
    ("retail", "wholesale", "limit"),
    [
        (23, None, 10),
        (None, 11, 11),
        (23, 11, 10),
        (25, 11, 11),
        (25, 10, 9),
        (1, None, -1),
        (23, 1, -1),
        (2, 2, 0),
        (10**9, 10**9, 100),
        (None, None, 100),
    ],
)
def test_the_largest_limit_that_is_covered(retail: int | None, wholesale: int | None, limit: int) -> None:
    assert TERMS.affordable(retail=retail, wholesale=wholesale) == limit
