"""Credit with a daily allowance: made by a program, said in each dialect, and counted right when the server dies."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

import pytest

from tests.e2e.test_dialects import post
from tests.e2e.test_management_api import Program
from tests.support.crowd import Call, crowd
from tests.support.product import Customer, Shop, eventually
from tests.support.verdict import Books

pytestmark = pytest.mark.usefixtures("one_day")

PACKAGE: Final = "by-the-day"
TERMS: Final = {"title": "By the day", "kind": "package", "price": "20.00", "credits": "20.00"}
ASKED: Final = 100_000
"""Tokens of output: more than a day's cent covers, and less than all the credit does."""
BODIES: Final[dict[str, dict[str, Any]]] = {
    "chat": {"messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": ASKED},
    "responses": {"input": "Hi", "max_output_tokens": ASKED},
    "messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": ASKED},
    "generate_content": {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"maxOutputTokens": ASKED},
    },
}

MARKS: Final = {
    "chat": ("insufficient_quota", "daily_allowance_reached"),
    "responses": ("insufficient_quota", "daily_allowance_reached"),
    "messages": ("billing_error", None),
    "generate_content": (402, "FAILED_PRECONDITION"),
}
"""By what a client tells this refusal from others."""


def by_the_day(shop: Shop, allowance: str) -> Customer:
    """A customer whose only credit has this daily allowance."""
    program = Program(shop)
    made = program.done("PUT", f"/packages/{PACKAGE}", {**TERMS, "daily_allowance": allowance})
    assert made["terms"]["daily_allowance"] == allowance
    customer = shop.customer(credit=None)
    shop.ask("credit", "grant", *customer.owner, "--package", PACKAGE, "--reason", "test")
    program.done("DELETE", f"/packages/{PACKAGE}")
    return customer


def left_today(shop: Shop, customer: Customer) -> str:
    """What is left of the allowance of a customer's one lot."""
    (lot,) = shop.balance(customer)["lots"]
    return str(lot["left_today"])


def test_every_dialect_says_that_the_day_is_used_up_and_when_the_next_begins(shop: Shop) -> None:
    customer = by_the_day(shop, "0.01")
    for api, body in BODIES.items():
        for stream in (False, True):
            answer = post(shop, customer, api, "gpt-5-mini", body, stream=stream)
            assert answer.status_code == 402, (api, answer.text)
            assert answer.headers["content-type"].startswith("application/json"), api
            assert answer.headers["x-should-retry"] == "false"
            error = answer.json()["error"]
            told = re.fullmatch(
                r"Today's allowance of your Solaria credit does not cover the request: it may cost up to \$[0-9.]+,"
                r" \$0\.01 is left for today\. It renews at (\S+)\."
                r" An output limit of \d+ tokens would be covered\. Add credit at (\S+)\.",
                error["message"],
            )
            assert told is not None, error["message"]
            renews = datetime.fromisoformat(told[1])
            assert renews.utcoffset() == timedelta(0)
            assert (renews.hour, renews.minute, renews.second, renews.microsecond) == (0, 0, 0, 0)
            assert timedelta(0) < renews - datetime.now(UTC) <= timedelta(days=1)
            assert marks_of(api, error) == MARKS[api]
            assert shop.journal(answer.headers["x-request-id"]) == []
    assert left_today(shop, customer) == "0.01"
    # Other credit pays for what the allowance does not.
    shop.grant("solaria", customer.email, "5.00")
    assert post(shop, customer, "messages", "gpt-5-mini", BODIES["messages"]).status_code == 200
    shop.assert_books_are_right()


def marks_of(api: str, error: dict[str, Any]) -> tuple[Any, Any]:
    if api == "generate_content":
        return error["code"], error["status"]
    return error["type"], error.get("code")


def test_a_limit_that_nobody_named_is_lowered_to_what_is_left_of_the_day(shop: Shop) -> None:
    customer = by_the_day(shop, "0.01")
    answer = shop.call(customer, "Hi [[output=100000]]")
    assert answer.status_code == 200
    assert int(answer.headers["x-output-limit"]) == answer.json()["usage"]["completion_tokens"]
    spent = Fraction(shop.record(customer, answer.headers["x-request-id"])["retail"])
    assert Fraction(left_today(shop, customer)) == Fraction("0.01") - spent
    assert shop.call(customer, max_tokens=1000).status_code == 402


@pytest.mark.parametrize(
    "text", ["[[delay=60]]", "[[input=500 cached=0 output=600 pace=0.1]]"], ids=["plain", "stream"]
)
def test_what_a_killed_server_held_is_back_in_the_day_but_for_what_was_charged(shop: Shop, text: str) -> None:
    customer = by_the_day(shop, "1.00")
    stream = "pace" in text
    with crowd() as callers, shop.beside() as victim:

        def held() -> Call | None:
            """A call that its server holds credit for; on a busy machine a new server may refuse the first ones."""
            begun = callers.call(victim.server.port, customer, text, stream=stream)
            eventually(lambda: Books(shop).open_holds([customer]) == 1 or begun.over, "a hold or a refusal")
            return None if begun.over else begun

        call = eventually(held, "a call that is held", seconds=60)
        if stream:
            callers.wait_for_tokens([call], 20)
        assert Fraction(left_today(shop, customer)) < 1
        victim.server.child.process.kill()
        callers.wait([call], 20)
    eventually(lambda: Books(shop).open_holds([customer]) == 0, "the end of the hold", seconds=60)
    spent = sum(Fraction(record["retail"]) for record in shop.records(customer))
    assert (spent > 0) is stream
    assert Fraction(left_today(shop, customer)) == 1 - spent
    shop.assert_books_are_right()
