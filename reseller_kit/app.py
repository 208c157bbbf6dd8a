"""The composition root: settings in, a running application out. Everything that is shared is made here, once."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from . import __version__
from .core.deadlines import Deadlines
from .core.errors import InvalidRequest
from .core.routing import RetryBudget
from .core.storefront import UpstreamConfig, UpstreamKey
from .db import schema
from .db.engine import Database
from .db.ledger import new_owner, open_writer
from .dns import Resolver
from .flows import customer_chores, deliver, domains, hooks, key_checks, lease, price_chores, rollup, sweep
from .flows import snapshot as snapshots
from .flows.deliver import Post
from .flows.identity import chores as identity_chores
from .flows.runtime import Runtime
from .flows.unlock import unlock
from .mail import open_outlet
from .plugins import UpstreamSetup, installed
from .settings import InvalidSetting, Settings
from .telemetry.access import AccessLog
from .telemetry.metrics import Metrics
from .telemetry.workers import Workers
from .theming import load as load_themes
from .tokens import warm
from .upstream.anthropic import AnthropicUpstream
from .upstream.base import Upstream
from .upstream.credentials import Ceilings
from .upstream.endpoint import Endpoint, Queueing, endpoint
from .upstream.gemini import GeminiUpstream
from .upstream.openai import OpenAIUpstream
from .upstream.unusable import UnusableUpstream
from .web.dispatch import Dispatcher
from .web.hosts import Peers
from .web.responses import Receive, Send
from .web.site import build_pages, build_platform

if TYPE_CHECKING:
    from .bus.connection import Redis
    from .telemetry.traces import Traces

_log = logging.getLogger(__name__)
_FLUSH_SECONDS: Final = 0.2
_PUBLISH_SECONDS: Final = 2
_DRAIN_SECONDS: Final = 30
_COLLECT_AFTER: Final = (10_000, 20, 50)
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""Of glibc's malloc.h."""


