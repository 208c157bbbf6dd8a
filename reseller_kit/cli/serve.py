"""`reseller-kit serve`: the HTTP server."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

import click
import uvicorn

from ..app import Application
from ..core.errors import InvalidRequest
from ..core.storefront import Snapshot
from ..core.urls import DEFAULT_PORT, public_url
from ..db import schema
from ..db.engine import Database
from ..flows import snapshot as snapshots
from ..flows.unlock import unlock
from ..settings import Settings, load
from ..telemetry import logs
from ..telemetry.workers import Workers
from ..tokens import warm
from ..web.connection import UNSENT_BYTES, Connection, State, close_stalled
from .served import note
from .workers import supervise

_DRAIN_SECONDS: Final = 30
_PATIENCE_SECONDS: Final = 25
_DRAIN_POLL_SECONDS: Final = 0.05
_LATE_SECONDS: Final = 4
_QUIET_SECONDS: Final = 1
_CLOSE_SECONDS: Final = 5
_KEEP_ALIVE_SECONDS: Final = 75
_DEFAULT_HOST: Final = "127.0.0.1"
_MOST_SHOWN: Final = 50
_UNUSABLE: Final = {
    errno.EADDRINUSE: "Choose another --port, or stop what uses it.",
    errno.EACCES: "Choose a --port from 1024 on: lower ones are for root.",
}
_LOOPBACK: Final = re.compile(r"127\.\d+\.\d+\.\d+", re.ASCII)
_BACKLOG: Final = 2048
_STALL_CHECK_TICKS: Final = 20


class _Worker:
    """What a worker process knows of its server."""

    def __init__(self) -> None:
        """Made by the parent, before it has children."""
        self._parent = os.getpid()
        self._over = mmap.mmap(-1, 1)

    def end(self) -> None:
        """Parent: the whole server ends."""
        self._over[0] = 1

    @property
    def is_orphan(self) -> bool:
        """Whether the parent is gone."""
        return os.getppid() != self._parent

    @property
    def leaves_alone(self) -> bool:
        """Whether a worker that was told to end has others beside it that go on, and will be replaced."""
        return not self._over[0] and not self.is_orphan


class _Server(uvicorn.Server):
    """Tells the application at the signal, not at the end, that it is draining. A worker ends with its parent."""

    def __init__(
        self, config: uvicorn.Config, application: Application, worker: _Worker | None, shutdown_delay: float
    ) -> None:
        super().__init__(config)
        self.server_state = self._state = State()
        self._application = application
        self._worker = worker
        self._shutdown_delay = shutdown_delay

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # a signal handler's signature
        """SIGTERM or SIGINT drains, a second SIGINT ends at once. Neither is raised again: a clean end is exit 0."""
        self._state.leaving = True
        if not self._leaves_alone:
            self._application.leave()
            if not self._shutdown_delay:
                self._application.drain()
        self.force_exit = self.force_exit or (self.should_exit and sig == signal.SIGINT)
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if self._worker is not None and self._worker.is_orphan and not self.should_exit:
            self.handle_exit(signal.SIGTERM, None)
        if counter % _STALL_CHECK_TICKS == 0:
            close_stalled(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Go on listening for the delay, so that `/readyz` tells a balancer; finish what came, then close."""
        told = time.monotonic()
        if self._leaves_alone:
            # The others listen on the same sockets: nobody waits there in vain, and no answer here says that all end.
            for server in self.servers:
                server.close()
            await self._wait_while(lambda: self._state.connections and time.monotonic() - told < _LATE_SECONDS)
        # A balancer asks now and then: what it still sends meanwhile is served like any call.
        await self._wait_while(lambda: not self._leaves_alone and self._is_sent_calls(told))
        if self._shutdown_delay:
            await self._stop_listening(sockets or [])
            quiet = time.monotonic() + _QUIET_SECONDS
            # What reached a connection by then is served.
            await self._wait_while(lambda: time.monotonic() < quiet)
        self._application.drain()
        began = time.monotonic()
        await self._wait_while(lambda: self._application.busy and time.monotonic() < began + _PATIENCE_SECONDS)
        # What is left is told to end and settles; its clients read an error, not a torn connection.
        self._application.end_calls()
        await self._wait_while(lambda: self._application.busy and time.monotonic() < began + _DRAIN_SECONDS)
        await self._stop_listening(sockets or [])
        await super().shutdown(sockets)

    @property
    def _leaves_alone(self) -> bool:
        return self._worker is not None and self._worker.leaves_alone

    async def _stop_listening(self, sockets: Sequence[socket.socket]) -> None:
        """A balancer that is late still finds nobody to connect to and asks another process: no call is refused.

        Since the signal no answer leaves its connection open for more. What workers share is closed with the last of
        them: their parent has closed its own at the signal. Whom the kernel has connected by then is taken, for it
        would be reset.
        """
        waiting: list[socket.socket] = []
        for server, listening in zip(self.servers, sockets, strict=True):
            waiting += _accept_all(listening)
            server.close()
        loop = asyncio.get_running_loop()
        for client in waiting:
            await loop.connect_accepted_socket(self._connection, client)

    def _connection(self) -> asyncio.Protocol:
        return Connection(self.config, self.server_state, self.lifespan.state)

    async def _wait_while(self, holds: Callable[[], object]) -> None:
        # Polled: what it looks at changes with every call, and an event there would cost each of them.
        while not self.force_exit and holds():  # noqa: ASYNC110  # above
            await asyncio.sleep(_DRAIN_POLL_SECONDS)

    def _is_sent_calls(self, told: float) -> bool:
        """Whether a balancer may not know yet that this process leaves: the delay, and a little more where calls come.

        On a busy machine its looks at `/readyz` are late.
        """
        late = time.monotonic() - told - self._shutdown_delay
        if late < 0 or not self._shutdown_delay:
            return late < 0
        return late < _LATE_SECONDS and self._application.quiet_seconds < _QUIET_SECONDS


