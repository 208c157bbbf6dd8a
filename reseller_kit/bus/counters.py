"""Counters that several processes share. All that calls ask at a time is one script and one round trip."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from ..core.limits import Fill, Limit, Room
from .away import Away

_SCRIPT: Final = (Path(__file__).parent / "limits.lua").read_text(encoding="utf-8")
_SHA: Final = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
_MOST_AT_ONCE: Final = 64
"""Questions in one run of the script: nobody else is served by the server meanwhile."""
_PACK: Final = msgspec.msgpack.Encoder()
_UNPACK: Final = msgspec.msgpack.Decoder(list[tuple[int, int, int, list[tuple[int, int]]]])

_Question = tuple[Any, ...]
_Heard = Callable[[Sequence[Limit]], object]
Open = Callable[[], Mapping[str, int]]


class _Take(asyncio.Future[Room]):
    """A call that waits for its room."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        super().__init__()
        self.limits = limits


class SharedCounters:
    """What `core.limits.Counters` does, for all processes of one `space` together.

    `owner` names this process; what it has under way stops to count ten seconds after it was last heard of.
    `granted` is called with what was taken, before the call that took it goes on; `undone` when that call was cancelled
    in between.
    """

    def __init__(self, redis: Redis, *, space: str, owner: str, granted: _Heard, undone: _Heard) -> None:
        self._redis = redis
        self._space = space
        self._owner = owner
        self._granted = granted
        self._undone = undone
        self._takes: list[_Take] = []
        self._ends: list[_Question] = []
        self._tells: list[tuple[Open, asyncio.Future[None]]] = []
        self._busy: asyncio.Task[None] | None = None

    async def take(self, limits: Sequence[Limit]) -> Room:
        """Take each limit's amount, or nothing if there is one without room. Raises Away."""
        waiting = _Take(limits)
        self._takes.append(waiting)
        self._go_on()
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and not waiting.exception():
                room = waiting.result()
                if room.refused is None:
                    self._undone(limits)
                    self.end(limits, 0, taken=room.piece)
            raise

    def end(self, limits: Sequence[Limit], tokens: int, *, taken: int) -> None:
        """A call that took these is over and has used so many tokens. Lost while the server is away."""
        items = [(limit.kind[0], limit.name, limit.amount, tokens) for limit in limits if limit.kind != "requests"]
        if items:
            self._ends.append(("end", items, taken))
            self._go_on()

    async def tell(self, open_now: Open) -> None:
        """Say that this process lives, and what it has under way, as `open_now` says when it is sent. Raises Away."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tells.append((open_now, told))
        self._go_on()
        await told

    async def close(self) -> None:
        """Send what is left to send."""
        if self._busy is not None:
            await asyncio.wait([self._busy])

    def _go_on(self) -> None:
        if self._busy is None:
            self._busy = asyncio.get_running_loop().create_task(self._run(), name="limits")

    async def _run(self) -> None:
        """One batch after the other, so that each knows what the last one did."""
        try:
            while self._takes or self._ends or self._tells:
                await self._send()
        finally:
            self._busy = None

    async def _send(self) -> None:
        # What is told counts for all that ended before; no call may be let through between its count and its telling.
        tells, self._tells = self._tells, []
        ends, self._ends = self._ends, []
        takes: list[_Take] = []
        if not tells:
            takes, self._takes = self._takes[:_MOST_AT_ONCE], self._takes[_MOST_AT_ONCE:]
        questions = [*ends, *(_asked(take) for take in takes)]
        questions += [("open", list(open_now().items())) for open_now, _ in tells]
        try:
            rooms = await self._ask(questions)
        except Away as error:
            # Nobody waits for the same silence twice.
            behind, self._takes = self._takes, []
            waiting: list[asyncio.Future[Any]] = [*takes, *behind, *(told for _, told in tells)]
            for each in waiting:
                if not each.done():
                    each.set_exception(error)
            return
        for _, told in tells:
            if not told.done():
                told.set_result(None)
        for take, room in zip(takes, rooms, strict=True):
            self._deliver(take, room)

    def _deliver(self, take: _Take, room: Room) -> None:
        if take.cancelled():
            if room.refused is None:
                self.end(take.limits, 0, taken=room.piece)
            return
        if room.refused is None:
            self._granted(take.limits)
        take.set_result(room)

    async def _ask(self, questions: list[_Question]) -> list[Room]:
        arguments = (1, self._space, self._owner, _PACK.encode(questions))
        try:
            try:
                answer = await self._redis.evalsha(_SHA, *arguments)
            except NoScriptError:
                answer = await self._redis.eval(_SCRIPT, *arguments)
        except (RedisError, OSError, ValueError) as error:
            raise Away(f"{type(error).__name__}: {error}") from error
        return [_room(row) for row in _UNPACK.decode(answer)]


def _asked(take: _Take) -> _Question:
    return "take", [(limit.kind[0], limit.name, limit.most, limit.amount) for limit in take.limits]


def _room(row: tuple[int, int, int, list[tuple[int, int]]]) -> Room:
    refused, wait, piece, fills = row
    return Room(refused - 1 if refused else None, wait, piece, tuple(Fill(*fill) for fill in fills))
