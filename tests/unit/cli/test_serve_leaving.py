"""How long a process that was told to end goes on taking calls: until its balancer knows, which it can't be told."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from reseller_kit.cli.serve import _Server


@pytest.mark.parametrize(
    ("delay", "told_ago", "last_call_ago", "goes_on"),
    [
        (4, 1, 60, True),  # the delay is kept, whether calls come or not
        (4, 5, 0.1, True),  # and some more while they do
        (4, 5, 2, False),
        (4, 8.5, 0.1, False),  # but not for ever
        (0, 0.1, 0, False),  # nobody asked for time
    ],
)
def test_calls_are_taken_until_the_balancer_sends_none(
    delay: float, told_ago: float, last_call_ago: float, *, goes_on: bool
) -> None:
    application: Any = SimpleNamespace(quiet_seconds=last_call_ago)
    server = _Server(uvicorn.Config(application), application, None, delay)
    assert server._is_sent_calls(time.monotonic() - told_ago) is goes_on
