"""Clients that leave in the middle: the upstream stops, and what was delivered is paid for."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from typing import Any

import pytest

from tests.support import raw_http
from tests.support import raw_upstream as raw
from tests.support.product import Customer, Shop, amounts_of, api_request, chat_request, eventually


def last_record(shop: Shop, customer: Customer) -> dict[str, Any]:
    """The record of the customer's one call, once it is settled."""
    (record,) = eventually(lambda: shop.records(customer), "the settle")
    return record


def assert_cancelled(shop: Shop, record: dict[str, Any], most_events: int) -> dict[str, Any]:
    """The upstream was left long before it was done; its journal line."""
    (line,) = eventually(lambda: shop.journal(record["id"]), "the end of the upstream's answer")
    assert line["finished"] is False
    assert line["events"] < most_events
    return line


@pytest.mark.parametrize("kind", ["output=300", "show_reasoning reasoning=250 output=300"])
def test_who_leaves_a_stream_pays_for_what_came(shop: Shop, kind: str) -> None:
    customer = shop.customer()
    with raw_http.connection(shop.server.port) as opened:
        opened.sendall(chat_request(customer, f"[[input=500 cached=0 pace=0.05 {kind}]]", stream=True))
        raw_http.read_until(opened, b"brown")
    record = last_record(shop, customer)
    line = assert_cancelled(shop, record, 250)
    assert (record["status"], record["http_status"], record["usage_source"]) == ("cut", 200, "estimated")
    assert 0 < record["output_tokens"] <= line["delivered_tokens"]
    most = shop.expected(record, line["true_usage"])
    assert 0 < Fraction(record["retail"]) < most.retail
    assert Fraction(shop.balance(customer)["balance"]) == Fraction("5.00") - amounts_of(record).retail
    shop.assert_books_are_right()


async def test_a_cancelled_task_of_the_sdk_is_a_client_that_left(any_shop: Shop) -> None:
    customer = any_shop.customer()
    async with any_shop.async_sdk(customer) as client:

        async def read() -> None:
            stream = await client.chat.completions.create(
                model="gpt-5-mini", messages=[{"role": "user", "content": "[[output=300 pace=0.05]]"}], stream=True
            )
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    began.set()

        began = asyncio.Event()
        task = asyncio.create_task(read())
        await began.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    record = last_record(any_shop, customer)
    assert_cancelled(any_shop, record, 250)
    assert record["status"] == "cut"


def test_who_leaves_before_the_upstream_answers_pays_nothing(shop: Shop) -> None:
    customer = shop.customer()
    with raw_http.connection(shop.server.port) as opened:
        opened.sendall(chat_request(customer, "[[delay=60]]", stream=True))
        eventually(lambda: shop.balance(customer)["held"] != "0.00", "the hold")
        time.sleep(0.5)
    record = last_record(shop, customer)
    line = assert_cancelled(shop, record, 1)
    assert line["seconds"] < 40
    assert (record["status"], record["http_status"], record["retail"]) == ("failed", 499, "0.00")
    shop.assert_books_are_right()


def test_who_leaves_before_content_pays_nothing(any_shop: Shop) -> None:
    customer = any_shop.customer()
    any_shop.rawfeed.will([raw.stream_head(), raw.delta(role="assistant"), 60.0])
    with raw_http.connection(any_shop.server.port) as opened:
        opened.sendall(chat_request(customer, "Hi", stream=True, model="two-ways"))
        eventually(lambda: any_shop.rawfeed.requests, "the request upstream")
        time.sleep(0.5)
    record = last_record(any_shop, customer)
    assert (record["status"], record["retail"], record["attempts"]) == ("failed", "0.00", 1)
    eventually(lambda: any_shop.rawfeed.left_alone == 1, "the end of the upstream's answer")
    # A client that is gone is no reason to ask another route.
    assert any_shop.journal(record["id"]) == []


TEXT = "Count the vowels of this. [[input=500 cached=0 output=90 delay=2]]"
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": "gpt-5-mini", "messages": [{"role": "user", "content": TEXT}]}),
    "completions": ("/v1/completions", {"model": "gpt-5-mini", "prompt": TEXT, "max_tokens": 100}),
    "responses": ("/v1/responses", {"model": "gpt-5-mini", "input": TEXT}),
    "messages": (
        "/v1/messages",
        {"model": "gpt-5-mini", "max_tokens": 100, "messages": [{"role": "user", "content": TEXT}]},
    ),
    "gemini": ("/v1beta/models/gpt-5-mini:generateContent", {"contents": [{"parts": [{"text": TEXT}]}]}),
}


@pytest.mark.parametrize("api", PLAIN)
def test_who_leaves_a_plain_call_pays_for_all_of_it(shop: Shop, api: str) -> None:
    customer = shop.customer()
    with raw_http.connection(shop.server.port) as opened:
        opened.sendall(api_request(customer, *PLAIN[api]))
        eventually(lambda: shop.balance(customer)["held"] != "0.00", "the hold")
    record = last_record(shop, customer)
    (line,) = eventually(lambda: shop.journal(record["id"]), "the end of the upstream's answer")
    assert (line["finished"], record["status"], record["usage_source"]) == (True, "ok", "upstream")
    assert amounts_of(record) == shop.expected(record, {"prompt_tokens": 500, "completion_tokens": 90})
    shop.assert_books_are_right()


def test_who_leaves_in_the_middle_of_a_request_made_none(any_shop: Shop) -> None:
    customer = any_shop.customer()
    with raw_http.connection(any_shop.server.port) as opened:
        opened.sendall(chat_request(customer, "Hi")[:-5])
        time.sleep(0.3)
    assert any_shop.call(customer).status_code == 200
    assert len(any_shop.records(customer)) == 1
    assert "Traceback" not in any_shop.log()


def test_a_slow_reader_gets_everything_and_pays_once(any_shop: Shop) -> None:
    customer = any_shop.customer()
    with raw_http.connection(any_shop.server.port) as opened:
        opened.sendall(chat_request(customer, "[[output=30000]]", stream=True, max_tokens=40_000))
        time.sleep(1.5)
        received = raw_http.read_until(opened, b"[DONE]")
    assert received.count(b"chat.completion.chunk") >= 30_000
    record = last_record(any_shop, customer)
    assert (record["status"], record["output_tokens"]) == ("ok", 30_000)
