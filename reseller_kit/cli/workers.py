"""Keeps a number of worker processes running until their parent is told to end. Knows nothing of what they do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_SHORT_LIFE_SECONDS: Final = 1.0


def supervise(workers: int, work: Callable[[], None], on_stop: Callable[[], object]) -> None:
    """Run `work` in this many processes, each replaced when it dies, until SIGTERM or SIGINT, which they get too.

    `on_stop` is called before they get the first of these, here alone. A worker that dies at once is replaced a second
    later, so that a lasting fault does not become a busy loop.
    """
    started_at: dict[int, float] = {}
    stopping = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        first, stopping = not stopping, True
        if first:
            on_stop()
        for worker in started_at:
            with suppress(ProcessLookupError):
                os.kill(worker, number)

    def start() -> None:
        # A signal in between would miss the new process, or reach it with the parent's handler.
        with _held_back():
            if not stopping:
                started_at[_spawn(work)] = time.monotonic()

    for number in _SIGNALS:
        signal.signal(number, stop)
    for _ in range(workers):
        start()
    while started_at:
        worker, _status = os.wait()
        if time.monotonic() - started_at.pop(worker) < _SHORT_LIFE_SECONDS and not stopping:
            time.sleep(_SHORT_LIFE_SECONDS)
        start()


def _spawn(work: Callable[[], None]) -> int:
    worker = os.fork()
    if worker:
        return worker
    status = 1
    try:
        # Out of the terminal's group: Ctrl-C reaches a worker once, through its parent.
        os.setpgid(0, 0)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        work()
        status = 0
    finally:
        os._exit(status)


@contextmanager
def _held_back() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
