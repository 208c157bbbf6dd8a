"""Pieces of a stream leave in the moment that they come, and wait for whatever has to be waited for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reseller_kit.flows.call import generate
from reseller_kit.flows.call.pulse import Pulse
from reseller_kit.flows.runtime import Runtime
from reseller_kit.upstream.response import Response
from reseller_kit.wire import openai_chat
from reseller_kit.wire.openai_chat.stream import StreamTap
from tests.support.routing import make_job, offer, route

CALL = openai_chat.decode(b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}')
DONE = b"data: [DONE]\n\n"


def event(text: str) -> bytes:
    return b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (
        text.encode()
    )


class Client:
    """Where the stream goes; `full` for as long as it takes no more."""

    def __init__(self) -> None:
        self.full = asyncio.Event()
        self.emptied = asyncio.Event()
        self.left = False
        self.written, self.sent = b"", b""

    def ready(self) -> bool:
        return not (self.full.is_set() or self.left)

    def write(self, data: bytes) -> None:
        assert self.ready()
        self.written += data

    async def send(self, data: bytes, **_: Any) -> None:
        if self.full.is_set():
            await self.emptied.wait()
        self.sent += data

    def gone(self) -> bool:
        return self.left


class Relay:
    """A stream that is passed on, and what the test does to it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.times_drained = 0
        self.response = Response(self, self.parts)
        self.response.status = 200
        self.client, self.tap = Client(), StreamTap(model="m", response_id="r", include_usage=False)
        self.confirmed = asyncio.Event()
        self.confirmed.set()
        self.doubtful, self.epoch, self.beats = False, 1, 0
        self.runtime = SimpleNamespace(
            heartbeat=SimpleNamespace(doubtful=lambda: self.doubtful, confirmed=self.confirmed.wait),
            ledger=SimpleNamespace(epoch=1),
        )
        keepalive = SimpleNamespace(sent=lambda: None)
        stream: Any = SimpleNamespace(job=make_job(offer("m", route("up")), stream=True), sink=self.client)
        stream.keepalive = keepalive
        pulse: Any = SimpleNamespace(beat=self._beat)
        runtime = cast("Runtime", self.runtime)
        work = generate._pass_on(runtime, stream, self.response, self.tap, cast("Pulse", pulse))
        self.task = asyncio.ensure_future(work)

    def _beat(self) -> None:
        self.beats += 1

    def come(self, *pieces: bytes) -> None:
        """What a connection does with the pieces of one read."""
        self.parts.extend(pieces)
        self.response.wake()

    def drained(self) -> None:
        self.times_drained += 1

    def give_up(self, response: Response) -> None:
        raise NotImplementedError

    def leave(self, response: Response) -> None:
        raise NotImplementedError


@pytest.fixture
async def relay() -> Any:
    made = Relay()
    await asyncio.sleep(0)
    yield made
    made.task.cancel()
    await asyncio.wait([made.task])


async def outcome(relay: Relay) -> None:
    """What its task came to, which ends in a few turns of the event loop or not at all."""
    for _ in range(9):
        await asyncio.sleep(0)
    assert relay.task.done()
    await relay.task


async def test_a_piece_leaves_before_any_task_is_woken(relay: Relay) -> None:
    for word in ("one", "two"):
        relay.come(event(word))
        assert word.encode() in relay.client.written
    assert not relay.client.sent
    assert relay.beats == 3
    relay.come(DONE)
    await outcome(relay)
    assert relay.tap.done


async def test_pieces_of_one_read_leave_together(relay: Relay) -> None:
    relay.come(event("one"), event("two")[:30])
    relay.come(event("two")[30:])
    assert relay.client.written.count(b"data: ") == 2
    assert (relay.response.buffered, relay.times_drained) == (0, 2)


async def test_a_client_that_is_full_is_waited_for_and_nothing_overtakes(relay: Relay) -> None:
    relay.client.full.set()
    relay.come(event("one"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    relay.come(event("two"))
    assert not relay.client.written
    relay.client.full.clear()
    relay.client.emptied.set()
    for _ in range(4):
        await asyncio.sleep(0)
    relay.come(event("three"))
    assert b"one" in relay.client.sent
    assert b"two" in relay.client.sent
    assert b"three" in relay.client.written


async def test_a_process_that_stood_still_gives_nothing_before_it_knows(relay: Relay) -> None:
    relay.doubtful = True
    relay.confirmed.clear()
    relay.come(event("one"))
    await asyncio.sleep(0)
    assert not relay.client.written + relay.client.sent
    relay.doubtful = False
    relay.confirmed.set()
    for _ in range(4):
        await asyncio.sleep(0)
    assert b"one" in relay.client.sent


async def test_a_lost_lease_ends_the_stream(relay: Relay) -> None:
    relay.runtime.ledger.epoch = 2
    relay.come(event("one"))
    await outcome(relay)
    assert not relay.client.written + relay.client.sent


async def test_a_client_that_left_gets_nothing(relay: Relay) -> None:
    relay.client.left = True
    relay.come(event("one"))
    await outcome(relay)
    assert not relay.client.written


async def test_a_fault_that_nobody_foresaw_is_the_task_s(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise ValueError("unforeseen")

    monkeypatch.setattr(relay.tap, "feed", broken)
    relay.come(event("one"))
    with pytest.raises(ValueError, match="unforeseen"):
        await outcome(relay)


async def test_the_end_wakes_the_task(relay: Relay) -> None:
    relay.come(event("one"))
    relay.parts.append(event("two"))
    relay.response.finish(None)
    await outcome(relay)
    assert b"two" in relay.client.sent
    assert b"two" not in relay.client.written


async def test_what_comes_with_the_end_is_left_for_it(relay: Relay) -> None:
    relay.come(event("one"))
    relay.come(event("two"), DONE)
    await outcome(relay)
    assert b"two" in relay.task.result()
    assert b"two" not in relay.client.written + relay.client.sent


async def test_what_comes_behind_a_cancelled_wait_is_left(relay: Relay) -> None:
    relay.task.cancel()
    relay.come(event("one"))
    with pytest.raises(asyncio.CancelledError):
        await outcome(relay)
    assert relay.parts == [event("one")]
