"""How each model's latest calls went, in one process: the source of a storefront's status page. Routes nothing."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from .catalog import OfferedModel

State = Literal["operational", "degraded", "down", "unknown"]
_HALF_LIFE_US: Final = 300_000_000
_FEW: Final = 0.5
_DEGRADED: Final = 0.1
_DOWN: Final = 0.8


class _Tally(Struct):
    """Calls and failures, each call counting half as much five minutes later."""

    calls: float = 0.0
    failures: float = 0.0
    at: int = 0


class HealthBoard:
    """Fading tallies by public model and the upstreams that serve it.

    Tenants whose calls go over the same upstreams share one; what a tenant's own upstream does is nobody else's.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, frozenset[str]], _Tally] = {}

    def note(self, offered: OfferedModel, *, failed: bool, now: int) -> None:
        """One call ended at `now` (µs)."""
        served = _served(offered)
        tally = self._tallies.get(served)
        if tally is None:
            tally = self._tallies[served] = _Tally()
        faded = 0.5 ** ((now - tally.at) / _HALF_LIFE_US) if tally.at else 0.0
        tally.calls = tally.calls * faded + 1
        tally.failures = tally.failures * faded + failed
        tally.at = now

    def state(self, offered: OfferedModel) -> State:
        """What the latest calls say; unknown when there were none."""
        tally = self._tallies.get(_served(offered))
        if tally is None or tally.calls < _FEW:
            return "unknown"
        rate = tally.failures / tally.calls
        if rate >= _DOWN:
            return "down"
        return "degraded" if rate >= _DEGRADED else "operational"


def _served(offered: OfferedModel) -> tuple[str, frozenset[str]]:
    return offered.model, offered.upstreams
