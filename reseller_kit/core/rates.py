"""What a caller may be told of its limits. Counts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from .limits import Limit, Room, Scope


class Rate(Struct, frozen=True):
    """One limit: `most` in a minute, what `remains` of it, and µs until all of it does."""

    most: int
    remains: int
    full_in: int


class Rates(Struct, frozen=True):
    """The limits closest to being reached, among those of the caller's key and account; None where there is none."""

    requests: Rate | None
    tokens: Rate | None


NO_RATES = Rates(None, None)
_TOLD: Final[frozenset[Scope]] = frozenset({"key", "customer"})


def rates_of(limits: Sequence[Limit], room: Room) -> Rates:
    """What the answer to a call tells of these limits; a storefront's own and an upstream's are nobody's business."""
    requests: Rate | None = None
    tokens: Rate | None = None
    for limit, fill in zip(limits, room.fills, strict=True):
        if limit.kind == "concurrency" or limit.scope not in _TOLD:
            continue
        rate = Rate(limit.most, limit.most - fill.used if fill.used < limit.most else 0, fill.empty_in)
        if limit.kind == "requests":
            requests = rate if requests is None else _closer(requests, rate)
        else:
            tokens = rate if tokens is None else _closer(tokens, rate)
    return Rates(requests, tokens)


def _closer(one: Rate, other: Rate) -> Rate:
    return other if (other.remains, -other.full_in) < (one.remains, -one.full_in) else one