@click.command()
@click.option(
    "--host",
    "hosts",
    multiple=True,
    help="May be repeated. Default: 127.0.0.1 and the loopback addresses that storefronts have.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=DEFAULT_PORT, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option(
    "--shutdown-delay",
    type=click.FloatRange(0, 300),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="After SIGTERM, /readyz says 503 for so long before new calls are refused.",
)
def serve(hosts: tuple[str, ...], port: int, workers: int, shutdown_delay: float) -> None:
    """Serve every storefront until SIGTERM, which drains."""
    settings = load(os.environ)
    logs.configure(settings.log)
    sockets = [_listen(host, port) for host in hosts or (_DEFAULT_HOST,)]
    snapshot = asyncio.run(_prepared(settings))
    if not hosts:
        sockets += _listen_for(snapshot, port)
    note(settings.data_dir, port)
    for line in _announcement(snapshot, port):
        click.echo(line)
    if workers == 1:
        _run(settings, port, sockets, shutdown_delay)
    else:
        # Loaded here, the tokenizer's tables are in memory once for all workers.
        warm()
        worker = _Worker()

        def stop() -> None:
            worker.end()
            _close(sockets)

        with tempfile.TemporaryDirectory(prefix="reseller-kit-metrics-") as folder:
            crew = Workers(Path(folder), workers)
            supervise(
                workers,
                lambda: _run(settings, port, sockets, shutdown_delay, worker, crew),
                on_stop=stop,
            )


async def _prepared(settings: Settings) -> Snapshot:
    """Migrate, unlock and read once, so that what is wrong is said before the server starts."""
    db = Database(settings.database_url)
    try:
        await schema.prepare(db)
        return await snapshots.load(db, await unlock(db, *settings.secret_keys), most=0)
    finally:
        await db.close()


def _announcement(snapshot: Snapshot, port: int) -> list[str]:
    if not snapshot.places:
        return ["No storefronts yet. Run: reseller-kit apply", f"Listening on port {port}."]
    lines = ["Storefronts:"]
    ordered = sorted(snapshot.places.items(), key=lambda item: (item[1].slug, item[0]))
    for host, place in ordered[:_MOST_SHOWN]:
        state = "suspended" if place.suspended else place.status
        shown = "" if state == "active" else f"  ({state})"
        lines.append(f"  {place.slug:<16} {public_url(host, snapshot.public_url, port)}{shown}")
    if len(ordered) > _MOST_SHOWN:
        lines.append(f"  and {len(ordered) - _MOST_SHOWN:,} more: reseller-kit tenant list")
    return lines


def _listen_for(snapshot: Snapshot, port: int) -> list[socket.socket]:
    """Sockets on storefronts' own loopback addresses, so that the URLs shown can be opened as they are."""
    sockets = []
    for host in sorted(snapshot.places):
        if host != _DEFAULT_HOST and _LOOPBACK.fullmatch(host):
            try:
                sockets.append(_listen(host, port))
            except InvalidRequest as error:
                click.echo(f"{host} is left out. {error.message}", err=True)
    return sockets


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # The kernel takes megabytes for a client that does not read; connections inherit that it is to take less.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise InvalidRequest(
            f"Cannot listen on {host} port {port}: {error.strerror}.",
            fix=_UNUSABLE.get(error.errno or 0, "Give --host an address of this machine, such as 127.0.0.1."),
        ) from None
    listening.listen(_BACKLOG)
    listening.set_inheritable(True)
    return listening


def _accept_all(listening: socket.socket) -> Iterator[socket.socket]:
    """Whom the kernel has connected already."""
    with suppress(OSError):  # nobody is left, or it is closed
        listening.setblocking(False)
        while True:
            yield listening.accept()[0]


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _run(
    settings: Settings,
    port: int,
    sockets: list[socket.socket],
    shutdown_delay: float,
    worker: _Worker | None = None,
    workers: Workers | None = None,
) -> None:
    application = Application(settings, port=port, workers=workers)
    config = uvicorn.Config(
        application,
        interface="asgi3",
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )
    server = _Server(config, application, worker, shutdown_delay)
    server.run(sockets=sockets)
    if not server.started:
        raise InvalidRequest("The server could not start.", fix="The log lines above say why.")
