"""Stands by while a plain call is answered: ends it when its client left long ago, or when it is told to."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Self, cast

from ...core.errors import Restarting
from ...flows.runtime import Answering
from ...telemetry.access import Note
from ..responses import Receive
from .body import ClientGone, has_left

ABANDONED_SECONDS: Final = 60.0
_UNWATCHED_SECONDS: Final = 0.25
"""Most calls are over before; only longer ones are worth a task that watches for their client."""


class PlainCall:
    """The current task's plain call, over when its block is left. Ended early, its task is cancelled, which settles it.

    Its block raises ClientGone or Restarting then. `answering`: where it is found for as long as it runs.

    `note` hears that the client left: what an upstream is at goes on for a while, nothing is tried again, and
    the settle knows why the call ended.
    """

    def __init__(
        self,
        receive: Receive,
        note: Note,
        answering: set[Answering],
        *,
        abandoned_seconds: float = ABANDONED_SECONDS,
    ) -> None:
        self._receive, self._note, self._answering = receive, note, answering
        self._abandoned_seconds = abandoned_seconds
        self._left_at: float | None = None
        self._began_at = time.monotonic()
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._watch: asyncio.Task[None] | None = None
        self._held = self._answered = self._ended = False

    def __enter__(self) -> Self:
        """It begins."""
        self._answering.add(self)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """It is over; a cancellation that was its end raises what it means, any other stays what it is."""
        self.close()
        if isinstance(error, asyncio.CancelledError) and self._ended and not self._task.uncancel():
            raise (ClientGone if self._note.left else Restarting) from None

    def look(self, now: float) -> None:
        """Watch for the client once the call takes long, and end it once that is long gone; `now` is monotonic."""
        if self._left_at is not None:
            if now - self._left_at >= self._abandoned_seconds:
                self.end()
        elif self._watch is None and now - self._began_at >= _UNWATCHED_SECONDS:
            self._watch = asyncio.get_running_loop().create_task(self._wait())

    def held(self) -> None:
        """What the call may cost is held: from now on it can be ended.

        Raises CancelledError if it was before, or if its client has gone already: nobody was asked yet.
        """
        self._held = True
        self._ended = self._ended or self._note.left
        if self._ended:
            raise asyncio.CancelledError

    def answered(self) -> None:
        """The whole answer has come and is about to be paid for: too late to end the call."""
        self._answered = True

    def end(self) -> None:
        """Stop the answer; the client gets to read why."""
        if self._ended or self._answered:
            return
        self._ended = True
        if self._held:
            self._task.cancel()

    def lose(self) -> None:
        """Stop the answer if anything is held for it: that was lost."""
        if self._held:
            self.end()

    def close(self) -> None:
        """Stand by no longer."""
        self._answering.discard(self)
        if self._watch is not None:
            self._watch.cancel()

    async def _wait(self) -> None:
        if await has_left(self._receive):
            self._note.left = True
            self._left_at = time.monotonic()
