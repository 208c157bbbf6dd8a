"""The load generator against the emulator's made answers: in turns, at a rate, and with slow streams."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from scripts._bench import cores
from scripts._bench.load import Order, Report, measure
from scripts._bench.rounds import LoadFailed, run_load
from scripts._bench.scenarios import ALL_TARGETS, paced
from scripts._bench.targets import Target
from scripts._emulator.load import EVENTS, LoadConnection, chat_answers, load_answers
from scripts._lib.ports import free_port

PLAIN, STREAM = ALL_TARGETS
PAUSE = 0.005


@asynccontextmanager
async def emulator() -> AsyncIterator[int]:
    factory = functools.partial(LoadConnection, chat_answers(44), load_answers(44))
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def send(port: int, body: bytes, end: bytes, **more: object) -> Report:
    order = {"port": port, "key": "sk-load", "path": PLAIN.path, "body": body, "end": end, **more}
    return await measure(Order(**order))  # type: ignore[arg-type]


async def test_calls_in_turns_are_all_answered() -> None:
    async with emulator() as port:
        report = await send(port, PLAIN.body, b"}", calls=50, connections=4)
    assert (report.calls, report.failed, report.gap_p99_ms) == (50, 0, 0.0)


async def test_calls_at_a_rate_begin_when_they_are_due_and_not_before() -> None:
    async with emulator() as port:
        report = await send(port, PLAIN.body, b"}", calls=20, connections=4, rate=200.0)
    assert (report.calls, report.failed) == (20, 0)
    assert report.seconds >= 19 / 200


async def test_a_call_that_finds_all_connections_busy_waits_and_the_wait_counts() -> None:
    scenario = paced(1, seconds=PAUSE)
    async with emulator() as port:
        report = await send(port, scenario.body, scenario.end, calls=3, connections=1, rate=1000.0)
    assert (report.calls, report.failed) == (3, 0)
    assert report.p99_ms >= 3 * (EVENTS - 1) * PAUSE * 1000 - 50


async def test_a_paced_stream_pauses_between_its_events() -> None:
    scenario = paced(2, seconds=PAUSE)
    async with emulator() as port:
        report = await send(port, scenario.body, scenario.end, calls=4, connections=2, spread=0.05, gaps=True)
    assert (report.calls, report.failed) == (4, 0)
    assert report.gap_p50_ms >= PAUSE * 1000 - 1.5
    assert report.p50_ms >= (EVENTS - 1) * (PAUSE * 1000 - 1.5)


async def test_a_wrong_answer_is_a_failed_call_with_its_text() -> None:
    async with emulator() as port:
        report = await send(port, STREAM.body, b"no such end", calls=3, connections=1)
    assert (report.calls, report.failed) == (3, 3)
    assert "the answer ended with" in report.fault


@pytest.mark.parametrize("connections", [1, 3])
async def test_headers_of_a_target_are_sent(connections: int) -> None:
    seen: list[bytes] = []

    class Recorder(LoadConnection):
        def data_received(self, data: bytes) -> None:
            seen.append(data)
            super().data_received(data)

    factory = functools.partial(Recorder, chat_answers(44), load_answers(44))
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        report = await send(port, PLAIN.body, b"}", calls=3, connections=connections, headers={"x-provider": "openai"})
    assert report.failed == 0
    assert all(b"\r\nx-provider: openai\r\n" in data for data in seen)


def test_calls_that_a_peer_fails_are_counted_and_those_of_any_other_target_end_the_run() -> None:
    peer = Target("Go net/http", free_port(), os.getpid(), peer=True)
    sample = run_load(peer, PLAIN, 3, 1, cores.choose())
    assert (sample.report.calls, sample.report.failed) == (0, 3)
    assert "refused" in sample.report.fault
    with pytest.raises(LoadFailed, match="3 of 3 calls failed"):
        run_load(replace(peer, peer=False), PLAIN, 3, 1, cores.choose())
