"""In which order routes are asked, where a conversation goes, and how many retries there are."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.catalog import Route, Strategy, by_priority
from reseller_kit.core.routing import Affinity, EndpointName, RetryBudget, Speeds, Weighed, endpoint_of, order, point_of
from reseller_kit.core.routing.budget import FLOOR, LEAST_FLOOR, WINDOWS_SECONDS
from reseller_kit.core.routing.windows import Window
from tests.support.routing import names, route

STRATEGIES: list[Strategy] = ["priority", "weighted", "lowest_cost", "fastest"]
ROUTES = st.lists(
    st.builds(
        route,
        st.text("abc", min_size=1, max_size=3),
        priority=st.integers(0, 2),
        weight=st.integers(1, 5),
        cost=st.integers(1, 4),
    ),
    max_size=6,
    unique_by=endpoint_of,
)


@dataclass
class Known:
    """What a choice is weighed by, written down."""

    points: dict[str, float] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)
    explore: float = 1.0
    drawn: bool = False

    def weighed(self, draw: random.Random | None = None) -> Weighed:
        def point(endpoint: EndpointName) -> float:
            return draw.random() if draw is not None else self.points.get(endpoint[0], 0.5)

        return Weighed(
            point=point,
            cost=lambda found: found.cost.price_list.prices["input"],
            speed=lambda endpoint: self.speeds.get(endpoint[0]),
            explore=self.explore,
            draw=None if draw is None or not self.drawn else draw.random,
        )


@given(routes=ROUTES, strategy=st.sampled_from(STRATEGIES), draw=st.randoms(use_true_random=False), drawn=st.booleans())
def test_every_route_is_asked_once_whatever_the_strategy(
    *, routes: list[Route], strategy: Strategy, draw: random.Random, drawn: bool
) -> None:
    found = order(by_priority(routes), strategy, Known(drawn=drawn).weighed(draw))
    assert sorted(map(endpoint_of, found)) == sorted(map(endpoint_of, routes))


@given(ROUTES, st.randoms(use_true_random=False))
def test_priorities_and_costs_never_fall_behind(routes: list[Route], draw: random.Random) -> None:
    by = Known().weighed(draw)
    priorities = [found.priority for found in order(by_priority(routes), "priority", by)]
    costs = [by.cost(found) for found in order(by_priority(routes), "lowest_cost", by)]
    assert (priorities, costs) == (sorted(priorities), sorted(costs))


def test_by_priority_only_routes_of_the_same_one_are_drawn_for() -> None:
    drawn: list[str] = []

    def point(endpoint: EndpointName) -> float:
        drawn.append(endpoint[0])
        return {"b": 0.2, "c": 0.9}[endpoint[0]]

    by = Weighed(point=point, cost=lambda _route: 0, speed=lambda _endpoint: None)
    routes = [route("d", priority=3), route("b", priority=2), route("c", priority=2), route("a", priority=1)]
    assert names(order(by_priority(routes), "priority", by)) == ["a", "c", "b", "d"]
    assert sorted(drawn) == ["b", "c"]


def test_by_priority_a_route_is_not_looked_at_before_those_ahead_of_it_are_taken() -> None:
    looked: list[str] = []

    def suits(found: Route) -> bool:
        looked.append(found.upstream)
        return found.upstream != "a"

    routes = [route(name, priority=place) for place, name in enumerate("abcdef")]
    ordered = order(by_priority(routes), "priority", Known().weighed(), suits)
    assert looked == []
    assert (next(ordered).upstream, looked) == ("b", ["a", "b"])
    assert names(list(ordered)) == ["c", "d", "e", "f"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_does_not_suit_is_never_asked(strategy: Strategy) -> None:
    routes = [route("a"), route("b"), route("c", priority=1)]
    found = order(by_priority(routes), strategy, Known().weighed(), lambda each: each.upstream != "b")
    assert sorted(names(list(found))) == ["a", "c"]


def test_weights_are_shares_within_a_priority_and_across_all() -> None:
    draw = random.Random(5)
    routes = [route("a", weight=3), route("b", weight=1), route("c", priority=1, weight=4)]
    by = Known().weighed(draw)
    firsts = Counter(next(order(by_priority(routes), "priority", by)).upstream for _ in range(4_000))
    assert firsts["c"] == 0
    assert firsts["a"] / 4_000 == pytest.approx(0.75, abs=0.03)
    firsts = Counter(next(order(by_priority(routes), "weighted", by)).upstream for _ in range(4_000))
    assert firsts["c"] / 4_000 == pytest.approx(0.5, abs=0.03)


def test_one_number_draws_the_first_in_proportion_to_weights_among_those_that_suit() -> None:
    draw = random.Random(6)
    routes = [route("a", weight=3), route("b", weight=2), route("c", weight=1), route("d", weight=0)]
    by = Known(drawn=True).weighed(draw)
    firsts = Counter(next(order(by_priority(routes), "priority", by)).upstream for _ in range(4_000))
    assert [firsts[name] / 4_000 for name in "abcd"] == pytest.approx([1 / 2, 1 / 3, 1 / 6, 0], abs=0.03)
    some = Counter(
        next(order(by_priority(routes), "weighted", by, lambda found: found.upstream != "a")).upstream
        for _ in range(4_000)
    )
    assert [some[name] / 4_000 for name in "abcd"] == pytest.approx([0, 2 / 3, 1 / 3, 0], abs=0.03)
    second = Counter(names(order(by_priority(routes), "priority", by))[1] for _ in range(4_000))
    assert second["b"] / 4_000 == pytest.approx(1 / 2 * 2 / 3 + 1 / 6 * 2 / 5, abs=0.03)


def test_routes_without_a_weight_are_asked_all_the_same() -> None:
    by = Known(drawn=True).weighed(random.Random(8))
    routes = [route("a", weight=0), route("b", weight=0)]
    assert sorted(names(order(by_priority(routes), "priority", by))) == ["a", "b"]
    assert list(order((), "priority", by)) == list(order((), "weighted", by)) == list(order((), "fastest", by)) == []


def test_of_many_routes_only_the_first_is_looked_at_until_another_is_asked_for() -> None:
    looked: list[Route] = []

    def suits(found: Route) -> bool:
        looked.append(found)
        return True

    routes = [route(f"u{number}") for number in range(100)]
    ordered = order(by_priority(routes), "priority", Known(drawn=True).weighed(random.Random(9)), suits)
    assert next(ordered) is looked[0]
    assert len(looked) == 1
    assert len(list(ordered)) == 99


def test_the_fastest_comes_first_and_what_was_never_measured_before_it() -> None:
    routes = [route("slow"), route("quick", priority=1), route("new", priority=2)]
    known = Known(speeds={"slow": 900.0, "quick": 200.0}, points={"slow": 0.9, "quick": 0.1, "new": 0.1})
    assert names(order(by_priority(routes), "fastest", known.weighed())) == ["new", "quick", "slow"]
    known.explore = 0.01
    assert names(order(by_priority(routes), "fastest", known.weighed()))[0] == "slow"


def test_a_speed_follows_what_is_measured_apart_for_streams() -> None:
    speeds = Speeds()
    assert speeds.first_byte(("a", "m"), stream=True) is None
    for _ in range(40):
        speeds.note_first_byte(("a", "m"), 100, stream=True)
    assert speeds.first_byte(("a", "m"), stream=True) == 100
    speeds.note_first_byte(("a", "m"), 600, stream=True)
    assert speeds.first_byte(("a", "m"), stream=True) == 200
    assert speeds.first_byte(("a", "m"), stream=False) is None
    for _ in range(60):
        speeds.note_output("m", 1_000)
    assert speeds.output("m") == 1_000


# --- Conversations ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**64 - 1), st.text(), st.text())
def test_a_point_is_a_share_that_any_process_finds(conversation: int, upstream: str, model: str) -> None:
    point = point_of(conversation, (upstream, model))
    assert 0 <= point < 1
    assert point == point_of(conversation, (upstream, model))


def test_conversations_spread_by_weight_and_stay_when_another_endpoint_comes() -> None:
    def home(conversation: int, routes: list[Route]) -> str:
        by = Weighed(point=lambda name: point_of(conversation, name), cost=lambda _: 0, speed=lambda _: None)
        return next(order(by_priority(routes), "priority", by)).upstream

    draw = random.Random(7)
    conversations = [draw.getrandbits(64) for _ in range(4_000)]
    few = [route("a", weight=2), route("b")]
    more = [*few, route("c")]
    homes = {each: home(each, few) for each in conversations}
    assert Counter(homes.values())["a"] / 4_000 == pytest.approx(2 / 3, abs=0.03)
    moved = {home(each, more) for each in conversations if home(each, more) != homes[each]}
    assert moved == {"c"}


def test_of_conversations_the_latest_are_known_for_a_while() -> None:
    affinity = Affinity(most=2, seconds=10)
    affinity.note(1, ("a", "m"), 0.0)
    affinity.note(2, ("b", "m"), 1.0)
    affinity.note(1, ("a", "m"), 2.0)
    affinity.note(3, ("c", "m"), 3.0)
    assert [affinity.of(each, 4.0) for each in (1, 2, 3)] == [("a", "m"), None, ("c", "m")]
    assert affinity.of(1, 12.1) is None
    assert len(affinity) == 1


# --- Retries ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=400))
def test_a_window_holds_what_its_seconds_hold(steps: list[tuple[float, bool]]) -> None:
    window, now, seen = Window(5), 1_000.0, []
    for gap, some in steps:
        now += gap
        window.add(now, some=some)
        seen.append((int(now), some))
        inside = [each for each in seen if each[0] > int(now) - 5]
        assert (window.all, window.some) == (len(inside), sum(each[1] for each in inside))


@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from(["call", "retry"])), max_size=600))
def test_retries_of_each_window_are_a_fifth_of_its_calls_or_the_floor(steps: list[tuple[float, str]]) -> None:
    budget, now = RetryBudget(floor=5), 50.0
    calls: list[float] = []
    retries: list[float] = []
    for gap, what in steps:
        now += gap
        if what == "call":
            budget.call(now)
            calls.append(now)
        elif budget.retry(now):
            retries.append(now)
            for seconds in WINDOWS_SECONDS:
                inside = int(now) - seconds
                most = max(5, sum(int(at) > inside for at in calls) // 5)
                assert sum(int(at) > inside for at in retries) <= most


@pytest.mark.parametrize("seconds", [10, 200])
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_thousand_calls_against_nothing_come_to_twelve_hundred_requests(processes: int, seconds: int) -> None:
    budgets, requests = [RetryBudget.among(processes) for _ in range(processes)], 0
    for number in range(1_000):
        budget, now = budgets[number % processes], 10.0 + number * seconds / 1_000
        budget.call(now)
        requests += 1 + sum(budget.retry(now) for _ in range(2))
    assert requests == 1_200


def test_a_burst_on_a_quiet_process_survives_the_death_of_an_endpoint() -> None:
    burst = RetryBudget()
    for _ in range(64):
        burst.call(1.0)
    assert all(burst.retry(1.0) for _ in range(64))
    assert FLOOR >= 64
    many = RetryBudget.among(64)
    assert sum(many.retry(1.0) for _ in range(FLOOR)) == LEAST_FLOOR, "a share of little is something"