class Application:
    """The ASGI application of one process. Opens everything at startup, drains and closes at shutdown."""

    def __init__(self, settings: Settings, *, port: int, workers: Workers | None = None) -> None:
        """`workers`: what the worker processes of one server know of each other; None where there is one."""
        self._settings = settings
        self._workers = workers
        self._port = port
        self._dispatch: Dispatcher | None = None
        self._runtime: Runtime | None = None

    def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
        """ASGI entry: lifespan and HTTP."""
        if scope["type"] == "http" and self._dispatch is not None:
            return self._dispatch(scope, receive, send)
        return self._beside(scope, receive, send)

    def leave(self) -> None:
        """Tell balancers that this process ends soon; calls are taken until it drains."""
        if self._runtime is not None:
            self._runtime.leaving = True

    def drain(self) -> None:
        """Take no new calls; those under way are finished."""
        if self._runtime is not None:
            self._runtime.draining = True

    def end_calls(self) -> None:
        """Tell the calls under way to end: what came so far is settled, and their clients are told."""
        if self._runtime is not None:
            self._runtime.end_calls()

    @property
    def quiet_seconds(self) -> float:
        """How long ago the last call began."""
        return float("inf") if self._runtime is None else time.monotonic() - self._runtime.last_call_at

    @property
    def busy(self) -> bool:
        """Whether calls are under way."""
        return self._runtime is not None and bool(self._runtime.active)

    async def _beside(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Whatever is no HTTP request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            library = load_themes()
            post = Post(library, open_outlet(self._settings.mail_url), self._port)
            async with running(self._settings, post, self._workers) as runtime:
                self._dispatch = Dispatcher(
                    runtime,
                    build_pages(library, self._port),
                    build_platform(library, self._port),
                    port=self._port,
                    trusted_proxies=Peers([str(network) for network in self._settings.trusted_proxies]),
                    internal_peers=Peers([str(network) for network in self._settings.internal_peers]),
                )
                self._runtime = runtime
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:  # noqa: BLE001  # the lifespan protocol wants to be told of any failure
            _log.exception("the application could not run")
            failed = "lifespan.shutdown.failed" if self._dispatch else "lifespan.startup.failed"
            await send({"type": failed, "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def running(settings: Settings, post: Post, workers: Workers | None = None) -> AsyncIterator[Runtime]:
    """A runtime with its ledger writer, lease, sweep, watch and mail delivery, closed in reverse order."""
    # Before there is a lease to renew and a call to answer: loading the tables would hold both up for seconds.
    await asyncio.to_thread(warm)
    db = Database(settings.database_url)
    await schema.prepare(db)
    vault = await unlock(db, *settings.secret_keys)
    ledger = open_writer(db, owner=new_owner(), epoch=1)
    runtime = Runtime(
        db=db,
        vault=vault,
        ledger=ledger,
        snapshot=await snapshots.load(db, vault),
        upstream_factory=make_upstream,
        access_log=AccessLog(settings.log),
        kept_bytes=settings.kept_mib * 1024 * 1024,
        resolver=Resolver(settings.dns_servers),
        metrics=Metrics(workers),
    )
    runtime.endpoints.budget = RetryBudget.among(1 if workers is None else workers.count)
    runtime.traces = _open_traces(settings)
    await runtime.upstream_keys.reload()
    await runtime.endpoints.refresh()
    bus = open_bus(settings, runtime)
    await lease.take(runtime)
    await ledger.start()
    chores = [
        asyncio.create_task(lease.keep(runtime), name="lease"),
        asyncio.create_task(runtime.heartbeat.run(), name="heartbeat"),
        asyncio.create_task(runtime.look_after_calls(), name="calls"),
        asyncio.create_task(sweep.keep(runtime), name="sweep"),
        asyncio.create_task(runtime.watch(), name="watch"),
        asyncio.create_task(price_chores.keep(runtime), name="prices"),
        asyncio.create_task(deliver.keep(db, vault, post), name="deliver"),
        asyncio.create_task(hooks.keep(db, vault), name="webhooks"),
        asyncio.create_task(rollup.keep(runtime), name="rollup"),
        asyncio.create_task(domains.keep(db, runtime.resolver), name="domains"),
        asyncio.create_task(key_checks.keep(runtime), name="key-checks"),
        asyncio.create_task(identity_chores.keep(db), name="identity"),
        asyncio.create_task(customer_chores.keep(runtime), name="customers"),
        asyncio.create_task(runtime.inbox.keep(), name="payments"),
        asyncio.create_task(_flush(runtime.access_log), name="access-log"),
        asyncio.create_task(runtime.limiter.keep(), name="limits"),
        *([] if workers is None else [asyncio.create_task(_publish(runtime.metrics), name="metrics")]),
        *([] if runtime.announcements is None else [asyncio.create_task(runtime.listen(), name="announcements")]),
    ]
    settle_memory()
    try:
        yield runtime
    finally:
        runtime.draining = True
        await runtime.finish_background(_DRAIN_SECONDS)
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await ledger.close()
        if bus is not None:
            await runtime.limiter.close()
            await bus.aclose()
        await lease.give_back(runtime)
        await runtime.close()
        await db.close()
        runtime.access_log.flush()
        runtime.metrics.publish()
        if runtime.traces is not None:
            await asyncio.to_thread(runtime.traces.close)


def open_bus(settings: Settings, runtime: Runtime) -> Redis | None:
    """Let a runtime count limits with other processes and hear of changes, where there is a Redis or Valkey."""
    if settings.cache_url is None:
        return None
    from .bus.announcements import Announcements  # noqa: PLC0415  # loads a client that most processes never need
    from .bus.connection import connect  # noqa: PLC0415

    redis = connect(settings.cache_url)
    # Two installations that share a server must not meet: their ids are alike.
    space = f"rk:{hashlib.blake2b(runtime.vault.pepper, digest_size=8).hexdigest()}:"
    runtime.limiter.share(redis, space=space, owner=runtime.ledger.owner)
    runtime.announcements = Announcements(redis, space=space)
    return redis


def make_upstream(config: UpstreamConfig) -> Upstream:
    """The client of an upstream; where its keys or its plugin can't be used, one that says so to whoever asks."""
    target = endpoint(
        config.name,
        config.base_url,
        deadlines=msgspec.convert(config.settings.get("timeouts") or {}, Deadlines),
        max_concurrency=config.settings.get("max_concurrency") or 1000,
        queue=msgspec.convert(config.settings.get("queue") or {}, Queueing),
        headers=config.headers,
        public_only=config.public_only,
    )
    ceilings = Ceilings(**(config.settings.get("key_limits") or {}))
    try:
        return _client(config, target, ceilings)
    except InvalidRequest as error:
        _log.error("upstream %s can't be asked: %s", config.name, error.message)
        return UnusableUpstream(target, config.api_keys, error.message)


def _client(config: UpstreamConfig, target: Endpoint, ceilings: Ceilings) -> Upstream:
    if plugin := config.settings.get("plugin"):
        setup = UpstreamSetup(
            endpoint=target,
            api_keys=config.api_keys,
            ceilings=ceilings,
            dialect=config.dialect,
            provider=config.provider,
            options=dict(config.settings.get("options") or {}),
        )
        return installed.make_upstream(plugin, setup)
    if config.dialect == "openai":
        return OpenAIUpstream(target, config.api_keys, ceilings, config.provider)
    return _CLIENTS[config.dialect](target, config.api_keys, ceilings)


_CLIENTS: Final[Mapping[str, Callable[[Endpoint, Sequence[UpstreamKey], Ceilings], Upstream]]] = {
    "anthropic": AnthropicUpstream,
    "gemini": GeminiUpstream,
}


def settle_memory() -> None:
    """Keep what lives as long as the process out of the collector's way.

    Otherwise every full collection walks some hundred thousand objects that can't be garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Of a request of a megabyte several copies come and go within a millisecond.

    glibc would give each back to the system and fault it in again page by page, which takes longer than to read it.
    """
    with suppress(OSError, AttributeError):  # of another C library, which has no such settings
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, 32 * 1024 * 1024)
        mallopt(_M_MMAP_THRESHOLD, 4 * 1024 * 1024)


def _open_traces(settings: Settings) -> Traces | None:
    """Raises InvalidSetting when a collector is named and the packages to reach it are not installed."""
    if settings.otlp_url is None:
        return None
    try:
        from .telemetry.traces import Traces  # noqa: PLC0415  # only those pay for it who have a collector
    except ImportError:
        raise InvalidSetting(
            "RESELLER_KIT_OTLP_URL is set, and OpenTelemetry is not installed.",
            fix="Run: pip install 'reseller-kit[otlp]'. Or unset it.",
        ) from None
    return Traces(settings.otlp_url, settings.trace_ratio, __version__)


async def _publish(metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(_PUBLISH_SECONDS)
        try:
            await asyncio.to_thread(metrics.publish)
        except OSError as error:
            _log.warning("this worker's figures could not be kept (%s)", error.strerror)


async def _flush(access_log: AccessLog) -> None:
    while True:
        await asyncio.sleep(_FLUSH_SECONDS)
        access_log.flush()
