"""Money and limits: which calls are not made, what they are told, and that they cost nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import httpx
import openai
import pytest

from tests.support.product import Customer, Shop, eventually

# Solaria's published prices of gpt-5-mini, in pico-USD a token: 0.25 and 2.00 + 10 %, + 40 %.
INPUT, OUTPUT = 385_000, 3_080_000
WHOLESALE_INPUT, WHOLESALE_OUTPUT = 275_000, 2_200_000


def assert_free(shop: Shop, customer: Customer, answer: httpx.Response, balance: str) -> None:
    """Nothing was asked upstream, nothing was recorded, nothing is held, nothing is gone."""
    assert shop.journal(answer.headers["x-request-id"]) == []
    assert answer.headers["x-request-id"] not in {record["id"] for record in shop.records(customer)}
    found = shop.balance(customer)
    assert (found["balance"], found["held"]) == (balance, "0.00")


def covered(credit: str, request_bytes: int) -> int:
    """The most output tokens that a credit covers beside an input of at most so many tokens."""
    return (int(Fraction(credit) * 10**12) - request_bytes * INPUT) // OUTPUT


def shop_page(shop: Shop, path: str) -> str:
    """A page of Solaria's, at its primary host."""
    return f"http://solaria.localhost:{shop.server.port}{path}"


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    return error


def test_without_credit_there_is_no_call(shop: Shop) -> None:
    customer = shop.customer(credit=None)
    answer = shop.call(customer, max_tokens=100)
    assert answer.status_code == 402
    assert (error_of(answer)["code"], error_of(answer)["type"]) == ("insufficient_quota", "insufficient_quota")
    assert answer.headers["x-should-retry"] == "false"
    assert "Solaria" in error_of(answer)["message"]
    assert error_of(answer)["message"].endswith(f"Add credit at {shop_page(shop, '/account/billing')}.")
    assert_free(shop, customer, answer, "0.00")


