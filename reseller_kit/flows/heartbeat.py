"""Notices that this process stood still, so that it may have lost its lease unawares. Asks no database itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

PAUSE_SECONDS: Final = 2.0
"""Shorter than a lease is valid, longer than any honest work holds up the event loop."""
BEAT_SECONDS: Final = 0.25


class Heartbeat:
    """Beats a few times a second. After a pause it is doubtful until whoever keeps the lease confirms it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat_at = clock()
        self._clear = asyncio.Event()
        self._clear.set()
        self.wanted = asyncio.Event()
        """Set when somebody waits for the lease to be looked at."""
        self.on_lag: Callable[[float], object] | None = None
        """Told how many seconds late each beat is."""

    def doubtful(self) -> bool:
        """Whether the process stood still since the lease was last looked at."""
        return self._clock() - self._beat_at > PAUSE_SECONDS or not self._clear.is_set()

    def doubt(self) -> None:
        """Have the lease looked at: something says that it was lost."""
        self._clear.clear()
        self.wanted.set()

    def beat(self) -> None:
        """The event loop runs."""
        if self.doubtful():
            self.doubt()
        self._beat_at = self._clock()

    def confirm(self) -> None:
        """The lease was looked at: the ledger's epoch is right again, or the database is away for everybody."""
        self.wanted.clear()
        self._beat_at = self._clock()
        self._clear.set()

    async def confirmed(self) -> None:
        """Wait for that."""
        self.beat()
        await self._clear.wait()

    async def run(self) -> None:
        """Beat for ever."""
        while True:
            self.beat()
            due = self._clock() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            if self.on_lag is not None:
                self.on_lag(max(0.0, self._clock() - due))
