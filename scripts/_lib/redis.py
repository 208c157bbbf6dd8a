"""A throw-away Redis or Valkey server for tests and measurements, from the machine's own package. Never a service."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from scripts._lib.ports import free_port
from scripts._lib.processes import Child, running

PROGRAMS: Final = ("valkey-server", "redis-server")
DEBIAN_PACKAGE: Final = "redis-server"


class RedisUnavailable(RuntimeError):
    """Neither server is installed."""


class RedisServer:
    """A server on a loopback port of its own, which a test may stop, hold still and start again. It keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._child: Child | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, and wait until it answers. Raises RedisUnavailable."""
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise RedisUnavailable(f"none of {', '.join(PROGRAMS)} is installed")
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        child = running(
            "the Redis server",
            [*command, "--dir", str(self._folder)],
            log=self._folder / "redis.log",
            answers_on=[("127.0.0.1", self.port)],
        )
        self._child = self._stack.enter_context(child)

    def stop(self) -> None:
        """End it; what it held is gone."""
        self._stack.close()

    def hold_still(self) -> None:
        """Let it accept connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.process.send_signal(number)


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A started server; stopped at the end, and its folder removed. Raises RedisUnavailable."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.go_on()
            server.stop()
