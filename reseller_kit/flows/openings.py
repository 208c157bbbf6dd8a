"""Reads a storefront into a process's snapshot when it is first asked for, where they are too many to read at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from ..core.errors import ServiceUnavailable
from ..core.storefront import Snapshot
from ..db.engine import Database
from . import snapshot as snapshots
from .patience import limited_wait
from .snapshot_changes import with_storefront

_log = logging.getLogger(__name__)
_KEPT: Final = 200
_PAUSE_SECONDS: Final = 0.01


class Process(Protocol):
    """Whose snapshot it is."""

    db: Database
    snapshot: Snapshot

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run work beside the request that began it."""


class Openings:
    """What is being read. All who ask for one storefront meanwhile wait for the same read."""

    def __init__(self, process: Process, hurry: Callable[[], None]) -> None:
        """`hurry`: lets the process look for changes at once."""
        self._process = process
        self._hurry = hurry
        self._shared: snapshots.Shared | None = None
        self._reading = asyncio.Lock()
        self._opening: dict[int, asyncio.Task[None]] = {}

    async def open(self, host: str) -> None:
        """See that the snapshot has the storefront behind a host, unless that is none of its places any more.

        Raises ServiceUnavailable when the database does not answer.
        """
        place = self._process.snapshot.places.get(host)
        if place is None:
            return
        task = self._opening.get(place.tenant_id)
        if task is None:
            task = self._process.spawn(self._open(host, place.tenant_id), "open-storefront")
            self._opening[place.tenant_id] = task
            task.add_done_callback(lambda _: self._opening.pop(place.tenant_id, None))
        async with limited_wait():
            await asyncio.shield(task)

    def worth_keeping(self) -> list[int]:
        """The tenants that another snapshot is to begin with: those that were opened last."""
        opened = dict.fromkeys(entry.storefront.tenant_id for entry in self._process.snapshot.hosts.values())
        return list(opened)[-_KEPT:]

    async def _open(self, host: str, tenant_id: int) -> None:
        try:
            while self._is_unread(host):
                await self._read(tenant_id)
        except Exception as error:
            _log.exception("reading a storefront failed")
            raise ServiceUnavailable("The service is not available right now. Please try again in a moment.") from error

    def _is_unread(self, host: str) -> bool:
        snapshot = self._process.snapshot
        return host in snapshot.places and host not in snapshot.hosts

    async def _read(self, tenant_id: int) -> None:
        """Read it, and put it into the snapshot unless another came meanwhile that says something else."""
        process = self._process
        good_until = process.snapshot.good_until
        async with self._reading:
            if self._shared is None or self._shared.rows.revision < process.snapshot.read_at:
                self._shared = await snapshots.load_shared(process.db)
            shared = self._shared
        revision, hosts = await snapshots.load_storefront(process.db, shared, tenant_id)
        while process.snapshot.revision < revision:
            self._hurry()
            await asyncio.sleep(_PAUSE_SECONDS)
        snapshot = process.snapshot
        # Behind a snapshot's reading nothing of its kind was written, and until `good_until` no price begins.
        if shared.rows.revision >= snapshot.read_at and good_until == snapshot.good_until:
            process.snapshot = with_storefront(snapshot, hosts)
