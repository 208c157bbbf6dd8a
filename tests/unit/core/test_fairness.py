"""Turns among storefronts and their customers: nobody starves, nothing is lost, bounds hold."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from reseller_kit.core.fairness import FairQueue, Turn


def filled(*waiting: tuple[int, str, int]) -> FairQueue[tuple[Turn, int]]:
    queue: FairQueue[tuple[Turn, int]] = FairQueue(most=10_000, most_each=5_000)
    for tenant, customer, count in waiting:
        turn = Turn(tenant, customer)
        for number in range(count):
            assert queue.put(turn, (turn, number))
    return queue


def taken(queue: FairQueue[tuple[Turn, int]]) -> Turn:
    return queue.take(lambda item: item[0])[0]


def test_a_burst_waits_behind_itself_alone() -> None:
    queue = filled((1, "a", 500))
    assert [taken(queue).tenant_id for _ in range(10)] == [1] * 10
    late = Turn(2, "b")
    queue.put(late, (late, 0))
    assert taken(queue) == late
    assert len(queue) == 490


def test_whoever_comes_back_at_once_gets_no_second_turn_before_the_others() -> None:
    queue = filled((1, "a", 5), (2, "b", 1), (3, "c", 5))
    order = []
    for _ in range(6):
        turn = taken(queue)
        order.append(turn.tenant_id)
        if turn.tenant_id == 2:
            queue.put(turn, (turn, 0))
    assert order == [1, 2, 3, 1, 2, 3]


def test_customers_of_one_storefront_take_turns_too() -> None:
    queue = filled((1, "heavy", 100), (1, "light", 2), (2, "other", 100))
    turns = [taken(queue).customer_id for _ in range(8)]
    assert turns == ["heavy", "other", "light", "other", "heavy", "other", "light", "other"]


class Turns(RuleBasedStateMachine):
    """A queue beside a plain list of who waits."""

    items = Bundle("items")

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[tuple[Turn, int]] = FairQueue(most=12, most_each=7)
        self.waiting: list[tuple[Turn, int]] = []
        self.passed: dict[int, Counter[int]] = {}
        self.number = 0

    @rule(target=items, tenant=st.integers(1, 4), customer=st.sampled_from("xyz"))
    def comes(self, tenant: int, customer: str) -> tuple[Turn, int]:
        turn = Turn(tenant, f"{tenant}{customer}")
        item = (turn, self.number)
        self.number += 1
        same = sum(waits[0].tenant_id == tenant for waits in self.waiting)
        assert self.queue.put(turn, item) == (len(self.waiting) < 12 and same < 7)
        if len(self.waiting) < 12 and same < 7:
            self.waiting.append(item)
        return item

    @rule(item=consumes(items))
    def leaves(self, item: tuple[Turn, int]) -> None:
        if item in self.waiting:
            self.queue.drop(item[0], item)
            self.waiting.remove(item)
            if not self.queue.waiting(item[0].tenant_id):
                self.passed.pop(item[0].tenant_id, None)

    @rule()
    def is_served(self) -> None:
        if not self.waiting:
            return
        item = self.queue.take(lambda item: item[0])
        self.waiting.remove(item)
        turn = item[0]
        # First come, first served, as far as one customer is concerned.
        assert not any(other[0] == turn and other[1] < item[1] for other in self.waiting)
        self.passed.pop(turn.tenant_id, None)
        for tenant in {waits[0].tenant_id for waits in self.waiting} - {turn.tenant_id}:
            passed = self.passed.setdefault(tenant, Counter())
            passed[turn.tenant_id] += 1
            assert passed[turn.tenant_id] <= 2, "a storefront that waits is passed twice by another, never more"
        for tenant in set(self.passed) - {waits[0].tenant_id for waits in self.waiting}:
            del self.passed[tenant]

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.queue) == len(self.waiting)
        for tenant in range(1, 5):
            assert self.queue.waiting(tenant) == sum(item[0].tenant_id == tenant for item in self.waiting)


TestTurns = Turns.TestCase
TestTurns.settings = settings(max_examples=60, stateful_step_count=40)
