"""A serving process's live state: ledger writer, snapshot, key cache, upstream clients, limiters. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec.structs import astuple

from .. import __version__
from ..core.errors import ServiceUnavailable
from ..core.health import HealthBoard
from ..core.storefront import Snapshot, UpstreamConfig
from ..db import endpoints, revisions
from ..db.changes import ChangeProbe, open_probe
from ..db.engine import NO_TENANT, Database, now_us
from ..db.ledger import LedgerWriter
from ..dns import Resolver
from ..telemetry.access import AccessLog
from ..telemetry.metrics import Metrics
from ..upstream.base import Upstream
from ..vault import Vault
from ..vault.passwords import Passwords
from . import snapshot as snapshots
from .announce import Board
from .authenticate import KeyCache
from .backlog import Backlog
from .brand_files import BrandFiles
from .domains.secured import SecuredHosts
from .endpoints import Endpoints
from .heartbeat import Heartbeat
from .identity.visit import Identity
from .kept_responses import KeptResponses
from .legal import LegalArchive
from .limiter import Limiter
from .openings import Openings
from .past_days import PastDays
from .payments import Inbox
from .prepared import PreparedModels
from .providers import Providers
from .snapshot_changes import load_again
from .upstream_keys import REVISION as UPSTREAM_KEY
from .upstream_keys import KeyBook

if TYPE_CHECKING:
    from ..bus.announcements import Announcements

    # Loads OpenTelemetry, which only those pay for who have a collector.
    from ..telemetry.traces import Traces

_log = logging.getLogger(__name__)
_POLL_SECONDS: Final = 0.1
_REFRESH_SECONDS: Final = 30
_LOOK_SECONDS: Final = 0.25
SETTLE_SECONDS: Final = 5.0
"""How long a call waits for its settle, which goes on without it then."""

_APART: Final = frozenset({"key", "customer", UPSTREAM_KEY, endpoints.KIND})
"""Kinds of changes that no part of the snapshot hangs on."""

UpstreamFactory = Callable[[UpstreamConfig], Upstream]


class Answering(Protocol):
    """A call that is being answered."""

    def look(self, now: float) -> None:
        """See to it, four times a second; `now` by the monotonic clock."""

    def end(self) -> None:
        """Stop the answer; the client gets to read why."""

    def lose(self) -> None:
        """Whatever it holds is another's to resolve: end, unless it holds nothing yet."""


