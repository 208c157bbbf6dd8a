"""The circuit of an endpoint: when it opens, for how long, and the one probe that closes it."""

from __future__ import annotations

from typing import get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reseller_kit.core.routing import Breaker, Fault, Permit, is_switched
from reseller_kit.core.routing.breaker import MAX_OPEN_SECONDS, open_seconds


def let_in(breaker: Breaker, now: float) -> Permit:
    permit = breaker.enter(now)
    assert permit is not None
    return permit


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker.fail(let_in(breaker, now), now, "status_503", 0.0)
    return breaker


def probed(breaker: Breaker, now: float) -> Permit:
    breaker.claimed(now, 30)
    return let_in(breaker, now)


def test_five_failures_in_a_row_open_it_and_a_success_begins_anew() -> None:
    breaker = Breaker()
    for _ in range(4):
        assert breaker.fail(let_in(breaker, 0.0), 0.0, "reset", 0.0) is None
    breaker.succeed(let_in(breaker, 0.0), 0.0)
    for _ in range(4):
        assert breaker.fail(let_in(breaker, 0.0), 0.0, "reset", 0.0) is None
    change = breaker.fail(let_in(breaker, 0.0), 0.0, "reset", 0.0)
    assert change is not None
    assert (change.state, change.seconds, change.failures, change.reason) == ("open", 1.0, 5, "reset")
    assert (breaker.state(0.5), breaker.admission(0.5), breaker.enter(0.5)) == ("open", "no", None)


def test_half_of_ten_calls_in_thirty_seconds_open_it_and_older_ones_do_not_count() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.fail(let_in(breaker, 0.0), 0.0, "timeout", 0.0)
        breaker.succeed(let_in(breaker, 0.0), 0.0)
    breaker.succeed(let_in(breaker, 31.0), 31.0)
    assert breaker.fail(let_in(breaker, 31.0), 31.0, "timeout", 0.0) is None
    for _ in range(3):
        breaker.succeed(let_in(breaker, 32.0), 32.0)
        assert breaker.fail(let_in(breaker, 32.0), 32.0, "timeout", 0.0) is None
    breaker.succeed(let_in(breaker, 33.0), 33.0)
    assert breaker.fail(let_in(breaker, 33.0), 33.0, "timeout", 0.0) is not None


def test_one_probe_at_a_time_decides() -> None:
    breaker = opened()
    assert breaker.admission(1.0) == "claim"
    assert breaker.enter(1.0) is None
    probe = probed(breaker, 1.0)
    assert breaker.admission(1.0) == "no"
    change = breaker.fail(probe, 2.0, "status_500", 0.0)
    assert change is not None
    assert (change.seconds, change.trips) == (2.0, 2)
    probe = probed(breaker, 4.0)
    closed = breaker.succeed(probe, 5.0)
    assert closed is not None
    assert (closed.state, breaker.state(5.0), breaker.failures) == ("closed", "closed", 0)


def test_a_probe_that_tells_nothing_frees_its_place() -> None:
    breaker = opened()
    breaker.release(probed(breaker, 1.0))
    assert breaker.admission(1.5) == "probe"
    assert breaker.enter(1.5) is not None


def test_calls_from_before_a_change_say_nothing() -> None:
    breaker = Breaker()
    early = [let_in(breaker, 0.0) for _ in range(8)]
    for permit in early[:5]:
        breaker.fail(permit, 0.0, "reset", 0.0)
    assert breaker.fail(early[5], 0.5, "reset", 0.0) is None
    assert breaker.succeed(early[6], 0.5) is None
    assert breaker.state(0.5) == "open"
    probe = probed(breaker, 1.0)
    breaker.release(early[7])
    assert breaker.admission(1.0) == "no"
    assert breaker.succeed(probe, 1.0) is not None


def test_it_stays_open_for_longer_each_time_up_to_a_ceiling() -> None:
    assert [open_seconds(trips, 0.0) for trips in (1, 2, 3, 6, 7, 90)] == [1, 2, 4, 32, 60, 60]
    assert all(0.75 * open_seconds(trips, 0.0) <= open_seconds(trips, 0.999) for trips in range(1, 20))
    breaker = opened()
    breaker.succeed(probed(breaker, 1.0), 1.0)
    for _ in range(5):
        breaker.fail(let_in(breaker, 30.0), 30.0, "reset", 0.0)
    assert breaker.trips == 2, "it had not been closed for long"
    breaker.succeed(probed(breaker, 40.0), 40.0)
    for _ in range(5):
        breaker.fail(let_in(breaker, 101.0), 101.0, "reset", 0.0)
    assert breaker.trips == 1


def test_only_an_endpoints_own_faults_are_counted() -> None:
    counted = [fault for fault in get_args(Fault) if is_switched(fault)]
    assert counted == ["endpoint", "misconfigured"]


class Machine(RuleBasedStateMachine):
    """Calls come and go in any order: there is never more than one probe, nor a circuit that no call can close."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now = Breaker(), 0.0
        self.out: list[Permit] = []

    @rule(seconds=st.floats(0, 70))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def enter(self) -> None:
        if self.breaker.admission(self.now) == "claim":
            self.breaker.claimed(self.now, 30)
        if (permit := self.breaker.enter(self.now)) is not None:
            self.out.append(permit)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), how=st.sampled_from(["succeed", "fail", "fail", "release"]))
    def end(self, data: st.DataObject, how: str) -> None:
        permit = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        if how == "succeed":
            self.breaker.succeed(permit, self.now)
        elif how == "fail":
            self.breaker.fail(permit, self.now, "reset", 0.5)
        else:
            self.breaker.release(permit)

    @rule()
    def hear_of_others(self) -> None:
        self.breaker.open(self.now, 5.0, 2, 5, "reset")

    @invariant()
    def one_probe(self) -> None:
        current = [permit for permit in self.out if permit.generation == self.breaker._generation]
        assert sum(permit.probe for permit in current) <= 1
        if self.breaker.state(self.now) == "closed":
            assert self.breaker.admission(self.now) == "yes"
        elif not any(permit.probe for permit in current):
            assert self.breaker.admission(self.now + MAX_OPEN_SECONDS) in {"claim", "probe"}


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreakerMachine = Machine.TestCase
