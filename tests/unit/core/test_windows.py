"""Sliding windows: never more than the limit in any minute, and everything comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.limits import PIECE_US, Counters, Fill, Limit

MINUTE = 60_000_000
SECOND = 1_000_000
STEPS = st.lists(
    st.tuples(st.integers(0, 90) | st.integers(0, 20).map(lambda n: n / 10), st.integers(1, 4)), min_size=1, max_size=60
)


def requests(most: int, amount: int = 1, ref: str = "one") -> Limit:
    return Limit("key", "requests", ref, most, amount)


def tokens(most: int, amount: int) -> Limit:
    return Limit("customer", "tokens", "one", most, amount)


def at_once(most: int) -> Limit:
    return Limit("customer", "concurrency", "one", most)


@given(STEPS)
def test_no_minute_holds_more_than_the_limit_and_refusals_tell_when(
    steps: list[tuple[float, int]],
) -> None:
    counters, now = Counters(), 7 * SECOND
    let_in: list[tuple[int, int]] = []
    for pause, amount in steps:
        now += int(pause * SECOND)
        limit = requests(6, amount)
        room = counters.take([limit], now)
        if room.refused is None:
            let_in.append((now, amount))
        else:
            assert 0 < room.wait <= MINUTE + PIECE_US
            early, later = _copy(let_in), _copy(let_in)
            assert early.take([limit], now + room.wait - 1).refused == 0
            assert later.take([limit], now + room.wait).refused is None
    for begin, _ in let_in:
        assert sum(amount for at, amount in let_in if begin <= at < begin + MINUTE) <= 6


def _copy(let_in: list[tuple[int, int]]) -> Counters:
    counters = Counters()
    for at, amount in let_in:
        counters.note([requests(6, amount)], at)
    return counters


@given(STEPS)
def test_at_most_a_piece_late_there_is_room_again(steps: list[tuple[float, int]]) -> None:
    """Whoever keeps a strict count and waits a quarter of a second longer is never refused."""
    counters, now = Counters(), 0
    let_in: list[tuple[int, int]] = []
    for pause, amount in steps:
        now += int(pause * SECOND)
        strict = sum(taken for at, taken in let_in if at > now - MINUTE - PIECE_US)
        room = counters.take([requests(6, amount)], now)
        if strict + amount <= 6:
            assert room.refused is None
        if room.refused is None:
            let_in.append((now, amount))


def test_one_limit_without_room_takes_nothing_of_the_others() -> None:
    counters = Counters()
    first, second = requests(5), requests(1, ref="two")
    assert counters.take([first, second], 0).refused is None
    room = counters.take([first, second], SECOND)
    assert (room.refused, room.fills[0].used) == (1, 1)
    assert counters.take([first], SECOND).fills == (Fill(2, 60 * SECOND + PIECE_US),)


def test_the_longest_wait_is_told() -> None:
    counters = Counters()
    counters.take([requests(1)], 0)
    counters.take([requests(1, ref="two")], 30 * SECOND)
    room = counters.take([requests(1), requests(1, ref="two")], 40 * SECOND)
    assert (room.refused, room.wait) == (1, 50 * SECOND + PIECE_US)


def test_tokens_are_corrected_where_they_were_counted() -> None:
    counters = Counters()
    limit = tokens(100, 80)
    room = counters.take([limit], 10 * SECOND)
    assert counters.take([tokens(100, 30)], 11 * SECOND).refused == 0
    counters.end([limit], 20, taken=room.piece, now=12 * SECOND)
    assert counters.take([tokens(100, 80)], 13 * SECOND).fills[0].used == 100
    # What was used of the first is forgotten with it, not later.
    assert counters.take([tokens(100, 20)], 71 * SECOND).fills[0].used == 100


def test_more_tokens_than_expected_are_counted_when_they_are_known() -> None:
    counters = Counters()
    limit = tokens(100, 10)
    room = counters.take([limit], 0)
    counters.end([limit], 500, taken=room.piece, now=30 * SECOND)
    refused = counters.take([limit], 40 * SECOND)
    assert (refused.refused, refused.wait) == (0, 50 * SECOND + PIECE_US)
    assert counters.take([limit], 91 * SECOND).refused is None


def test_what_is_under_way_is_limited_and_ends() -> None:
    counters = Counters()
    limit = at_once(2)
    assert [counters.take([limit], 0).refused for _ in range(3)] == [None, None, 0]
    counters.end([limit], 0, taken=0, now=0)
    assert counters.take([limit], 0).refused is None
    assert counters.open() == {limit.name: 2}
    for _ in range(3):
        counters.end([limit], 0, taken=0, now=0)
    assert counters.open() == {}


def test_counters_nobody_uses_are_dropped() -> None:
    counters = Counters()
    for number in range(1000):
        counters.take([requests(1, ref=str(number))], 0)
    for number in range(1000):
        counters.take([requests(1, ref=f"later {number}")], 61 * SECOND)
    assert len(counters) <= 1001


def test_a_window_keeps_no_more_than_a_minutes_pieces() -> None:
    counters = Counters()
    limit = requests(10**9)
    for step in range(5000):
        counters.take([limit], step * 50_000)
    assert len(counters._windows[limit.name].pieces) == 241
