"""A plain call is read on for a while when its client leaves; one that is told to end says so."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Awaitable, Callable, MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest

from reseller_kit.core.errors import ServiceUnavailable
from reseller_kit.telemetry.access import Note
from reseller_kit.web.cycle import Cycle
from reseller_kit.web.gateway.body import ClientGone
from reseller_kit.web.gateway.plain import PlainCall
from reseller_kit.web.gateway.stream import StreamSink

Receive = Callable[[], Awaitable[dict[str, Any]]]


def client(leaves: asyncio.Event) -> Receive:
    async def receive() -> dict[str, Any]:
        await leaves.wait()
        return {"type": "http.disconnect"}

    return receive


async def answer(
    receive: Receive,
    made: list[PlainCall],
    note: Note,
    *,
    hold: asyncio.Event | None = None,
    work: float = 30.0,
    paid: bool = False,
    abandoned_seconds: float = 60.0,
) -> str:
    """As the gateway runs a plain call."""
    with PlainCall(receive, note, set(), abandoned_seconds=abandoned_seconds) as call:
        made.append(call)
        if hold is not None:
            await hold.wait()
        call.held()
        if paid:
            call.answered()
        await asyncio.sleep(work)
    return "answered"


async def begun(leaves: asyncio.Event, **options: Any) -> tuple[asyncio.Task[str], PlainCall]:
    made: list[PlainCall] = []
    options.setdefault("note", Note())
    task = asyncio.create_task(answer(client(leaves), made, **options))
    await asyncio.sleep(0)
    return task, made[0]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_call_whose_client_left_long_ago_is_ended() -> None:
    leaves, note = asyncio.Event(), Note()
    task, call = await begun(leaves, note=note)
    now = time.monotonic()
    call.look(now + 0.3)
    leaves.set()
    await settled()
    assert note.left, "nothing is tried again for it, and its settle knows why"
    call.look(now + 59)
    await settled()
    assert not task.done(), "its answer may still come, and is paid for"
    call.look(now + 62)
    with pytest.raises(ClientGone):
        await task


async def test_an_answer_that_comes_soon_after_its_client_left_is_paid_for() -> None:
    leaves = asyncio.Event()
    task, call = await begun(leaves, work=0.05)
    call.look(time.monotonic() + 0.3)
    leaves.set()
    await settled()
    call.look(time.monotonic() + 30)
    assert await task == "answered"


async def test_a_call_whose_client_left_before_it_was_held_asks_nobody() -> None:
    leaves, hold = asyncio.Event(), asyncio.Event()
    task, call = await begun(leaves, hold=hold)
    call.look(time.monotonic() + 0.3)
    leaves.set()
    await settled()
    assert not task.done(), "its hold is on its way, and has to be settled"
    hold.set()
    with pytest.raises(ClientGone):
        await task


async def test_a_client_that_waits_is_waited_for() -> None:
    task, call = await begun(asyncio.Event(), work=0.05)
    now = time.monotonic()
    for seconds in (2, 100, 1000):
        call.look(now + seconds)
        await settled()
    assert await task == "answered"


async def test_a_call_that_is_told_to_end_tells_its_client() -> None:
    task, call = await begun(asyncio.Event())
    call.end()
    call.end()
    with pytest.raises(ServiceUnavailable):
        await task


async def test_a_lost_lease_ends_what_was_held_and_nothing_else() -> None:
    hold = asyncio.Event()
    task, call = await begun(asyncio.Event(), hold=hold, work=0.05)
    call.lose()
    hold.set()
    assert await task == "answered"
    task, call = await begun(asyncio.Event())
    call.lose()
    with pytest.raises(ServiceUnavailable):
        await task


async def test_an_answer_that_is_being_paid_for_is_given() -> None:
    task, call = await begun(asyncio.Event(), work=0.05, paid=True)
    call.end()
    assert await task == "answered"


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    task, _ = await begun(asyncio.Event())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def watching_plainly(receive: Receive) -> PlainCall:
    call = PlainCall(receive, Note(), set())
    call.look(time.monotonic() + 1)
    return call


def watching_a_stream(receive: Receive) -> StreamSink:
    async def send(_message: MutableMapping[str, Any]) -> None: ...

    return StreamSink(receive, send, lambda _job: [])


CYCLES: list[Cycle] = []
"""Kept, as a connection keeps the latest one."""


def heard_of_by_the_server(receive: Receive) -> StreamSink:
    async def send(_message: MutableMapping[str, Any]) -> None: ...

    line: Any = SimpleNamespace(resume_reading=lambda: None)
    cycle = Cycle(line, {"http_version": "1.1", "method": "GET"}, keep_alive=True, expects=False)
    CYCLES.append(cycle)
    return StreamSink(receive, send, lambda _job: [], cycle)


@pytest.mark.parametrize("watching", [watching_plainly, watching_a_stream, heard_of_by_the_server])
async def test_a_call_whose_client_was_watched_is_let_go_without_the_collector(
    watching: Callable[[Receive], PlainCall | StreamSink],
) -> None:
    call = watching(client(asyncio.Event()))
    await asyncio.sleep(0)
    left = weakref.ref(call)
    gc.disable()
    try:
        call.close()
        del call
        for _ in range(3):
            await asyncio.sleep(0)
        assert left() is None
    finally:
        gc.enable()
