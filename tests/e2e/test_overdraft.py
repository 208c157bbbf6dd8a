"""Fifty calls at once on money for ten: exactly ten are made, whatever process takes them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import httpx
import pytest

from tests.support.product import Customer, Shop

CALLS, COVERED, OUTPUT_TOKENS = 50, 10, 1000
# Solaria's published prices of gpt-5-mini, in pico-USD a token.
INPUT, OUTPUT = 385_000, 3_080_000


def body_that_costs_its_hold() -> bytes:
    """A request whose charge is all that was held for it: what a call leaves of its hold would admit another one."""
    text = f"[[input=%03d cached=0 output={OUTPUT_TOKENS}]]"
    document = {"model": "gpt-5-mini", "max_tokens": OUTPUT_TOKENS, "messages": [{"role": "user", "content": text}]}
    template = json.dumps(document)
    size = len(template % 0)
    return (template % size).encode()


def price_of(body: bytes) -> str:
    nano = COVERED * -(-(len(body) * INPUT + OUTPUT_TOKENS * OUTPUT) // 1000)
    return f"{nano // 10**9}.{nano % 10**9:09d}"


async def call_all(customer: Customer, ports: Sequence[int], body: bytes) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=CALLS)
    headers = {**customer.headers, "content-type": "application/json"}
    async with httpx.AsyncClient(trust_env=False, timeout=120, limits=limits) as client:
        urls = [f"http://127.0.0.1:{ports[n % len(ports)]}/v1/chat/completions" for n in range(CALLS)]
        return await asyncio.gather(*(client.post(url, content=body, headers=headers) for url in urls))


def assert_ten_were_made(shop: Shop, customer: Customer, answers: Sequence[httpx.Response]) -> None:
    assert Counter(answer.status_code for answer in answers) == {200: COVERED, 402: CALLS - COVERED}
    records = shop.records(customer)
    assert len(records) == COVERED
    made = {answer.headers["x-request-id"] for answer in answers if answer.status_code == 200}
    assert {record["id"] for record in records} == made
    assert sum(len(shop.journal(request_id)) for request_id in made) == COVERED
    shop.assert_books_are_right()


@pytest.mark.parametrize("short", ["credit", "key limit"])
async def test_one_process_admits_what_is_covered(shop: Shop, short: str) -> None:
    body = body_that_costs_its_hold()
    money = price_of(body)
    customer = shop.customer(credit=money) if short == "credit" else shop.customer(limit=money)
    assert_ten_were_made(shop, customer, await call_all(customer, [shop.server.port], body))
    left = Fraction(shop.balance(customer)["balance"])
    assert left == (0 if short == "credit" else Fraction("5.00") - Fraction(money))


async def test_processes_on_one_database_admit_no_more(shop: Shop) -> None:
    body = body_that_costs_its_hold()
    customer = shop.customer(credit=price_of(body))
    with shop.beside(workers=2) as other:
        answers = await call_all(customer, [other.server.port, shop.server.port, other.server.port], body)
    assert_ten_were_made(shop, customer, answers)
    assert shop.balance(customer)["balance"] == "0.00"
