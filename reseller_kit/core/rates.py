"""What a caller may be told of its limits. Counts nothing."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from .limits import Kind, Limit, Room


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


def rates_of(limits: Sequence[Limit], room: Room) -> Rates:
    """What the answer to a call tells of these limits; a storefront's own and an upstream's are nobody's business."""
    return Rates(_closest(limits, room, "requests"), _closest(limits, room, "tokens"))


def _closest(limits: Sequence[Limit], room: Room, kind: Kind) -> Rate | None:
    found = [
        Rate(limit.most, max(0, limit.most - fill.used), fill.empty_in)
        for limit, fill in zip(limits, room.fills, strict=True)
        if limit.kind == kind and limit.scope in {"key", "customer"}
    ]
    return min(found, key=lambda rate: (rate.remains, -rate.full_in), default=None)
