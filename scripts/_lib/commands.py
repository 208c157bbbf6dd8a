"""Runs commands of the product in this process, which loads it once: a process for each takes a second to begin.

A command has a thread of its own, so that it may begin an event loop whatever the caller is in.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_ALONE: Final = threading.Lock()
"""What is printed is the process's: two commands at a time would print into one another."""


def run_here(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `reseller-kit` with these arguments."""
    from reseller_kit.cli.root import run  # noqa: PLC0415  # programs read this before the product is installed

    out, err = io.StringIO(), io.StringIO()
    with _ALONE, ThreadPoolExecutor(1) as pool, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = pool.submit(run, arguments, environment).result()
    return code, out.getvalue(), err.getvalue()
