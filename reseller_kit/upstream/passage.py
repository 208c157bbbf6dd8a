"""On whose behalf an upstream is asked, and on what terms. Asks nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from ..core.deadlines import Deadlines
from ..core.fairness import NOBODY, Turn


class Passage(Struct, frozen=True, kw_only=True):
    """How a request gets to its upstream.

    `turn`: whose it is, where there is a queue; `deadlines` instead of the endpoint's; `gate` is waited for once there
    is a slot and before anything is sent. It may raise UpstreamFailed.
    """

    turn: Turn = NOBODY
    deadlines: Deadlines | None = None
    gate: Callable[[], Awaitable[None]] | None = None


DIRECT: Final = Passage()
"""The operator's own."""
