"""Finds room for calls within their limits: in this process, or among all of them where there is a Redis or Valkey.

While that is away each process counts by itself, from what it let through before. Knows no tenant and refuses nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ..bus import Away
from ..core.limits import PIECE_US, Counters, Limit, Room
from ..telemetry.metrics import Metrics

if TYPE_CHECKING:
    from ..bus.connection import Redis
    from ..bus.counters import SharedCounters

_log = logging.getLogger(__name__)
_TELL_SECONDS: Final = 2.0
"""Several times within the ten seconds for which a silent process's calls are believed to run."""
_LOOK_SECONDS: Final = 1.0


def _steady_us() -> int:
    return time.monotonic_ns() // 1000


class Admission(Struct, kw_only=True, eq=False):
    """What a call took. `shared`: the piece at which all processes counted it; None if this one did alone."""

    limits: Sequence[Limit]
    room: Room
    taken: int
    shared: int | None
    over: bool = False


NOTHING_TAKEN: Final = Admission(limits=(), room=Room(None, 0, 0, ()), taken=0, shared=None, over=True)
"""Of a call without limits."""


class Limiter:
    """The limits of one process; `share` lets it count together with others."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], int] = _steady_us) -> None:
        self._own = Counters()
        self._clock = clock
        self._metrics = metrics
        self._shared: SharedCounters | None = None
        self._together = False
        self._said_away = False
        self._alone: set[str] = set()
        """Counters of calls under way that changed while this process counted alone."""

    def share(self, redis: Redis, *, space: str, owner: str) -> None:
        """Count together with the other processes of this space, as soon as `keep` has reached the server."""
        from ..bus.counters import SharedCounters  # noqa: PLC0415  # loads a client that most processes never need

        self._shared = SharedCounters(redis, space=space, owner=owner, granted=self._note, undone=self._undo)
        self._metrics.shared_limits.set(0)

    @property
    def is_shared(self) -> bool:
        """Whether other processes are to count together with this one."""
        return self._shared is not None

    async def take(self, limits: Sequence[Limit]) -> Admission:
        """Take what a call asks for. Unless the admission's room refused it, `end` it, whatever comes."""
        if limits and self._shared is not None and self._together:
            try:
                room = await self._shared.take(limits)
            except Away as error:
                self._part(error)
            else:
                taken = self._clock() // PIECE_US
                return Admission(limits=limits, room=room, taken=taken, shared=room.piece)
        return self._take_alone(limits)

    def take_at_once(self, limits: Sequence[Limit]) -> Admission | None:
        """As `take`, without a wait; None where other processes have to be asked."""
        return None if self._together else self._take_alone(limits)

    def _take_alone(self, limits: Sequence[Limit]) -> Admission:
        if not limits:
            return NOTHING_TAKEN
        room = self._own.take(limits, self._clock())
        if self._shared is not None:
            self._metrics.limits_alone.inc()
            self._alone.update(limit.name for limit in limits if limit.kind == "concurrency")
        return Admission(limits=limits, room=room, taken=room.piece, shared=None)

    def end(self, admission: Admission, tokens: int) -> None:
        """The call is over and used so many tokens; only the first end counts."""
        if admission.over or admission.room.refused is not None:
            return
        admission.over = True
        self._own.end(admission.limits, tokens, taken=admission.taken, now=self._clock())
        if self._shared is None:
            return
        if not self._together:
            self._alone.update(limit.name for limit in admission.limits if limit.kind == "concurrency")
        elif admission.shared is not None:
            self._shared.end(admission.limits, tokens, taken=admission.shared)
        else:
            under_way = [limit for limit in admission.limits if limit.kind == "concurrency"]
            self._shared.end(under_way, tokens, taken=0)

    async def keep(self) -> None:
        """Say that this process lives, and come back to the others when the server does, for ever."""
        if self._shared is None:
            return
        while True:
            try:
                await self._tell(self._shared)
                while not self._together:
                    # Nothing may be let through between the last telling and counting together.
                    if self._alone:
                        await self._tell(self._shared)
                    else:
                        self._join()
            except Away as error:
                self._part(error)
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                await asyncio.sleep(_TELL_SECONDS)

    async def close(self) -> None:
        """Let the others know the last of it."""
        if self._shared is not None:
            await self._shared.close()

    async def _tell(self, shared: SharedCounters) -> None:
        """What is under way here, with those counters that have emptied since the last telling. Raises Away."""
        told: set[str] = set()

        def under_way() -> dict[str, int]:
            nonlocal told
            told, self._alone = self._alone, set()
            return {**dict.fromkeys(told, 0), **self._own.open()}

        try:
            await shared.tell(under_way)
        except Away:
            self._alone |= told
            raise

    def _join(self) -> None:
        """Count together from now on."""
        self._together, self._said_away = True, False
        self._metrics.shared_limits.set(1)
        _log.info("limits are counted together with the other processes")

    def _part(self, error: Away) -> None:
        """Count alone from now on."""
        if self._together:
            self._together = False
            self._metrics.shared_limits.set(0)
            self._alone.update(self._own.open())
        if not self._said_away:
            self._said_away = True
            _log.warning("the cache is away (%s); this process keeps the limits by itself until it is back", error)

    def _note(self, limits: Sequence[Limit]) -> None:
        self._own.note(limits, self._clock())

    def _undo(self, limits: Sequence[Limit]) -> None:
        now = self._clock()
        self._own.end(limits, 0, taken=now // PIECE_US, now=now)
