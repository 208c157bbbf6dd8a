"""Notes when a host is first reached over https: its certificate is there. Asks nobody, and no request waits for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ...db import domains
from ...db.engine import Database, now_us

_log = logging.getLogger(__name__)
_MOST: Final = 10_000


class SecuredHosts:
    """What this process has noted. A host that is taken anew is noted anew: it begins a snapshot without the fact."""

    def __init__(self, db: Database, spawn: Callable[[Coroutine[Any, Any, Any], str], Any]) -> None:
        self._db = db
        self._spawn = spawn
        self._noted: set[tuple[int, str]] = set()

    def forget(self) -> None:
        """Another snapshot says from here on what is known."""
        self._noted.clear()

    def reached(self, tenant_id: int, host: str) -> None:
        """A live host, of which the snapshot does not know it, answers over https."""
        if (tenant_id, host) in self._noted or len(self._noted) >= _MOST:
            return
        self._noted.add((tenant_id, host))
        self._spawn(self._note(tenant_id, host), "secured-host")

    async def _note(self, tenant_id: int, host: str) -> None:
        try:
            async with self._db.write(tenant_id) as connection:
                await domains.note_secured(connection, tenant_id, host, now_us())
        except Exception as error:  # noqa: BLE001  # whatever the database says, the next snapshot brings another try
            _log.warning("that %s is reached over https is noted later: %r", host, error)
            self._noted.discard((tenant_id, host))
