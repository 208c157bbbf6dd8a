"""Starts programs of this repository as children, waits until they answer, and stops exactly those by their pid."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts._lib.bootstrap import ROOT
from scripts._lib.ports import is_listening

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
_LOG_TAIL: Final = 4000


class ChildFailed(RuntimeError):
    """A child ended, or did not answer in time; the text holds the end of its log."""


@dataclass(frozen=True)
class Child:
    """A program that runs, and the file with everything it printed."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]


@contextmanager
def running(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    answers_on: Sequence[tuple[str, int]],
    environment: Mapping[str, str] | None = None,
    ready_seconds: float = READY_SECONDS,
) -> Iterator[Child]:
    """Start `command` and hand it over once it listens on every address; stop it at the end.

    Raises ChildFailed. The child has its own process group: Ctrl-C reaches it only through this program, which can
    then stop things in order.
    """
    with log.open("wb") as sink:
        process = subprocess.Popen(
            bound_to_parent(command),
            cwd=ROOT,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    child = Child(name, process, log)
    try:
        _wait_until_ready(child, answers_on, ready_seconds)
        yield child
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes], *, number: signal.Signals = signal.SIGTERM) -> int:
    """Ask the process to end, insist after STOP_SECONDS; its exit code."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def bound_to_parent(command: Sequence[str | Path]) -> list[str | Path]:
    """The command so that its process gets SIGTERM when this one dies, however that happens (Linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else list(command)


def _wait_until_ready(child: Child, addresses: Sequence[tuple[str, int]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    waiting = list(addresses)
    while waiting:
        if child.process.poll() is not None:
            raise ChildFailed(f"{child.name} ended with {child.process.returncode}:\n{child.tail()}")
        if time.monotonic() > deadline:
            where = ", ".join(f"{host}:{port}" for host, port in waiting)
            raise ChildFailed(f"{child.name} does not answer on {where}:\n{child.tail()}")
        if is_listening(*waiting[0]):
            waiting.pop(0)
        else:
            time.sleep(0.02)
