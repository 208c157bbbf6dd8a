"""What the ledger writer asks of a database: run one decided batch as one durable transaction."""

from __future__ import annotations

from typing import Protocol

from ...core.errors import ServiceUnavailable
from .batch import Batch


class LostLease(ServiceUnavailable):
    """This process was taken for dead: its holds are another's to resolve, and it must take a new lease first."""


class Store(Protocol):
    """A backend of the ledger: SQLite or PostgreSQL."""

    async def open(self) -> None:
        """Connect."""

    async def run(self, batch: Batch) -> None:
        """Lock, read, decide, write and commit `batch`; nothing is written when this raises.

        Raises LostLease, or whatever the driver raises; an error while committing leaves the outcome unknown.
        """

    async def close(self) -> None:
        """Disconnect."""
