"""Plain calls that were ended before their answer came: who left while an upstream was at work pays for the input."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from reseller_kit.flows.call import settle as settling
from reseller_kit.flows.call.endings import left_ending
from reseller_kit.flows.call.settle import Ending, settle_left
from reseller_kit.telemetry.access import Note
from reseller_kit.wire import openai_chat

CALL = openai_chat.decode(
    json.dumps({"model": "gpt-test", "messages": [{"role": "user", "content": "one two three four"}]}).encode(), ()
)


@pytest.fixture
def endings(monkeypatch: pytest.MonkeyPatch) -> list[Ending]:
    """What calls were settled with."""
    found: list[Ending] = []

    async def settle(_runtime: Any, _job: Any, ending: Ending) -> None:
        found.append(ending)

    monkeypatch.setattr(settling, "settle", settle)
    return found


@pytest.mark.parametrize(
    ("left", "in_flight", "status", "http_status"),
    [(True, True, "cut", 499), (True, False, "failed", 499), (False, True, "failed", 500)],
    ids=["left", "left before an upstream had it", "told to end"],
)
async def test_only_who_leaves_an_upstream_at_work_pays(
    endings: list[Ending], status: str, http_status: int, *, left: bool, in_flight: bool
) -> None:
    job: Any = SimpleNamespace(
        settled=False,
        in_flight=in_flight,
        caller=SimpleNamespace(note=Note(left=left)),
        offered=None,
        served=SimpleNamespace(model="gpt-test"),
    )
    runtime: Any = None
    await settle_left(runtime, job, lambda: left_ending(job, CALL), asyncio.CancelledError())
    (ending,) = endings
    assert (ending.status, ending.http_status) == (status, http_status)
    assert (ending.usage is not None) is (status == "cut")
    if ending.usage is not None:
        assert ending.usage.input_tokens > 0
        assert ending.usage.total_output_tokens == 0
        assert (ending.estimated, ending.delivered_characters) == (True, 0)
