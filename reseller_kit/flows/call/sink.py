"""Where a stream goes. Knows no ASGI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .job import Job


class Sink(Protocol):
    """Where a stream goes: the client's connection."""

    started: bool
    """Whether status and headers were sent."""
    finished: bool
    """Whether the last bytes were."""

    async def start(self, job: Job) -> None:
        """Send status and headers."""

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send bytes; returns when the connection takes more."""

    def ready(self) -> bool:
        """Whether `write` may be called: there is a client that takes more now."""

    def write(self, data: bytes) -> None:
        """Send bytes without a wait, but not the first or the last ones."""

    def on_gone(self, call: Callable[[], object]) -> None:
        """Call this when the client leaves or the call is told to end, at once if so; the latest one counts."""

    def gone(self) -> bool:
        """Whether the client has left."""

    def unwanted(self) -> bool:
        """Whether no answer is to be begun: the client has left, or the call was told to end."""
