"""What is appended to a price list's versions, against a model that only looks up what holds when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.catalog import PriceList
from reseller_kit.flows.provision.timeline import missing

NOW = 10
LISTS = st.integers(1, 3).map(lambda price: PriceList(prices={"input": price}))
LATER = st.lists(st.tuples(st.integers(NOW + 1, NOW + 6), LISTS), max_size=6).map(
    lambda rows: sorted(rows, key=lambda row: row[0])
)
WANTED = st.tuples(LISTS, st.dictionaries(st.integers(NOW + 1, NOW + 6), LISTS, max_size=4)).map(
    lambda pair: [(NOW, pair[0]), *sorted(pair[1].items())]
)


def holding(rows: list[tuple[int, PriceList]], moment: int) -> PriceList | None:
    """The list in force at a moment: the latest that has begun, and of one moment the last that was made."""
    found = [prices for at, prices in sorted(rows, key=lambda row: row[0]) if at <= moment]
    return found[-1] if found else None


@given(in_force=st.none() | LISTS, later=LATER, wanted=WANTED)
def test_at_every_moment_what_is_wanted_holds(
    in_force: PriceList | None, later: list[tuple[int, PriceList]], wanted: list[tuple[int, PriceList]]
) -> None:
    published = [] if in_force is None else [(0, in_force)]
    appended = missing(in_force, later, wanted, NOW)
    rows = [*published, *later, *appended]
    for moment in range(NOW, NOW + 8):
        assert holding(rows, moment) == holding(wanted, moment)
    # What was in force before now is not touched, and nothing more is needed.
    assert all(at >= NOW for at, _ in appended)
    assert missing(holding(rows, NOW), [row for row in rows if row[0] > NOW], wanted, NOW) == []


@given(in_force=LISTS, wanted=WANTED)
def test_only_changes_are_appended(in_force: PriceList, wanted: list[tuple[int, PriceList]]) -> None:
    appended = missing(in_force, [], wanted, NOW)
    known = in_force
    for moment, prices in wanted:
        assert ((moment, prices) in appended) == (prices != known)
        known = prices
