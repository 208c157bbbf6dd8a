"""The states of an upstream's API keys and what moves them. Knows no secret, only fingerprints, and no clock."""

from __future__ import annotations

from typing import Final, Literal, get_args

from msgspec import Struct

Standing = Literal["parked", "cooling", "trial"]
"""parked: not used until it is let go; cooling: not used before a moment; trial: parked before and used again, by one
call at a time until one succeeds. A key without a state is used."""

Shown = Literal["ok", "cooling", "parked"]
SHOWN: Final[tuple[Shown, ...]] = get_args(Shown)
"""What the operator is told of a key."""

MIN_COOLING_US: Final = 1_000_000
MAX_COOLING_US: Final = 3_600_000_000
"""However long a provider asks to wait: an hour later the key is tried again."""
_FIRST_COOLING_US: Final = 2_000_000
_LONGEST_GUESS_US: Final = 60_000_000
_MAX_REASON: Final = 240


class KeyState(Struct, frozen=True, kw_only=True):
    """A key that is not simply used. `until` and `since` in µs; `until` is None but for one that cools."""

    standing: Standing
    reason: str
    since: int
    until: int | None = None

    def bars(self, now: int) -> bool:
        """Whether the key is not to be used at `now` (µs)."""
        return self.standing == "parked" or (self.until is not None and now < self.until)


def parked(before: KeyState | None, reason: str, now: int) -> KeyState:
    """The state of a key that was refused. One that fails on trial was parked all along."""
    since = before.since if before is not None and before.standing in {"trial", "parked"} else now
    return KeyState(standing="parked", reason=reason[:_MAX_REASON], since=since)


def cooled(reason: str, now: int, *, seconds: float | None, repeats: int) -> KeyState:
    """The state of a key that had too much: until the time that the provider named, bounded.

    Without one a few seconds, doubled with each repetition: `repeats` counts those before this one.
    """
    if seconds is None:
        wait = min(_FIRST_COOLING_US << min(repeats, 10), _LONGEST_GUESS_US)
    else:
        wait = int(min(max(seconds * 1_000_000, MIN_COOLING_US), MAX_COOLING_US))
    return KeyState(standing="cooling", reason=reason[:_MAX_REASON], since=now, until=now + wait)


def on_trial(before: KeyState) -> KeyState:
    """The state of a parked key that is tried again."""
    return KeyState(standing="trial", reason=before.reason, since=before.since)


def shown(state: KeyState | None, now: int) -> Shown:
    """How a key's state is told to the operator."""
    if state is None or not state.bars(now):
        return "ok"
    return "parked" if state.standing == "parked" else "cooling"
