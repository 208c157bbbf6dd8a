"""Which processor core runs what, and how much processor time a program took. Measures this machine alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """The measured program has one core; load, upstream and database server share another."""

    measured: int
    other: int

    @property
    def apart(self) -> bool:
        """Whether there are two cores to use."""
        return self.measured != self.other


def choose() -> Cores:
    """The first two cores that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[1] if len(allowed) > 1 else allowed[0])


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started meanwhile runs on this core, with all its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, and of its living descendants (/proc/PID/stat)."""
    return sum(_ticks(each) for each in (pid, *_descendants(pid))) / _TICKS_PER_SECOND


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # the process ended meanwhile
        return found
    for task in tasks:
        try:
            children = (task / "children").read_text().split()
        except OSError:  # the thread ended meanwhile
            continue
        for child in map(int, children):
            found += [child, *_descendants(child)]
    return found


def _ticks(pid: int) -> int:
    try:
        # The program's name in parentheses may hold blanks: count from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
