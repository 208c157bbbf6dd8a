"""Clients that leave a plain call or never finish their request: both are waited for, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import pytest

from tests.support import raw_http
from tests.support.crowd import Crowd
from tests.support.product import Customer, Shop, chat_request, eventually
from tests.support.verdict import Books, judge

Serve = Callable[[int], AbstractContextManager[Shop]]

DRIP_SECONDS = 1.0
MOST_SECONDS = 75.0
"""The body's minute, and a loaded machine."""


def drip(port: int, request: bytes) -> tuple[bytes, float]:
    """Send the head, then a byte a second, until the server answers or hangs up; its answer and the seconds."""
    head, _, body = request.partition(b"\r\n\r\n")
    began_at = time.monotonic()
    with raw_http.connection(port) as opened:
        opened.sendall(head + b"\r\n\r\n")
        opened.settimeout(DRIP_SECONDS)
        for position in range(len(body) - 1):
            with suppress(BrokenPipeError, ConnectionResetError):
                opened.sendall(body[position : position + 1])
            try:
                received = opened.recv(65536)
            except TimeoutError:
                continue
            opened.settimeout(raw_http.WAIT_SECONDS)
            return received + raw_http.read_all(opened), time.monotonic() - began_at
    raise AssertionError("the server waited for the whole drip")


@pytest.mark.slow
def test_a_request_that_drips_is_ended_without_a_hold(houses: Callable[[str], Serve], callers: Crowd) -> None:
    with houses("sqlite")(1) as shop:
        customer = shop.customer()
        request = chat_request(customer, "the quick brown fox " * 40)
        received, seconds = drip(shop.server.port, request)
        reply = raw_http.parse(received)
        assert reply is not None
        assert reply.status == 408
        assert b'"code":"request_timeout"' in reply.body
        assert seconds < MOST_SECONDS
        assert Books(shop).value(f"SELECT count(*) AS n FROM hold WHERE customer_id = '{customer.id}'") == 0
        assert_it_still_serves(shop, callers, customer)


@pytest.mark.slow
def test_who_leaves_a_plain_call_is_read_on_for_a_minute(houses: Callable[[str], Serve], callers: Crowd) -> None:
    """One answer comes within the minute and is paid for; the other would never end: what was asked is paid for."""
    with houses("sqlite")(1) as shop:
        customers = [shop.customer() for _ in range(2)]
        text = "[[input=500 cached=0 output=40 drip={}]]"
        soon = callers.call(shop.server.port, customers[0], text.format("0.5"), stream=False)
        never = callers.call(shop.server.port, customers[1], text.format("8"), stream=False)
        eventually(lambda: Books(shop).open_holds(customers) == 2, "two holds")
        time.sleep(2)
        left_at = time.time()
        for call in (soon, never):
            callers.leave(call)
        Books(shop).wait_until_resolved(customers[:1], left_at, 45)
        assert Books(shop).open_holds(customers) == 1
        assert Books(shop).wait_until_resolved(customers, left_at, 75) > 55
        records = judge(shop, [soon, never])
        assert sorted(record["status"] for record in records.values()) == ["cut", "ok"]
        (cut,) = [record for record in records.values() if record["status"] == "cut"]
        assert cut["retail_nano"] > 0


def assert_it_still_serves(shop: Shop, callers: Crowd, customer: Customer) -> None:
    call = callers.call(shop.server.port, customer, "[[input=50 output=9]]", stream=False)
    callers.wait([call], 20)
    judge(shop, [call])
    assert call.finished
