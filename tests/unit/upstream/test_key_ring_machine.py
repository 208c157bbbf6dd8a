"""A pool of keys under any order of calls, refusals and time, against an account of this test's own."""

from __future__ import annotations

import contextlib
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reseller_kit.core.verdict import Blame, Verdict
from reseller_kit.upstream.credentials import Ceilings, Credential, KeyRing, NoKeyFree, Ticket

SECOND = 1_000_000
FOR_EVER = 2**62
PICK = st.integers(0, 50)


class Pool(RuleBasedStateMachine):
    """`barred`: until when each key is out of use (µs). `starts`: when calls began over each key."""

    @initialize(
        count=st.integers(1, 4), concurrent=st.none() | st.integers(1, 3), per_minute=st.none() | st.integers(1, 8)
    )
    def begin(self, count: int, concurrent: int | None, per_minute: int | None) -> None:
        self.now = 1_800_000_000 * SECOND
        self.ceilings = Ceilings(concurrent_requests=concurrent, requests_per_minute=per_minute)
        credentials = [Credential(lambda *_: b"", fingerprint=str(n)) for n in range(count)]
        self.ring = KeyRing(credentials, self.ceilings, clock=lambda: self.now)
        self.running: list[Ticket] = []
        self.barred: dict[str, int] = {}
        self.starts: dict[str, list[int]] = {str(n): [] for n in range(count)}

    @rule(affinity=st.none() | st.integers(0, 2**64 - 1))
    def take(self, affinity: int | None) -> None:
        promised, taken = self.ring.usable(), None
        assert promised == (self.ring.soonest() == 0)
        with contextlib.suppress(NoKeyFree):
            taken = self.ring.take(affinity)
        assert promised == (taken is not None)
        if taken is not None:
            name = taken.credential.fingerprint
            assert self.barred.get(name, 0) <= self.now
            self.starts[name].append(self.now)
            self.running.append(taken)

    @rule(seconds=st.integers(0, 90))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule()
    def unpark(self) -> None:
        self.ring.restore({})
        self.barred.clear()

    @precondition(lambda self: self.running)
    @rule(pick=PICK, times=st.integers(1, 2))
    def release(self, pick: int, times: int) -> None:
        ticket = self.running.pop(pick % len(self.running))
        for _ in range(times):
            ticket.release()

    @precondition(lambda self: self.running)
    @rule(pick=PICK)
    def answer_well(self, pick: int) -> None:
        self.running[pick % len(self.running)].well()

    @precondition(lambda self: self.running)
    @rule(pick=PICK, blame=st.sampled_from(("key", "cooldown", "endpoint", "request")))
    def refuse(self, pick: int, blame: Blame) -> None:
        ticket = self.running[pick % len(self.running)]
        ticket.learn(Verdict(blame=blame, reason="why", retry_after=10.0))
        until = {"key": FOR_EVER, "cooldown": self.now + 10 * SECOND}.get(blame, 0)
        name = ticket.credential.fingerprint
        self.barred[name] = max(self.barred.get(name, 0), until)

    @invariant()
    def every_slot_is_accounted_for(self) -> None:
        running = Counter(ticket.credential.fingerprint for ticket in self.running)
        for credential in self.ring.credentials:
            assert credential.load.in_flight == running[credential.fingerprint]
            assert credential.load.in_flight <= (self.ceilings.concurrent_requests or FOR_EVER)

    @invariant()
    def no_key_begins_more_than_its_bucket_holds(self) -> None:
        if self.ceilings.requests_per_minute is not None:
            for starts in self.starts.values():
                # A full bucket at the window's start, and what flows in during its minute.
                within = [start for start in starts if start > self.now - 60 * SECOND]
                assert len(within) <= 2 * self.ceilings.requests_per_minute

    def teardown(self) -> None:
        for ticket in getattr(self, "running", []):
            ticket.release()
        if hasattr(self, "ring"):
            assert not any(credential.load.in_flight for credential in self.ring.credentials)


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
