"""Who may end a plain call before its answer has come. Knows no ASGI."""

from __future__ import annotations

from typing import Protocol


class Standby(Protocol):
    """Hears how far a plain call is, whose task it may cancel between the two."""

    def held(self) -> None:
        """Its hold is placed: it can be settled if it is ended. Raises CancelledError if it was ended before."""

    def answered(self) -> None:
        """The whole answer has come and is about to be paid for."""
