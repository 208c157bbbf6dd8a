"""A call waits for its settle for five seconds; the settle itself goes on."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from reseller_kit.flows import runtime
from reseller_kit.flows.runtime import Runtime


async def test_calls_that_waited_for_five_seconds_wait_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_LOOK_SECONDS", 0)
    loop, now = asyncio.get_running_loop(), time.monotonic()
    over, done, late, young = (loop.create_future() for _ in range(4))
    done.set_result(None)
    settling = {over: now - 60, done: now - 30, late: now - 5, young: now + 60}
    looking: Any = SimpleNamespace(answering=set(), settling=settling)
    task = loop.create_task(Runtime.look_after_calls(looking))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert [future.done() for future in settling] == [True, True, True, False]