class Runtime:
    """What the gateway and the pages work with. `snapshot` is replaced whole, never changed."""

    def __init__(
        self,
        *,
        db: Database,
        vault: Vault,
        ledger: LedgerWriter,
        snapshot: Snapshot,
        upstream_factory: UpstreamFactory,
        access_log: AccessLog,
        kept_bytes: int,
        resolver: Resolver | None = None,
        providers: Providers | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`kept_bytes`: of responses, for one customer.

        `resolver`: of resellers' domains; default: the machine's. `providers`: how tenants are paid, by default as
        configured.
        """
        self.resolver = resolver or Resolver()
        self.db = db
        self.vault = vault
        self.ledger = ledger
        self.snapshot = snapshot
        self.prepared = PreparedModels()
        self.keys = KeyCache(db, vault.pepper)
        self.identity = Identity(db, vault, Passwords(vault.pepper))
        self.metrics = metrics or Metrics()
        self.traces: Traces | None = None
        """None where nobody collects any."""
        self.health = HealthBoard()
        self.access_log = access_log
        self.leaving = False
        self.last_call_at = time.monotonic()
        """Balancers are told to send nothing more; what still comes is served."""
        self.draining = False
        """New calls are refused; those under way are finished."""
        self.active: set[str] = set()
        """Request ids whose holds this process is working on."""
        self.unsettled: set[str] = set()
        """Request ids whose settle the database could not take; it is tried again."""
        self.settling: dict[asyncio.Future[Any], float] = {}
        """Settles that calls wait for, and since when (monotonic), the oldest first."""
        self.backlog = Backlog(db, self.metrics)
        self.limiter = Limiter(self.metrics)
        self.announcements: Announcements | None = None
        self._news = asyncio.Event()
        self.openings = Openings(self, self._news.set)
        self.heartbeat, self.lease_renewed_at = Heartbeat(), time.monotonic()
        self.lease_gap = 0.0
        """Seconds between the last two renewals: whoever was away itself takes nobody for dead yet."""
        self.answering: set[Answering] = set()
        """API calls that are being answered, to be looked at each second and told to end when they must."""
        self.open_streams = 0
        self.responses = KeptResponses(db, vault, self.spawn, kept_bytes)
        self.upstream_keys = KeyBook(db, self.spawn, self.metrics)
        self.endpoints = Endpoints(db, self.metrics, self.spawn)
        self.board, self.legal = Board(db, self.spawn), LegalArchive(db)
        self.brand_files = BrandFiles(db)
        self.secured = SecuredHosts(db, self.spawn)
        self.past_days = PastDays(db)
        self.providers = providers or Providers(db, vault)
        self.inbox = Inbox(db, ledger, self.providers)
        self._factory = upstream_factory
        self._upstreams: dict[str, tuple[UpstreamConfig, Upstream]] = {}
        self._probe: ChangeProbe | None = None
        self._background: set[asyncio.Task[Any]] = set()
        self._measure()

    def upstream(self, name: str) -> Upstream:
        """The client of an upstream of the snapshot, made when its configuration is new."""
        config = self.snapshot.upstreams[name]
        held = self._upstreams.get(name)
        if held is not None and held[0] is config:
            return held[1]
        if held is not None and _same(held[0], config):
            self._upstreams[name] = (config, held[1])
            return held[1]
        client = self._factory(config)
        self._upstreams[name] = (config, client)
        self.upstream_keys.attach(name, client)
        if held is not None:
            held[1].close()
        return client

    def end_calls(self) -> None:
        """Tell every call that is being answered to end."""
        for call in tuple(self.answering):
            call.end()

    def lose_calls(self) -> None:
        """The lease ran out: tell every call that has placed its hold to end."""
        for call in tuple(self.answering):
            call.lose()

    def _measure(self) -> None:
        """Figures that are looked up when they are asked for."""
        metrics, pools = self.metrics, self.db.pools
        metrics.open_calls.set_function(lambda: len(self.active))
        metrics.open_streams.set_function(lambda: self.open_streams)
        metrics.unsettled.set_function(lambda: len(self.unsettled))
        metrics.ledger_waiting.set_function(lambda: self.ledger.waiting)
        metrics.lease_age.set_function(lambda: time.monotonic() - self.lease_renewed_at)
        metrics.database_connections.labels("busy").set_function(lambda: pools().busy)
        metrics.database_connections.labels("idle").set_function(lambda: pools().idle)
        metrics.database_connections.labels("most").set_function(lambda: pools().most)
        metrics.build.labels(__version__).set(1)
        self.ledger.on_batch = metrics.count_batch
        self.heartbeat.on_lag = metrics.loop_lag.observe

    async def look_after_calls(self) -> None:
        """See to every call that is being answered four times a second, for ever.

        One that has waited for its settle for five seconds waits no longer.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            for call in tuple(self.answering):
                call.look(now)
            for settle, since in self.settling.items():
                if now - since < SETTLE_SECONDS:
                    break
                if not settle.done():
                    settle.set_exception(ServiceUnavailable("The database does not answer."))

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run work beside the request that began it; `finish_background` waits for it."""
        task = asyncio.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def finish_background(self, seconds: float) -> None:
        """Wait for spawned work, at most this long."""
        if self._background:
            await asyncio.wait(self._background, timeout=seconds)

    async def watch(self) -> None:
        """Follow the database's revision for ever; a fault is logged and tried again."""
        while True:
            try:
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await self.refresh()
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
                _log.exception("reading changes failed; trying again")
                await asyncio.sleep(1)
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._news.wait()

    async def listen(self) -> None:
        """Look at once when another process tells of a change, for ever."""
        if self.announcements is not None:
            await self.announcements.listen(self._hear)

    def _hear(self, revision: int) -> None:
        if revision > self.snapshot.revision:
            self._news.set()

    async def refresh(self) -> None:
        """Take over what changed since the snapshot's revision."""
        if self._probe is None:
            self._probe = open_probe(self.db)
        # A price takes effect with its moment, which no write announces.
        due = self.snapshot.good_until is not None and now_us() >= self.snapshot.good_until
        seen = self.snapshot.revision
        told = self._news.is_set()
        self._news.clear()
        if await self._probe.revision() == seen and not due:
            return
        async with self.db.read(NO_TENANT) as connection:
            changes = await revisions.since(connection, seen)
        for _, kind, ref in changes:
            if kind in {"key", "customer"}:
                self.keys.forget(ref)
        for upstream in {ref for _, kind, ref in changes if kind == UPSTREAM_KEY}:
            await self.upstream_keys.reload(upstream)
        seen = changes[-1][0] if changes else seen
        if any(kind == endpoints.KIND for _, kind, _ in changes):
            await self.endpoints.refresh()
        concerned = {ref for _, kind, ref in changes if kind not in _APART}
        if due or concerned:
            # What was written while it loaded is in it, but no key of that was forgotten yet.
            before = self.snapshot.upstreams
            fresh = await self._read_again(None if due or "" in concerned else [int(ref) for ref in concerned])
            self.snapshot = snapshots.at_revision(fresh, seen)
            self._forget_changed(before)
        elif changes:
            self.snapshot = snapshots.at_revision(self.snapshot, seen)
        if changes and not told and self.announcements is not None:
            await self.announcements.tell(seen)

    async def _read_again(self, changed: Collection[int] | None) -> Snapshot:
        """The snapshot as of now; `changed`: the only tenants of which anything changed, where that is known."""
        if changed is not None:
            fresh = await load_again(self.db, self.vault, self.snapshot, changed)
            if fresh is not None:
                return fresh
        return await snapshots.load(self.db, self.vault, wanted=self.openings.worth_keeping())

    def _forget_changed(self, before: Mapping[str, UpstreamConfig]) -> None:
        """What was known of an upstream that is configured anew is known no longer."""
        for name, config in self.snapshot.upstreams.items():
            if name in before and not _same(before[name], config):
                self.endpoints.forget(name)

    async def close(self) -> None:
        """Close upstream connections and the probe."""
        for _, client in self._upstreams.values():
            client.close()
        self.providers.close()
        if self._probe is not None:
            await self._probe.close()


def _same(one: UpstreamConfig, other: UpstreamConfig) -> bool:
    """Whether two configurations are alike in everything; their texts would hide the credentials."""
    return astuple(one) == astuple(other)