def test_a_named_limit_that_is_not_covered_is_told_what_would_be(shop: Shop) -> None:
    customer = shop.customer(credit="0.01")
    answer = shop.call(customer, max_tokens=10_000)
    size = len(answer.request.content)
    message = error_of(answer)["message"]
    assert answer.status_code == 402
    needed = -(-(size * INPUT + 10_000 * OUTPUT) // 1000)
    assert f"up to ${needed // 10**9}.{needed % 10**9:09d}".rstrip("0") in message
    assert "$0.01 is available" in message
    limit = covered("0.01", size)
    assert f"limit of {limit} tokens" in message
    assert_free(shop, customer, answer, "0.01")
    # Its body is as long as the refused one, which named 10000.
    accepted = shop.call(customer, max_tokens=limit, user="")
    assert accepted.status_code in {200, 402}
    assert shop.call(customer, max_tokens=limit - 100).status_code == 200


def test_a_limit_that_nobody_named_is_lowered_to_what_is_payable(shop: Shop) -> None:
    customer = shop.customer(credit="0.01")
    answer = shop.call(customer, "Hi [[output=5000]]")
    limit = covered("0.01", len(answer.request.content))
    assert answer.status_code == 200
    assert answer.headers["x-output-limit"] == str(limit)
    (line,) = shop.journal(answer.headers["x-request-id"])
    assert line["max_tokens"] == limit
    assert answer.json()["usage"]["completion_tokens"] == limit
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    record = shop.record(customer, answer.headers["x-request-id"])
    assert 0 < Fraction(record["retail"]) <= Fraction("0.01")
    shop.assert_books_are_right()


def test_a_lowered_stream_says_so_too(any_shop: Shop) -> None:
    customer = any_shop.customer(credit="0.01")
    answer = any_shop.call(customer, stream=True)
    limit = covered("0.01", len(answer.request.content))
    assert answer.headers["x-output-limit"] == str(limit)
    assert any_shop.journal(answer.headers["x-request-id"])[0]["max_tokens"] == limit


def test_what_is_covered_is_sent_on_as_it_came(any_shop: Shop) -> None:
    customer = any_shop.customer()
    plain, named = any_shop.call(customer), any_shop.call(customer, max_tokens=77)
    assert "x-output-limit" not in plain.headers
    assert "x-output-limit" not in named.headers
    assert any_shop.journal(plain.headers["x-request-id"])[0]["max_tokens"] is None
    assert any_shop.journal(named.headers["x-request-id"])[0]["max_tokens"] == 77


def test_a_limit_beyond_the_models_own_is_brought_down_to_it(any_shop: Shop) -> None:
    customer = any_shop.customer()
    answer = any_shop.call(customer, model="gpt-5", max_tokens=1_000_000, max_completion_tokens=900_000)
    assert answer.status_code == 200
    assert any_shop.journal(answer.headers["x-request-id"])[0]["max_tokens"] == 1000


def test_less_than_256_tokens_is_not_worth_a_call(any_shop: Shop) -> None:
    customer = any_shop.customer(credit="0.0008")
    answer = any_shop.call(customer)
    limit = covered("0.0008", len(answer.request.content))
    assert 200 < limit < 256
    assert answer.status_code == 402
    assert f"limit of {limit} tokens" in error_of(answer)["message"]
    assert_free(any_shop, customer, answer, "0.0008")
    assert any_shop.call(customer, max_tokens=100).status_code == 200


def test_a_storefront_may_shorten_named_limits_too(any_shop: Shop) -> None:
    customer = any_shop.customer("trimmer", credit="0.01")
    answer = any_shop.call(customer, max_tokens=100_000)
    assert answer.status_code == 200
    limit = int(answer.headers["x-output-limit"])
    assert 256 <= limit < 100_000
    assert any_shop.journal(answer.headers["x-request-id"])[0]["max_tokens"] == limit


def test_codex_is_told_429(any_shop: Shop) -> None:
    customer = any_shop.customer(credit=None)
    for agent in ("codex_cli_rs/0.40", "Codex/1"):
        answer = any_shop.call(customer, headers={"user-agent": agent})
        assert answer.status_code == 429
        assert error_of(answer)["code"] == "insufficient_quota"
        assert answer.headers["x-should-retry"] == "false"
        assert "retry-after" not in answer.headers


def test_the_sdk_does_not_repeat_what_has_no_credit(any_shop: Shop) -> None:
    customer = any_shop.customer(credit=None)
    client = any_shop.sdk(customer, max_retries=3)
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": "Hi"}])
    assert refused.value.status_code == 402
    assert refused.value.response.request.headers["x-stainless-retry-count"] == "0"


def test_a_keys_own_limit_holds_whatever_the_credit(shop: Shop) -> None:
    customer = shop.customer(limit="0.002")
    answer = shop.call(customer, max_tokens=1000)
    assert answer.status_code == 402
    assert "this key" in error_of(answer)["message"]
    assert error_of(answer)["message"].endswith(f"Raise its limit at {shop_page(shop, '/account/keys')}.")
    assert_free(shop, customer, answer, "5.00")
    assert shop.call(customer, "Hi [[output=500]]", max_tokens=500).status_code == 200
    # 500 tokens of output were 0.00154 USD: what is left of 0.002 covers no 256 more.
    assert shop.call(customer).status_code == 402
    other = shop.with_key(customer.slug, customer.email, customer.id)
    assert shop.call(other).status_code == 200
    shop.assert_books_are_right()


def test_credit_that_has_expired_is_no_credit(shop: Shop) -> None:
    customer = shop.customer(credit=None)
    terms = ("--amount", "3.00", "--reason", "test")

    def granted() -> bool:
        """A busy machine may need several tries to do it in time."""
        soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        return shop.try_("credit", "grant", *customer.owner, *terms, "--expires", soon)[0] == 0

    eventually(granted, "the credit")
    eventually(lambda: shop.call(customer, max_tokens=10).status_code == 402, "the expiry")
    assert shop.balance(customer)["available"] == "0.00"


def test_a_reseller_without_balance_is_no_business_of_its_customers(shop: Shop) -> None:
    customer = shop.customer("pauper")
    answer = shop.call(customer)
    assert answer.status_code == 503
    error = error_of(answer)
    assert (error["code"], error["type"]) == ("service_unavailable", "api_error")
    assert answer.headers["x-should-retry"] == "false"
    for word in ("wholesale", "balance", "credit", "$", "reseller", "deposit"):
        assert word not in error["message"].lower()
    assert_free(shop, customer, answer, "5.00")
    assert_short_wholesale_lowers_the_limit(shop, customer)


def assert_short_wholesale_lowers_the_limit(shop: Shop, customer: Customer) -> None:
    shop.ask("wholesale", "deposit", "--tenant", "pauper", "--amount", "0.01", "--reason", "test")
    answer = shop.call(customer)
    size = len(answer.request.content)
    assert answer.headers["x-output-limit"] == str((10**10 - size * WHOLESALE_INPUT) // WHOLESALE_OUTPUT)
    named = shop.call(customer, max_tokens=10_000)
    assert named.status_code == 503
    rest = Fraction(shop.ask("wholesale", "balance", "--tenant", "pauper")["available"])
    shop.ask("wholesale", "deposit", "--tenant", "pauper", "--amount", "1.00", "--reason", "test")
    assert shop.call(customer, "Hi [[output=300000]]", max_tokens=128_000).status_code == 200
    spent = Fraction(shop.ask("wholesale", "balance", "--tenant", "pauper")["available"])
    assert 0 < spent < rest + 1


def test_a_keys_rate_is_kept(any_shop: Shop) -> None:
    customer = any_shop.customer(rpm="2")
    statuses = [any_shop.call(customer).status_code for _ in range(2)]
    answer = any_shop.call(customer)
    assert statuses == [200, 200]
    assert answer.status_code == 429
    assert error_of(answer)["code"] == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert answer.headers["x-ratelimit-limit-requests"] == "2"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert answer.headers["x-ratelimit-reset-requests"].endswith("s")
    assert "x-ratelimit-limit-tokens" not in answer.headers
    assert "x-should-retry" not in answer.headers
    assert len(any_shop.records(customer)) == 2


def test_a_storefronts_rate_is_each_customers_own_and_shared_by_its_keys(any_shop: Shop) -> None:
    one, other = any_shop.customer("paced"), any_shop.customer("paced")
    second_key = any_shop.with_key("paced", one.email, one.id)
    statuses = [any_shop.call(asking).status_code for asking in (one, second_key, one, second_key, other)]
    assert statuses == [200, 200, 200, 429, 200]


def test_tokens_per_minute_are_counted_when_they_are_known(any_shop: Shop) -> None:
    customer = any_shop.customer("weighed")
    assert any_shop.call(customer, "[[input=5000 output=20]]").status_code == 200
    answer = any_shop.call(customer)
    assert answer.status_code == 429
    assert 30 <= int(answer.headers["retry-after"]) <= 61
    assert (answer.headers["x-ratelimit-limit-tokens"], answer.headers["x-ratelimit-remaining-tokens"]) == ("1000", "0")
    message = error_of(answer)["message"]
    assert message == "The limit of 1000 tokens per minute for your account is reached."


async def test_calls_under_way_at_once_are_limited(any_shop: Shop) -> None:
    customer = any_shop.customer("narrow")
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi [[delay=4]]"}]}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        url = f"{customer.origin}/v1/chat/completions"
        calls = [client.post(url, json=body, headers=customer.headers) for _ in range(8)]
        answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [429] * 6
    assert any_shop.call(customer).status_code == 200
