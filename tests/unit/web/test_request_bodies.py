"""A body has a size and a time: a slow line is served, a drip is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from reseller_kit.core.errors import RequestTimeout
from reseller_kit.web.gateway import body as body_module
from reseller_kit.web.gateway.body import ClientGone, read_body


def pieces(*parts: bytes, pause: float, then: str = "end") -> Callable[[], Awaitable[dict[str, Any]]]:
    """A client that sends these parts with pauses, then ends, stays silent or leaves."""
    left = list(parts)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or then != "end"}
        if then == "leave":
            return {"type": "http.disconnect"}
        await asyncio.sleep(60)
        raise AssertionError("waited for too long")

    return receive


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(body_module, "WHOLE_SECONDS", 0.3)


async def test_a_drip_is_ended_in_the_middle() -> None:
    with pytest.raises(RequestTimeout):
        await read_body(pieces(*[b"x"] * 100, pause=0.05), [], {})


async def test_silence_is_ended() -> None:
    with pytest.raises(RequestTimeout):
        await read_body(pieces(b"x", pause=0.0, then="silence"), [], {})


async def test_a_slow_line_that_carries_something_is_served() -> None:
    sent = [b"x" * 4096] * 10  # 0.3 s, and a quarter of a second for each part
    assert await read_body(pieces(*sent, pause=0.06), [], {}) == b"".join(sent)


async def test_who_leaves_in_the_middle_is_gone() -> None:
    with pytest.raises(ClientGone):
        await read_body(pieces(b"x", pause=0.0, then="leave"), [], {})
