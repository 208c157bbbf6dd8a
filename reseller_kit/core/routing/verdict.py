"""Whose fault an attempt's failure is: that decides whether another route is asked and what its circuit hears."""

from __future__ import annotations

from typing import Final, Literal

MAX_ATTEMPTS: Final = 3
"""Requests to upstreams that one call may come to, those of its fallbacks included."""

Fault = Literal["endpoint", "misconfigured", "key", "cooldown", "neutral", "request"]
"""endpoint: it is down, slow or talks nonsense; misconfigured: it doesn't know the model that the route names; key: the
credential is refused or out of money; cooldown: the credential is to wait; neutral: nobody's, such as a conflict;
request: what the caller sent is at fault, and no other route is asked."""

_REJECTED: Final = frozenset({400, 404, 413, 422})
_KEY: Final = frozenset({401, 402, 403})
_NEUTRAL: Final = frozenset({408, 409, 425})
_SWITCHED: Final = frozenset({"endpoint", "misconfigured"})
_BAD_GATEWAY: Final = 500
_COOLING: Final = 429


def is_rejection(status: int) -> bool:
    """Whether an upstream's status says that the request itself is at fault: no other route is asked."""
    return status in _REJECTED


def is_switched(fault: Fault) -> bool:
    """Whether a circuit counts the fault; all others say nothing of how its endpoint does."""
    return fault in _SWITCHED


def fault_of_status(status: int) -> Fault:
    """Whose fault an upstream's status is, as far as the status alone tells."""
    if status in _REJECTED:
        return "request"
    if status in _KEY:
        return "key"
    if status == _COOLING:
        return "cooldown"
    if status in _NEUTRAL:
        return "neutral"
    # Redirects are not followed: an endpoint that sends one is not where the route says.
    return "endpoint" if status >= _BAD_GATEWAY or status < min(_REJECTED) else "neutral"
