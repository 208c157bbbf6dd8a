"""Installs the real clients that end-to-end tests use into `.clients`: Node from PyPI, the rest from the npm registry.

Both are locked with hashes: requirements/clients.lock, and package-lock.json beside those tests. The SDKs for Python
are dependencies of the development environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from scripts._lib.bootstrap import ROOT, SetupFailed, lock_path

FOLDER: Final = ROOT / ".clients"
SOURCE: Final = ROOT / "tests" / "e2e" / "clients" / "node"
MODULES: Final = FOLDER / "node_modules"
NODE: Final = FOLDER / "bin" / "node"
PACKAGES: Final = ("package.json", "package-lock.json")
_STAMP: Final = FOLDER / ".installed"


def installed() -> bool:
    """Whether `.clients` holds what the lock files name."""
    return _STAMP.is_file() and _STAMP.read_text(encoding="ascii") == _stamp()


def ensure() -> None:
    """Install the clients unless they are there: 1.2 GB on disk. Raises SetupFailed."""
    if installed():
        return
    print(
        "… installing the clients for end-to-end tests; the first time this takes a minute", file=sys.stderr, flush=True
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(FOLDER)])
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    _run([*pip, "install", "--require-hashes", "--requirement", str(lock_path("clients"))])
    for name in PACKAGES:
        shutil.copy2(SOURCE / name, FOLDER / name)
    # Scripts of packages are not run: the programs lie in the packages as they are.
    _run([str(FOLDER / "bin" / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    _STAMP.write_text(_stamp(), encoding="ascii")


def copy_programs() -> Path:
    """The programs of tests/e2e/clients/node where Node finds the packages; the folder."""
    target = FOLDER / "programs"
    target.mkdir(exist_ok=True)
    for program in SOURCE.glob("*.mjs"):
        copy = target / program.name
        if not copy.is_file() or copy.read_bytes() != program.read_bytes():
            shutil.copy2(program, copy)
    return target


def _stamp() -> str:
    digest = hashlib.sha256(str(FOLDER).encode())
    for path in (lock_path("clients"), *(SOURCE / name for name in PACKAGES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(command: list[str]) -> None:
    """In `.clients`, where npm looks for what to install, with its Node on the path."""
    FOLDER.mkdir(exist_ok=True)
    environment = {**os.environ, "PATH": f"{FOLDER / 'bin'}:{os.environ.get('PATH', os.defpath)}", "PIP_USER": "0"}
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SetupFailed(f"{Path(command[0]).name} {command[1]} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    try:
        ensure()
    except SetupFailed as error:
        sys.exit(f"clients: {error}")
