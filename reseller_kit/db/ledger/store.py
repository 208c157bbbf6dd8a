"""What the ledger writer asks of a database: run one decided batch as one durable transaction."""

from __future__ import annotations

from typing import Protocol

from ...core.errors import Restarting
from .batch import Batch


class LostLease(Restarting):
    """This process was taken for dead: its holds are another's to resolve, and it must take a new lease first."""


class OutcomeUnknown(Exception):
    """The connection broke or the commit was not answered: the batch may be durable, or nothing of it."""


class Store(Protocol):
    """A backend of the ledger: SQLite or PostgreSQL."""

    async def open(self) -> None:
        """Connect."""

    async def run(self, batch: Batch) -> None:
        """Lock, read, decide, write and commit `batch`; it is durable when this returns.

        Raises LostLease, or whatever the driver raises, and then nothing is written; or OutcomeUnknown.
        """

    async def close(self) -> None:
        """Disconnect."""
