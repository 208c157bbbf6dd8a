"""What goes wrong on purpose, in answers of the API and in deliveries. Does none of it itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import Final, Literal

import msgspec

ApiKind = Literal["status", "html", "lost", "reset", "slow"]
DeliveryKind = Literal["shuffle", "duplicate", "drop", "delay", "forge", "stale"]
API_KINDS: Final = frozenset({"status", "html", "lost", "reset", "slow"})


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong `times` times (None: until it is taken away) where `match` fits.

    `match` is a glob over "POST /transactions" for the API, over the event's type for deliveries.

    API: `status` answers with it instead (with `code`, `retry_after` seconds); `html` is a 502 of a proxy; `lost` does
    the work, then breaks the connection after `seconds`; `reset` breaks it at once; `slow` waits `seconds` first.
    Deliveries: `shuffle` sends each `count` of them in another order; `duplicate` sends `count` more copies, each a
    notification of its own; `drop` never sends; `delay` sends `seconds` later; `forge` sends `count` altered copies
    with a wrong signature first; `stale` signs `seconds` in the past.
    """

    kind: ApiKind | DeliveryKind
    match: str = "*"
    times: int | None = 1
    status: int = 500
    code: str = ""
    retry_after: int | None = None
    seconds: float = 0.0
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse what could never end."""
        if not 0 <= self.seconds <= 3600 or not 1 <= self.count <= 1000 or not 400 <= self.status <= 599:
            raise ValueError("seconds: 0 to 3600, count: 1 to 1000, status: 400 to 599")


class Faults:
    """Those that are left."""

    def __init__(self) -> None:
        self.left: list[Fault] = []

    def take(self, kinds: Collection[str], name: str) -> Fault | None:
        """The first of these kinds that fits, used up by one."""
        return next(self._using(kinds, name), None)

    def take_each(self, kinds: Collection[str], name: str) -> dict[str, Fault]:
        """One of each of these kinds that fits, used up by one."""
        found = ((kind, self.take({kind}, name)) for kind in kinds)
        return {kind: fault for kind, fault in found if fault is not None}

    def _using(self, kinds: Collection[str], name: str) -> Iterator[Fault]:
        for fault in self.left:
            if fault.kind in kinds and fnmatchcase(name, fault.match):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times < 1:
                        self.left.remove(fault)
                yield fault
                return
