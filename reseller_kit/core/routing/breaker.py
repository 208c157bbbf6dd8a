"""The circuit of one endpoint: closed, open for a while, then one probe. A state machine that reads no clock.

Times are seconds of any steady clock. What a call learns is told through the permit that it entered with; a permit from
before the latest change of state says nothing any more.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from .windows import Window

CONSECUTIVE: Final = 5
RATE_PERCENT: Final = 50
RATE_CALLS: Final = 10
RATE_SECONDS: Final = 30
FIRST_OPEN_SECONDS: Final = 1.0
MAX_OPEN_SECONDS: Final = 60.0
STEADY_SECONDS: Final = 60.0
"""A circuit that opens again sooner than this after it closed stays open for longer each time."""
_JITTER: Final = 0.25
_MAX_DOUBLINGS: Final = 16

State = Literal["closed", "open", "half_open"]
Admission = Literal["yes", "probe", "claim", "no"]
"""yes: the circuit is closed; probe: this process may send the one call that tells; claim: it is time for such a call,
and a process has to be found for it; no: neither."""


class Change(Struct, frozen=True, kw_only=True):
    """A circuit that opened or closed. `seconds`: until a probe is due; `trips`: how often it opened in a row."""

    state: Literal["open", "closed"]
    seconds: float = 0.0
    trips: int = 0
    failures: int = 0
    reason: str = ""


class Permit(Struct, frozen=True):
    """A call that was let in. `probe`: it is the one whose outcome decides."""

    generation: int
    probe: bool = False


class Breaker:
    """One endpoint's circuit, as one process sees it."""

    __slots__ = (
        "_claimed_until",
        "_closed_at",
        "_generation",
        "_open",
        "_permit",
        "_probing",
        "_until",
        "_window",
        "failures",
        "reason",
        "trips",
    )

    def __init__(self) -> None:
        self.failures = 0
        """Failures since the last success."""
        self.trips = 0
        self.reason = ""
        self._open = self._probing = False
        self._until = self._claimed_until = 0.0
        self._closed_at: float | None = None
        self._generation = 0
        self._permit = Permit(0)
        """That of every call of this generation but a probe."""
        self._window = Window(RATE_SECONDS)

    def state(self, now: float) -> State:
        """What operators see."""
        if not self._open:
            return "closed"
        return "open" if now < self._until else "half_open"

    def seconds_left(self, now: float) -> float:
        """Until a probe is due; 0 for a closed circuit."""
        return max(0.0, self._until - now) if self._open else 0.0

    def admission(self, now: float) -> Admission:
        """Whether a call may be sent at `now`."""
        if not self._open:
            return "yes"
        if now < self._until or self._probing:
            return "no"
        return "probe" if now < self._claimed_until else "claim"

    def claimed(self, now: float, seconds: float) -> None:
        """The probe is this process's to send, for so long."""
        if self._open:
            self._claimed_until = now + seconds

    def elsewhere(self, now: float, seconds: float) -> None:
        """Another process has the probe: look again after this time."""
        if self._open:
            self._until = max(self._until, now + seconds)

    def enter(self, now: float) -> Permit | None:
        """Let a call in; None where there is no admission. A probe takes the one slot until it is told of."""
        admission = self.admission(now)
        if admission == "yes":
            return self._permit
        if admission != "probe":
            return None
        self._probing = True
        return Permit(self._generation, probe=True)

    def release(self, permit: Permit) -> None:
        """The call ended and tells nothing of the endpoint: its client left, or its own request was at fault."""
        if permit.probe and permit.generation == self._generation:
            self._probing = False

    def succeed(self, permit: Permit, now: float) -> Change | None:
        """The endpoint answered well."""
        if permit.generation != self._generation:
            return None
        if permit.probe:
            self.close(now)
            return Change(state="closed")
        self.failures = 0
        self._window.add(now, some=False)
        return None

    def fail(self, permit: Permit, now: float, reason: str, jitter: float) -> Change | None:
        """The endpoint failed. `jitter` in [0, 1) spreads the probes of circuits that opened together."""
        if permit.generation != self._generation:
            return None
        self.failures += 1
        self._window.add(now, some=True)
        if not (permit.probe or self._is_enough()):
            return None
        steady = not self._open and (self._closed_at is None or now - self._closed_at >= STEADY_SECONDS)
        trips = 1 if steady else self.trips + 1
        seconds = open_seconds(trips, jitter)
        self.open(now, seconds, trips, self.failures, reason)
        return Change(state="open", seconds=seconds, trips=trips, failures=self.failures, reason=reason)

    def open(self, now: float, seconds: float, trips: int, failures: int, reason: str) -> None:
        """Open, here or as another process has found."""
        self._begin()
        self._open, self._until = True, now + seconds
        self.trips, self.failures, self.reason = trips, failures, reason

    def close(self, now: float) -> None:
        """Close, here or as another process has found."""
        self._begin()
        self._open, self._closed_at = False, now
        self.failures, self.reason = 0, ""

    def _begin(self) -> None:
        self._generation += 1
        self._permit = Permit(self._generation)
        self._probing = False
        self._claimed_until = 0.0
        self._window.clear()

    def _is_enough(self) -> bool:
        window = self._window
        return self.failures >= CONSECUTIVE or (
            window.all >= RATE_CALLS and window.some * 100 >= window.all * RATE_PERCENT
        )


def open_seconds(trips: int, jitter: float) -> float:
    """How long a circuit stays open that opened `trips` times in a row: doubling up to a ceiling."""
    longest = min(MAX_OPEN_SECONDS, FIRST_OPEN_SECONDS * (1 << min(trips - 1, _MAX_DOUBLINGS)))
    return longest * (1 - _JITTER * jitter)
