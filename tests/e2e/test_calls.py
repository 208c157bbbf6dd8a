"""Chat calls with the official SDK: what the customer sees, what is recorded and what the upstream did are one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from openai.types import CompletionUsage

from tests.support.product import Customer, Shop, amounts_of, priced

EVERY_CLASS = "Read this [[input=900 cached=300 output=50 reasoning=20]]"


def messages(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def stream(shop: Shop, customer: Customer, text: str, model: str = "gpt-5-mini", **body: Any) -> tuple[str, list[Any]]:
    """The request id and the chunks of a streamed call."""
    with shop.sdk(customer).chat.completions.create(
        model=model, messages=messages(text), stream=True, **body
    ) as answer:
        return answer.response.headers["x-request-id"], list(answer)


def assert_accounted(shop: Shop, customer: Customer, request_id: str, seen: CompletionUsage | None) -> dict[str, Any]:
    """One record, one answered request upstream, and charges that follow from the file. Returns the record."""
    record = shop.record(customer, request_id)
    (line,) = shop.journal(request_id)
    usage = line["usage"]
    assert usage == line["true_usage"]
    if seen is not None:
        assert priced(seen.model_dump()) == priced(usage)
        assert seen.total_tokens == usage["total_tokens"]
    counted = priced(usage)
    assert record["input_tokens"] == counted.input
    assert record["cached_input_tokens"] == counted.cached_input
    assert record["output_tokens"] == counted.output
    assert record["reasoning_tokens"] == usage["completion_tokens_details"]["reasoning_tokens"]
    assert (record["status"], record["http_status"]) == ("ok", 200)
    assert record["usage_source"] == "upstream"
    assert record["upstream_model"] == line["model"]
    assert record["stream"] is line["stream"]
    amounts = amounts_of(record)
    assert amounts == shop.expected(record, usage)
    assert amounts.retail > amounts.wholesale > amounts.cost > 0
    return record


@pytest.mark.parametrize("slug", ["solaria", "lunaris"])
def test_a_plain_call_costs_what_its_storefront_publishes(shop: Shop, slug: str) -> None:
    customer = shop.customer(slug)
    answer = shop.sdk(customer).chat.completions.create(model="gpt-5-mini", messages=messages(EVERY_CLASS))
    record = assert_accounted(shop, customer, str(answer._request_id), answer.usage)
    assert answer.model == "gpt-5-mini"
    assert answer.choices[0].message.content
    assert (record["input_tokens"], record["cached_input_tokens"], record["output_tokens"]) == (600, 300, 50)
    assert Fraction(shop.balance(customer)["balance"]) == Fraction("5.00") - Fraction(record["retail"])
    shop.assert_books_are_right()


@pytest.mark.parametrize("slug", ["solaria", "lunaris"])
def test_a_streamed_call_costs_the_same(shop: Shop, slug: str) -> None:
    customer = shop.customer(slug)
    request_id, chunks = stream(shop, customer, EVERY_CLASS, stream_options={"include_usage": True})
    record = assert_accounted(shop, customer, request_id, chunks[-1].usage)
    assert record["first_byte_ms"] is not None
    assert {chunk.model for chunk in chunks} == {"gpt-5-mini"}
    assert [chunk for chunk in chunks[:-1] if chunk.usage] == []
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert len(text.split()) == 30
    shop.assert_books_are_right()


async def test_the_asynchronous_client_works_as_well(shop: Shop) -> None:
    customer = shop.customer("lunaris")
    async with shop.async_sdk(customer) as client:
        answer = await client.chat.completions.create(model="lunaris-pro", messages=messages("Hi"))
        streamed = await client.chat.completions.create(model="lunaris-pro", messages=messages("Hi"), stream=True)
        chunks = [chunk async for chunk in streamed]
    record = assert_accounted(shop, customer, str(answer._request_id), answer.usage)
    assert (record["model"], record["public_model"]) == ("lunaris-pro", "gpt-5")
    assert {chunk.model for chunk in chunks} == {"lunaris-pro"}
    assert len(shop.records(customer)) == 2


def test_who_did_not_ask_for_usage_sees_none_and_is_charged_all_the_same(any_shop: Shop) -> None:
    customer = any_shop.customer()
    request_id, chunks = stream(any_shop, customer, "Hi")
    assert [chunk.usage for chunk in chunks if chunk.usage is not None] == []
    assert all(chunk.choices for chunk in chunks)
    assert_accounted(any_shop, customer, request_id, None)


def test_an_alias_is_priced_like_the_model_behind_it(any_shop: Shop) -> None:
    customer = any_shop.customer()
    client = any_shop.sdk(customer)
    answer = client.chat.completions.create(model="solaria-fast", messages=messages(EVERY_CLASS))
    direct = client.chat.completions.create(model="gpt-5-mini", messages=messages(EVERY_CLASS))
    record = assert_accounted(any_shop, customer, str(answer._request_id), answer.usage)
    assert answer.model == "solaria-fast"
    assert (record["model"], record["public_model"]) == ("solaria-fast", "gpt-5-mini")
    assert record["retail"] == any_shop.record(customer, str(direct._request_id))["retail"]


@pytest.mark.parametrize("tokens", [5000, 5001, 40_000])
def test_a_long_prompt_is_priced_by_its_tier_from_the_first_token(any_shop: Shop, tokens: int) -> None:
    customer = any_shop.customer()
    # Input of all classes decides, and each byte sent could be a token: the hold has to cover the tier.
    text = "x" * tokens + f"[[input={tokens} cached=1000 output=11]]"
    answer = any_shop.sdk(customer).chat.completions.create(
        model="long-reader", messages=messages(text), max_tokens=100
    )
    record = assert_accounted(any_shop, customer, str(answer._request_id), answer.usage)
    dear = tokens > 5000
    assert Fraction(record["cost"]) == Fraction(
        (tokens - 1000) * (6_000_000 if dear else 3_000_000)
        + 1000 * (600_000 if dear else 300_000)
        + 11 * (22_500_000 if dear else 15_000_000),
        10**12,
    )


def test_each_of_several_choices_is_charged(any_shop: Shop) -> None:
    customer = any_shop.customer()
    answer = any_shop.sdk(customer).chat.completions.create(
        model="gpt-5", messages=messages("Hi [[output=40]]"), n=3, max_tokens=50
    )
    record = assert_accounted(any_shop, customer, str(answer._request_id), answer.usage)
    assert len(answer.choices) == 3
    assert record["output_tokens"] == 120
    request_id, chunks = stream(any_shop, customer, "Hi [[output=40]]", "gpt-5", n=2, max_completion_tokens=50)
    assert assert_accounted(any_shop, customer, request_id, None)["output_tokens"] == 80
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}


def test_a_rule_may_set_some_classes_and_leave_others_to_its_markup(any_shop: Shop) -> None:
    customer = any_shop.customer()
    answer = any_shop.sdk(customer).chat.completions.create(
        model="gpt-5", messages=messages("[[input=1000 cached=0 output=100]]"), max_tokens=100
    )
    record = assert_accounted(any_shop, customer, str(answer._request_id), answer.usage)
    # 1.333333 + 10 % = 1.466666(3); + 33.3 % = 1.955065(778), each rounded half-up once.
    exact = (1000 * Fraction("1.955066") + 100 * Fraction("17.123457")) / 1_000_000
    assert Fraction(record["retail"]) == Fraction(-(-exact * 10**9 // 1), 10**9)


def test_tool_calls_and_other_fields_travel_unchanged(any_shop: Shop) -> None:
    customer = any_shop.customer()
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    function: Any = {"name": "get_weather", "parameters": parameters}
    answer = any_shop.sdk(customer).chat.completions.create(
        model="gpt-5-mini",
        messages=messages("[[tool=2]]"),
        tools=[{"type": "function", "function": function}],
        temperature=0.2,
        seed=7,
    )
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == ["get_weather", "get_weather"]  # type: ignore[union-attr]
    assert_accounted(any_shop, customer, str(answer._request_id), answer.usage)


def test_what_the_customer_can_read_back_is_what_was_charged(shop: Shop) -> None:
    customer = shop.customer()
    client = shop.sdk(customer)
    answer = client.chat.completions.create(model="gpt-5-mini", messages=messages(EVERY_CLASS))
    own = shop.http.get(f"{customer.origin}/v1/usage/{answer._request_id}", headers=customer.headers).json()
    record = shop.record(customer, str(answer._request_id))
    assert own["charge"] == record["retail"]
    assert own["output_tokens"] == 50
    assert own.keys() == {
        "id", "created_at", "key", "model", "stream", "status", "http_status", "input_tokens", "cached_input_tokens",
        "cache_write_tokens", "cache_write_1h_tokens", "output_tokens", "reasoning_tokens", "usage_source", "charge",
        "latency_ms", "first_byte_ms",
    }  # fmt: skip
    credit = shop.http.get(f"{customer.origin}/v1/credits", headers=customer.headers).json()
    assert credit.keys() == {"currency", "balance", "held", "available", "debt"}
    assert Fraction(credit["balance"]) == Fraction("5.00") - Fraction(own["charge"])


def test_usage_is_listed_in_pages_newest_first(any_shop: Shop) -> None:
    customer = any_shop.customer()
    made = [any_shop.call(customer).headers["x-request-id"] for _ in range(3)]
    url = f"{customer.origin}/v1/usage"
    first = any_shop.http.get(url, params={"limit": "2"}, headers=customer.headers).json()
    assert [record["id"] for record in first["records"]] == made[:0:-1]
    rest = any_shop.http.get(url, params={"cursor": first["next_cursor"]}, headers=customer.headers).json()
    assert [record["id"] for record in rest["records"]] == made[:1]
    assert rest["next_cursor"] is None
    future = any_shop.http.get(url, params={"since": "2999-01-01T00:00:00Z"}, headers=customer.headers).json()
    assert future == {"records": [], "next_cursor": None}


def test_models_are_those_that_the_storefront_offers(any_shop: Shop) -> None:
    solaria, lunaris = any_shop.customer(), any_shop.customer("lunaris")
    offered = {model.id for model in any_shop.sdk(solaria).models.list()}
    assert offered == {"gpt-5-mini", "gpt-5", "long-reader", "tiny", "two-ways", "raw", "solaria-fast"}
    listed = any_shop.sdk(lunaris).models.list().data
    assert {model.id for model in listed} == {"gpt-5-mini", "gpt-5", "long-reader", "lunaris-pro"}
    assert {model.owned_by for model in listed} == {"lunaris"}
    assert any_shop.sdk(lunaris).models.retrieve("lunaris-pro").id == "lunaris-pro"
    narrow = any_shop.with_key("solaria", solaria.email, solaria.id, models="gpt-*,long-*")
    assert {model.id for model in any_shop.sdk(narrow).models.list()} == {
        "gpt-5-mini", "gpt-5", "long-reader", "solaria-fast",
    }  # fmt: skip


def test_models_come_in_the_shape_that_the_caller_speaks(any_shop: Shop) -> None:
    customer = any_shop.customer()
    headers = {**customer.headers, "anthropic-version": "2023-06-01"}
    listed = any_shop.http.get(f"{customer.origin}/v1/models", headers=headers).json()
    assert listed["has_more"] is False
    assert listed["first_id"] == listed["data"][0]["id"]
    assert {item["type"] for item in listed["data"]} == {"model"}
    one = any_shop.http.get(f"{customer.origin}/v1/models/gpt-5", headers=headers).json()
    assert (one["type"], one["id"]) == ("model", "gpt-5")


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/v1/v1/chat/completions",
        "/v1beta/v1/chat/completions",
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "//chat/completions",
    ],
)
def test_a_base_url_with_or_without_its_version_works(any_shop: Shop, path: str) -> None:
    customer = any_shop.customer()
    body = {"model": "gpt-5-mini", "messages": messages("Hi")}
    answer = any_shop.http.post(f"{customer.origin}{path}", json=body, headers=customer.headers)
    assert answer.status_code == 200
    assert any_shop.record(customer, answer.headers["x-request-id"])["status"] == "ok"


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key", "Authorization"])
def test_the_key_may_come_in_any_of_the_usual_headers(any_shop: Shop, header: str) -> None:
    customer = any_shop.customer(credit=None)
    value = f"bearer {customer.key}" if header == "Authorization" else customer.key
    answer = any_shop.http.get(f"{customer.origin}/v1/models", headers={"host": customer.host, header: value})
    assert answer.status_code == 200
