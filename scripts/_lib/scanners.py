"""Installs what reads our code and asks our server like a stranger (bandit, semgrep, schemathesis) into `.scanners`.

They have an environment of their own, locked with hashes in requirements/scanners.lock, because semgrep wants other
versions than the product. Nothing is fetched when they run: semgrep's rules are ours, in scripts/_lib/semgrep.yml.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from typing import Final

from scripts._lib.bootstrap import ROOT, SetupFailed, lock_path

FOLDER: Final = ROOT / ".scanners"
BIN: Final = FOLDER / "bin"
RULES: Final = ROOT / "scripts" / "_lib" / "semgrep.yml"
READ: Final = ("reseller_kit", "scripts", "themes")
_STAMP: Final = FOLDER / ".installed"


def ensure() -> None:
    """Install the scanners unless they are there: 350 MB on disk. Raises SetupFailed."""
    if _installed():
        return
    with (ROOT / ".scanners.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if _installed():
            return
        print("… installing the scanners; the first time this takes a minute", file=sys.stderr, flush=True)
        shutil.rmtree(FOLDER, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(FOLDER)])
        pip = [str(BIN / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
        _run([*pip, "install", "--require-hashes", "--requirement", str(lock_path("scanners"))])
        _STAMP.write_text(_stamp(), encoding="ascii")


def bandit() -> tuple[str, ...]:
    """The command that looks for known weaknesses; what it leaves out is in pyproject.toml, each with its reason."""
    return (str(BIN / "bandit"), "-q", "-c", "pyproject.toml", "-r", "reseller_kit", "scripts")


def semgrep(*paths: str, form: str = "--text") -> tuple[str, ...]:
    """The command that looks for what our own rules refuse. Asks nobody: neither for rules nor for news."""
    quiet = ("--metrics=off", "--disable-version-check", "--quiet", "--no-git-ignore", "--jobs=1")
    command = (str(BIN / "semgrep"), "scan", "--config", str(RULES), "--error", form)
    return (*command, *quiet, *(paths or READ))


def environment() -> dict[str, str]:
    """Ours, with the programs of `.scanners` first: semgrep looks for its own core there."""
    return {
        **os.environ,
        "PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}",
        "SEMGREP_SEND_METRICS": "off",
        "SEMGREP_ENABLE_VERSION_CHECK": "0",
    }


def main() -> int:
    """Run the scanner that the first argument names; its exit code."""
    ensure()
    commands = {"bandit": bandit, "semgrep": semgrep}
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.run(commands[sys.argv[1]](), cwd=ROOT, env=environment(), check=False).returncode
    return 1


def _installed() -> bool:
    return _STAMP.is_file() and _STAMP.read_text(encoding="ascii") == _stamp()


def _stamp() -> str:
    return hashlib.sha256(str(FOLDER).encode() + lock_path("scanners").read_bytes()).hexdigest()


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, "PIP_USER": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SetupFailed(f"{' '.join(command[:4])} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupFailed as error:
        sys.exit(f"scanners: {error}")
