"""What this process knows of upstreams' keys, shared with all others through the database. Chooses no key.

A ring that parks or cools a key says so here; it is written behind the call, once, and the revision tells the other
processes, which read the states of that upstream alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from ..core.upstream_keys import SHOWN, KeyState, shown
from ..db import revisions, upstream_keys
from ..db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from ..telemetry.metrics import Metrics
from ..upstream.base import Upstream
from .key_alerts import tell_of_parked

_log = logging.getLogger(__name__)
_AGAIN_SECONDS: Final = 1.0
_TRIES: Final = 60
REVISION: Final = "upstream_key"

Spawn = Callable[[Coroutine[Any, Any, Any], str], Any]


class KeyBook:
    """States by upstream and fingerprint, as of the latest revision and what happened here since."""

    def __init__(self, db: Database, spawn: Spawn, metrics: Metrics) -> None:
        self._db = db
        self._spawn = spawn
        self._metrics = metrics
        self._states: dict[str, dict[str, KeyState]] = {}
        self._clients: dict[str, Upstream] = {}
        self._unwritten: dict[tuple[str, str], KeyState | None] = {}
        self._writing = False
        self._written = 0

    def attach(self, name: str, client: Upstream) -> None:
        """A client that is new here: its keys get the states that are known, and go on with the counts of the last."""
        before = self._clients.get(name)
        if before is not None:
            client.keys.inherit(before.keys)
            before.keys.on_change = None
        self._clients[name] = client
        client.keys.on_change = partial(self._changed, name)
        client.keys.restore(self._states.get(name, {}))
        for state in SHOWN:
            # Counted when it is asked for: that a key has cooled down is nothing that happens.
            self._metrics.upstream_keys.labels(name, state).set_function(partial(self._count, name, state))

    async def reload(self, upstream: str | None = None) -> None:
        """Take over what the database knows of every upstream, or of one."""
        while True:
            written = self._written
            async with self._db.read(NO_TENANT) as connection:
                found = await upstream_keys.states(connection, upstream)
            # What was read before a write of this process ended would take back what that wrote.
            if written == self._written:
                break
        names = {*self._states, *found, *self._clients} if upstream is None else {upstream}
        for name in names:
            self._states[name] = found.get(name, {})
        for (name, fingerprint), state in self._unwritten.items():
            self._set(name, fingerprint, state)
        for name in names & self._clients.keys():
            self._clients[name].keys.restore(self._states[name])

    def _changed(self, name: str, fingerprint: str, state: KeyState | None) -> None:
        self._set(name, fingerprint, state)
        self._unwritten[name, fingerprint] = state
        event = "well" if state is None else state.standing
        self._metrics.upstream_key_events.labels(name, event).inc()
        _log_change(name, fingerprint, state)
        if not self._writing:
            self._writing = True
            self._spawn(self._write(), "upstream keys")

    def _set(self, name: str, fingerprint: str, state: KeyState | None) -> None:
        states = self._states.setdefault(name, {})
        if state is None:
            states.pop(fingerprint, None)
        else:
            states[fingerprint] = state

    async def _write(self) -> None:
        """Write what is not written yet, one key a transaction; what the database does not take is tried again."""
        tries = 0
        try:
            while self._unwritten and tries < _TRIES:
                (name, fingerprint), state = next(iter(self._unwritten.items()))
                try:
                    await self._write_one(name, fingerprint, state)
                except Exception as error:  # noqa: BLE001  # calls go on meanwhile, by what this process knows
                    tries += 1
                    _log.error("the state of key %s of %s was not written (%r)", fingerprint, name, error)
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                self._written += 1
                if self._unwritten.get((name, fingerprint)) is state:
                    del self._unwritten[name, fingerprint]
        finally:
            self._writing = False

    async def _write_one(self, name: str, fingerprint: str, state: KeyState | None) -> None:
        async with self._db.write(EVERY_TENANT) as connection:
            # The revision's lock first: of processes that park an upstream's last keys, one sees that none is left.
            await revisions.bump(connection, REVISION, name)
            if state is None:
                await upstream_keys.let_go(connection, name, fingerprint, standing="trial")
            elif await upstream_keys.put(connection, name, fingerprint, state) and state.standing == "parked":
                await tell_of_parked(connection, name, fingerprint, state, now_us())

    def _count(self, name: str, state: str) -> int:
        now = now_us()
        return sum(shown(each.state, now) == state for each in self._clients[name].keys.credentials)


def _log_change(name: str, fingerprint: str, state: KeyState | None) -> None:
    if state is None:
        _log.info("key %s of upstream %s works again", fingerprint, name)
    elif state.standing == "parked":
        _log.error("key %s of upstream %s is parked: %s", fingerprint, name, state.reason)
    else:
        seconds = ((state.until or 0) - state.since) / 1_000_000
        _log.warning("key %s of upstream %s cools for %.1f s: %s", fingerprint, name, seconds, state.reason)
