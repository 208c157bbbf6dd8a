"""The double's arithmetic: tax, months, signatures and lists. Others' figures are compared with these."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paddle_billing.Notifications import PaddleSignature, Secret

from scripts._paddle import clock, money, totals
from scripts._paddle.account import Account
from scripts._paddle.clock import Clock
from scripts._paddle.deliveries import reachable, signature
from scripts._paddle.errors import Refused
from scripts._paddle.listing import Listing, by_name

ACCOUNT = Account("key", "http://127.0.0.1:1", Clock())
RATES = st.sampled_from(["0", *sorted(set(money.TAX.values()))])
CURRENCIES = st.sampled_from(sorted(money.RATES))


@given(st.integers(0, 10**9), RATES, st.booleans())
def test_a_split_loses_nothing(amount: int, rate: str, inclusive: bool) -> None:  # noqa: FBT001  # drawn
    subtotal, tax = money.split(amount, rate, inclusive=inclusive)
    assert tax >= 0
    assert abs(tax - subtotal * Fraction(rate)) <= 1
    assert subtotal + tax == amount if inclusive else subtotal == amount


@given(st.integers(0, 10**9), st.integers(0, 10**6), RATES, CURRENCIES, st.booleans())
def test_totals_are_the_sum_of_their_lines(unit: int, credit: int, rate: str, currency: str, done: bool) -> None:  # noqa: FBT001  # drawn
    line = totals.Line({"id": "pri_1"}, {}, 1, unit, rate, False, "txnitm_1")
    found = totals.details(ACCOUNT, [line, line], currency, credit=credit, completed=done)["totals"]
    assert int(found["total"]) == 2 * sum(line.amounts) == int(found["subtotal"]) + int(found["tax"])
    assert int(found["grand_total"]) + int(found["credit"]) == int(found["total"])
    assert int(found["credit"]) + int(found["credit_to_balance"]) == credit
    if done:
        kept = int(found["grand_total"]) - int(found["tax"])
        assert int(found["fee"]) + int(found["earnings"]) == kept


@pytest.mark.parametrize(
    ("start", "interval", "frequency", "end"),
    [
        ("2026-01-31T10:00:00.000001Z", "month", 1, "2026-02-28T10:00:00.000001Z"),
        ("2028-01-31T10:00:00Z", "month", 1, "2028-02-29T10:00:00.000000Z"),
        ("2026-12-15T00:00:00Z", "month", 3, "2027-03-15T00:00:00.000000Z"),
        ("2028-02-29T00:00:00Z", "year", 1, "2029-02-28T00:00:00.000000Z"),
        ("2026-12-31T00:00:00Z", "week", 1, "2027-01-07T00:00:00.000000Z"),
    ],
)
def test_periods_end_on_days_that_exist(start: str, interval: str, frequency: int, end: str) -> None:
    assert clock.written(clock.later(clock.read(start), interval, frequency)) == end


def test_time_never_stands_still_and_ids_sort_by_it() -> None:
    own = Clock()
    ids = [own.new_id("txn") for _ in range(1000)]
    assert ids == sorted(set(ids))
    own.advance_to(own.now() + 10**12)
    assert own.new_id("txn") > ids[-1]


@given(st.text(max_size=50), st.integers(0, 2**33))
def test_the_sdk_takes_each_signature(body: str, timestamp: int) -> None:
    header = signature(["old", "new"], body.encode("utf-8", "replace"), timestamp)
    told = body.encode("utf-8", "replace").decode()
    for secret in ("old", "new"):
        assert PaddleSignature().verify(header, told, Secret(secret))
    assert not PaddleSignature().verify(header, told, Secret("other"))


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 7), st.sampled_from(["ASC", "DESC"]))
def test_pages_hold_each_entity_once(numbers: list[int], size: int, direction: str) -> None:
    listing = Listing(words=by_name("kind"), orders=("id", "kind"))
    entities = [{"id": f"x_{place:03}", "kind": str(number)} for place, number in enumerate(numbers)]
    seen: list[str] = []
    query = {"per_page": str(size), "order_by": f"kind[{direction}]"}
    while True:
        shown, pagination = listing.page(entities, query, "http://127.0.0.1:1/x")
        seen += [entity["id"] for entity in shown]
        if not pagination["has_more"]:
            break
        query = {**query, "after": shown[-1]["id"]}
    expected = sorted(entities, key=lambda one: (one["kind"], one["id"]), reverse=direction == "DESC")
    assert seen == [entity["id"] for entity in expected]


@pytest.mark.parametrize("query", [{"per_page": "0"}, {"after": "x"}, {"order_by": "kind[ASC]"}, {"nothing": "x"}])
def test_a_list_refuses_what_it_does_not_know(query: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        Listing(words={}).page([{"id": "x_1"}], query, "http://127.0.0.1:1/x")


def test_names_under_localhost_are_reached_on_this_machine() -> None:
    url = "http://aurora.localhost:8000/webhooks/paddle"
    assert reachable(url) == ("http://127.0.0.1:8000/webhooks/paddle", "aurora.localhost:8000")
    assert reachable("http://127.0.0.2:80/x") == ("http://127.0.0.2:80/x", "127.0.0.2:80")
