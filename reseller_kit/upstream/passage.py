"""On whose behalf an upstream is asked, and on what terms. Asks nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from msgspec import Struct

from ..core.deadlines import Deadlines
from ..core.fairness import NOBODY, Turn


class Exchange(Protocol):
    """Whoever asks, and has to know how far its request went."""

    in_flight: bool
    """Whether the request was sent, and has been neither refused nor lost."""


class Passage(Struct, frozen=True, kw_only=True):
    """How a request gets to its upstream.

    `turn`: whose it is, where there is a queue; `deadlines` instead of the endpoint's; `gate` is waited for once there
    is a slot and before anything is sent. It may raise UpstreamFailed. `exchange` is told of the request's way.
    """

    turn: Turn = NOBODY
    deadlines: Deadlines | None = None
    gate: Callable[[], Awaitable[None]] | None = None
    exchange: Exchange | None = None


DIRECT: Final = Passage()
"""The operator's own."""
