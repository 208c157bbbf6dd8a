"""Whose fault an attempt's failure is: that decides whether another route is asked and what its circuit hears."""

from __future__ import annotations

from typing import Final, Literal

MAX_ATTEMPTS: Final = 3
"""Requests to upstreams that one call may come to, those of its fallbacks included."""

Fault = Literal["endpoint", "misconfigured", "key", "cooldown", "neutral", "request"]
"""endpoint: it is down, slow or talks nonsense; misconfigured: it doesn't know the model that the route names; key: the
credential is refused or out of money; cooldown: the credential is to wait; neutral: nobody's, such as a full queue of
ours; request: what the caller sent is at fault, and no other route is asked."""

_SWITCHED: Final = frozenset({"endpoint", "misconfigured"})


def is_switched(fault: Fault) -> bool:
    """Whether a circuit counts the fault; all others say nothing of how its endpoint does."""
    return fault in _SWITCHED
