"""SIGTERM under load: not ready at once, every call ends whole or is told why, all is settled, exit code 0."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.support import raw_http
from tests.support.crowd import Crowd
from tests.support.product import Shop, chat_request, eventually
from tests.support.verdict import Books, judge

Serve = Callable[[int], AbstractContextManager[Shop]]

WITHIN_SECONDS = 30.0
AT_ONCE_SECONDS = 2.0


def readiness(port: int) -> int | None:
    reply = raw_http.exchange(port, b"GET /readyz HTTP/1.1\r\nconnection: close\r\n\r\n")
    return None if reply is None else reply.status


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_it_finishes_what_it_began(serve: Serve, callers: Crowd, workers: int) -> None:
    with serve(workers) as shop:
        port, process = shop.server.port, shop.server.child.process
        customers = [shop.customer() for _ in range(4)]
        short = "[[input=500 cached=0 output=40 pace=0.1]]"
        running = [callers.call(port, customers[n % 4], short) for n in range(20)]
        plain = callers.calls_of(port, customers, "[[input=50 output=20 delay=2]]", stream=False)
        callers.wait_for_tokens(running, 10)
        process.send_signal(signal.SIGTERM)
        told_at = time.time()
        eventually(lambda: readiness(port) == 503, "the answer that it is not ready", AT_ONCE_SECONDS)
        refused = raw_http.exchange(port, chat_request(customers[0], "Hi"))
        assert refused is not None
        assert refused.status == 503
        process.send_signal(signal.SIGTERM)  # a second one changes nothing
        assert process.wait(timeout=WITHIN_SECONDS + 10) == 0
        assert time.time() - told_at < WITHIN_SECONDS
        callers.wait([*running, *plain], 5)
        assert all(call.finished for call in (*running, *plain))
        assert Books(shop).open_holds(customers) == 0
        judge(shop, [*running, *plain])


@pytest.mark.slow
def test_what_takes_too_long_is_told_to_end(serve: Serve, callers: Crowd) -> None:
    with serve(1) as shop:
        port, process = shop.server.port, shop.server.child.process
        customers = [shop.customer() for _ in range(4)]
        long = "[[input=500 cached=0 output=2000 pace=0.1]]"
        running = [callers.call(port, customers[n % 4], long) for n in range(100)]
        silent, plain = (callers.call(port, customers[0], "[[delay=50]]", stream=stream) for stream in (True, False))
        callers.wait_for_tokens(running, 10)
        process.send_signal(signal.SIGTERM)
        told_at = time.time()
        callers.wait([*running, silent, plain], WITHIN_SECONDS)
        assert process.wait(timeout=WITHIN_SECONDS - (time.time() - told_at) + 5) == 0
        assert all(call.failed_in_band for call in running)
        assert silent.failed_in_band, "a ping has begun it meanwhile"
        assert plain.status == 503
        assert Books(shop).open_holds(customers) == 0
        judge(shop, [*running, silent, plain])


@pytest.mark.slow
def test_who_cannot_wait_loses_no_money(serve: Serve, callers: Crowd) -> None:
    """SIGTERM, then Ctrl-C twice: it ends at once, and the next start settles what it left."""
    with serve(1) as shop:
        customers = [shop.customer() for _ in range(2)]
        text = "[[input=500 cached=0 output=600 pace=0.1]]"
        running = [callers.call(shop.server.port, customers[n % 2], text) for n in range(10)]
        callers.wait_for_tokens(running, 25)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            shop.server.child.process.send_signal(number)
            time.sleep(0.2)
        shop.server.child.process.wait(timeout=30)
        ended_at = time.time()
        callers.wait(running, 30)
    with serve(1) as heir:
        Books(heir).wait_until_resolved(customers, time.time(), 10)
        judge(heir, running, stopped_at=ended_at)
