"""What a process knows of its endpoints: circuits, speeds, conversations, the retries that are left. Asks none itself.

A circuit that opens or closes is written behind the call that found it, and every other process takes it over with its
next look at the revision. Of an open one a single probe is sent at a time: it is claimed in the database.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ..core.routing import Admission, Affinity, Breaker, Change, EndpointName, Permit, RetryBudget, Speeds
from ..core.routing.breaker import State
from ..db import endpoints
from ..db.endpoints import EndpointState
from ..db.engine import NO_TENANT, Database, now_us
from ..telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
_PROBE_SECONDS: Final = 30.0
"""How long a claimed probe keeps other processes from sending one; a process that dies with it loses it then."""
_CLAIM_SECONDS: Final = 2.0
"""A call waits for the claim; nobody waits for what is only told."""
_TELL_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 0.5
_US: Final = 1_000_000

Spawn = Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]


class Endpoints:
    """The endpoints of one process."""

    def __init__(self, db: Database, metrics: Metrics, spawn: Spawn) -> None:
        self.budget, self.speeds, self.affinity = RetryBudget(), Speeds(), Affinity()
        self._db, self._metrics, self._spawn = db, metrics, spawn
        self._breakers: dict[EndpointName, Breaker] = {}
        self._written_at: dict[EndpointName, int] = {}
        """When the state that this process knows was found, in µs: what is older is no news."""
        self._claims: dict[EndpointName, asyncio.Task[None]] = {}

    def admission(self, endpoint: EndpointName, now: float) -> Admission:
        """Whether the endpoint's circuit lets a call through."""
        breaker = self._breakers.get(endpoint)
        return "yes" if breaker is None else breaker.admission(now)

    def state(self, endpoint: EndpointName) -> State:
        """The endpoint's circuit as operators see it."""
        breaker = self._breakers.get(endpoint)
        return "closed" if breaker is None else breaker.state(time.monotonic())

    def seconds_left(self, endpoint: EndpointName, now: float) -> float:
        """Until its circuit is due for a probe; 0 where it is not open."""
        breaker = self._breakers.get(endpoint)
        return 0.0 if breaker is None else breaker.seconds_left(now)

    def enter(self, endpoint: EndpointName, now: float) -> Permit | None:
        """Let a call in; None where the circuit is open, or where another call is the probe."""
        breaker = self._breakers.get(endpoint)
        if breaker is None:
            breaker = self._breakers[endpoint] = Breaker()
        return breaker.enter(now)

    def release(self, endpoint: EndpointName, permit: Permit) -> None:
        """The call told nothing of the endpoint."""
        self._breakers[endpoint].release(permit)

    def succeed(self, endpoint: EndpointName, permit: Permit) -> None:
        """The endpoint answered the call well."""
        change = self._breakers[endpoint].succeed(permit, time.monotonic())
        if change is not None:
            self._tell(endpoint, change)

    def fail(self, endpoint: EndpointName, permit: Permit, reason: str) -> None:
        """The endpoint failed the call."""
        # Jitter keeps processes from probing at the same moment; nothing secret hangs on it.
        change = self._breakers[endpoint].fail(permit, time.monotonic(), reason, random.random())  # noqa: S311
        if change is not None:
            self._tell(endpoint, change)

    async def claim(self, endpoint: EndpointName) -> None:
        """Ask for the probe that is due; one call asks for all that wait. Whoever gets it is seen in `admission`."""
        task = self._claims.get(endpoint) or self.claim_soon(endpoint)
        await asyncio.wait([task])

    def claim_soon(self, endpoint: EndpointName) -> asyncio.Task[None]:
        """Ask for the probe beside the call that found it due."""
        task = self._claims.get(endpoint)
        if task is None:
            task = self._claims[endpoint] = self._spawn(self._claim(endpoint), f"probe {'/'.join(endpoint)}")
            task.add_done_callback(lambda _: self._claims.pop(endpoint, None))
        return task

    async def refresh(self) -> None:
        """Take over what other processes wrote."""
        async with self._db.read(NO_TENANT) as connection:
            for row in await endpoints.every(connection):
                self._take_over(row)

    def forget(self, upstream: str) -> None:
        """The upstream was configured anew: what was known of its endpoints is no longer true."""
        now = time.monotonic()
        for endpoint, breaker in self._breakers.items():
            if endpoint[0] == upstream:
                breaker.close(now)
                self._show(endpoint)
        self._spawn(self._write_closed(upstream, None), f"close {upstream}")

    def _take_over(self, row: EndpointState, *, surely: bool = False) -> None:
        endpoint = row.upstream, row.upstream_model
        if not surely and row.changed_at <= self._written_at.get(endpoint, 0):
            return
        self._written_at[endpoint] = row.changed_at
        now = time.monotonic()
        breaker = self._breakers.setdefault(endpoint, Breaker())
        if row.state == "open":
            seconds = (row.until - now_us()) / _US
            breaker.open(now, seconds, row.trips, row.failures, row.reason)
        elif breaker.state(now) != "closed":
            breaker.close(now)
        self._show(endpoint)

    def _tell(self, endpoint: EndpointName, change: Change) -> None:
        """Log a change, and let the other processes know."""
        upstream, model = endpoint
        now = self._written_at[endpoint] = now_us()
        self._show(endpoint)
        if change.state == "closed":
            _log.warning("the circuit of upstream %s, model %s, is closed again", upstream, model)
            self._spawn(self._write_closed(upstream, model, now), f"close {upstream}/{model}")
            return
        _log.error(
            "the circuit of upstream %s, model %s, opened for %.1f s after %d failures: %s",
            *(upstream, model, change.seconds, change.failures, change.reason),
        )
        state = EndpointState(
            upstream=upstream,
            upstream_model=model,
            state="open",
            trips=change.trips,
            failures=change.failures,
            reason=change.reason[:200],
            until=now + round(change.seconds * _US),
            changed_at=now,
        )
        self._spawn(self._write_open(state), f"open {upstream}/{model}")

    def _show(self, endpoint: EndpointName) -> None:
        self._metrics.circuits.labels(*endpoint).set(self.state(endpoint) != "closed")

    async def _write_open(self, state: EndpointState) -> None:
        try:
            async with asyncio.timeout(_TELL_SECONDS), self._db.write(NO_TENANT) as connection:
                await endpoints.put_open(connection, state)
        except Exception as error:  # noqa: BLE001  # the process itself knows; the others find out on their own
            _log.warning("the open circuit of %s could not be shared (%r)", state.upstream, error)

    async def _write_closed(self, upstream: str, model: str | None, now: int | None = None) -> None:
        try:
            async with asyncio.timeout(_TELL_SECONDS), self._db.write(NO_TENANT) as connection:
                await endpoints.put_closed(connection, upstream, model, now=now or now_us())
        except Exception as error:  # noqa: BLE001  # the process itself knows; the others find out on their own
            _log.warning("the closed circuit of %s could not be shared (%r)", upstream, error)

    async def _claim(self, endpoint: EndpointName) -> None:
        breaker, until = self._breakers[endpoint], now_us() + round(_PROBE_SECONDS * _US)
        try:
            async with asyncio.timeout(_CLAIM_SECONDS), self._db.write(NO_TENANT) as connection:
                got = await endpoints.claim_probe(connection, *endpoint, until)
                row = None if got else await endpoints.find(connection, *endpoint)
        except Exception as error:  # noqa: BLE001  # without the database each process probes for itself
            _log.warning("the probe of upstream %s could not be claimed (%r)", endpoint[0], error)
            got, row = True, None
        now = time.monotonic()
        if got or (row is None and breaker.admission(now) == "claim"):
            breaker.claimed(now, _PROBE_SECONDS)
        elif row is not None and (row.state == "closed" or row.until > now_us()):
            self._take_over(row, surely=True)
        else:
            breaker.elsewhere(now, _LOOK_AGAIN_SECONDS)
