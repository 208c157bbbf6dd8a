"""Makes `.venv` from a lock file and enters it. Standard library only, and it never touches another environment.

Every program in scripts/ begins here. When the environment is up to date that costs one small file read.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

ROOT: Final = Path(__file__).resolve().parents[2]
VENV: Final = ROOT / ".venv"
PYTHON: Final = VENV / "bin" / "python"
OLDEST: Final = (3, 11)

# Each set holds the one before it, at the same versions (scripts/lock sees to that).
SETS: Final = ("demo", "docs", "dev")


class SetupFailed(RuntimeError):
    """The environment could not be made; the text says why and what to do."""


def enter(needed: str) -> None:
    """Go on inside `.venv` with at least the `needed` set (one of `SETS`) installed.

    Returns at once when this process already runs there; else replaces the process. Ends it with 1 when the
    environment cannot be made.
    """
    try:
        require_python()
        ensure(needed)
    except SetupFailed as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    if not _inside():
        _restart()


def require_python() -> None:
    """Raise SetupFailed when this Python is too old for the product."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise SetupFailed(f"this is Python {found}; 3.11 or newer is needed, for example: python3.11 {sys.argv[0]}")


def ensure(needed: str) -> None:
    """Make or refresh `.venv` so that it holds the `needed` set. Safe to call from several processes at once."""
    if _installed(needed):
        return
    with _alone():
        if _installed(needed):
            return
        if not _usable():
            _create()
        _say(f"installing the locked dependencies ({needed}); the first time this takes a minute")
        _pip("install", "--require-hashes", "--requirement", str(lock_path(needed)))
        _pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        for name in SETS[: SETS.index(needed) + 1]:
            _stamp_path(name).write_text(_stamp(name), encoding="ascii")


def lock_path(name: str) -> Path:
    """The lock file of a set."""
    return ROOT / "requirements" / f"{name}.lock"


def install_debian(*packages: str) -> None:
    """Install Debian packages. Raises SetupFailed, with the command to run, when that is not possible here."""
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise SetupFailed(f"{', '.join(packages)}: missing, and this machine has no apt-get; install it by hand")
    if os.geteuid() != 0:
        raise SetupFailed(f"{', '.join(packages)}: missing; run: sudo {command}")
    _say(f"installing {', '.join(packages)} with apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["apt-get", "update"], [*command.split(), "--yes"]):
        done = subprocess.run(
            arguments, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SetupFailed(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def _inside() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def _restart() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(PYTHON, [str(PYTHON), *sys.argv])


def _installed(name: str) -> bool:
    try:
        return PYTHON.exists() and _stamp_path(name).read_text(encoding="ascii") == _stamp(name)
    except OSError:
        return False


def _stamp_path(name: str) -> Path:
    return VENV / f".installed-{name}"


def _stamp(name: str) -> str:
    """What the environment was made from: the lock, the project's metadata, its place and the Python below it."""
    digest = hashlib.sha256()
    for path in (lock_path(name), ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    digest.update(str(ROOT).encode())
    digest.update(str(PYTHON.resolve()).encode())
    return digest.hexdigest()


def _usable() -> bool:
    """Whether the environment's Python starts, is new enough and finds pip.

    It finds none when the system's Python below moved to another minor version.
    """
    if not PYTHON.exists():
        return False
    probe = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    return subprocess.run([PYTHON, "-I", "-c", probe], capture_output=True, check=False).returncode == 0


def _create() -> None:
    if _inside():
        raise SetupFailed(f"{VENV} is broken and active: run `deactivate`, then try again")
    if importlib.util.find_spec("ensurepip") is None:
        # Debian keeps this part of the standard library in a package of its own.
        install_debian(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    _say(f"making {VENV}")
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SetupFailed(f"python3 -m venv failed:\n{done.stdout}{done.stderr}")


def _pip(*arguments: str) -> None:
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *arguments]
    environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SetupFailed(f"pip {arguments[0]} failed:\n{done.stdout}{done.stderr}")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One process at a time; the others wait and then find the work done."""
    with (ROOT / ".venv.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another run that is making .venv")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)
