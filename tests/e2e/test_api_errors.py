"""Every refusal of the API: status, code, type and headers, in the caller's dialect. None of them costs anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import openai
import pytest

from reseller_kit.core import apikey
from tests.support.product import Customer, Shop, eventually

FINAL = {401, 402, 403, 404, 503}
OK_BODY = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
TYPES = {
    "invalid_api_key": "authentication_error",
    "account_suspended": "permission_error",
    "insufficient_quota": "insufficient_quota",
    "rate_limit_exceeded": "rate_limit_error",
    "service_unavailable": "api_error",
}


@pytest.fixture(scope="module")
def customer(shops: Callable[[str], Shop]) -> Customer:
    """One customer for requests that are refused before money comes into it."""
    return shops("sqlite").customer()


def assert_refused(answer: httpx.Response, status: int, code: str, param: str | None = None) -> str:
    """The answer is this refusal in OpenAI's shape; its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers.get("x-should-retry") == ("false" if status in FINAL else None)
    assert ("retry-after" in answer.headers) is (code == "rate_limit_exceeded")
    document = answer.json()
    assert document.keys() == {"error"}
    assert document["error"].keys() == {"message", "type", "param", "code"}
    error = document["error"]
    assert (error["code"], error["type"]) == (code, TYPES.get(code, "invalid_request_error"))
    assert error["param"] == param
    message: str = error["message"]
    assert message.endswith((".", "?", "!", "YOUR_KEY"))
    return message


def post(shop: Shop, customer: Customer, body: bytes | str, **headers: str) -> httpx.Response:
    content = body.encode() if isinstance(body, str) else body
    url = f"{customer.origin}/v1/chat/completions"
    return shop.http.post(url, content=content, headers={**customer.headers, **headers})


def a_key_of_a_second(shop: Shop, customer: Customer) -> str:
    """A key that works for a second more; a busy machine may need several tries to make it in time."""

    def made() -> str | None:
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        code, document = shop.try_("key", "create", *customer.owner, "--expires", soon)
        return str(document["key"]) if code == 0 else None

    return eventually(made, "a key")


def test_a_key_that_is_none_here_is_told_so_in_one_and_the_same_way(any_shop: Shop, customer: Customer) -> None:
    other = any_shop.customer("lunaris", credit=None)
    revoked = any_shop.with_key("solaria", customer.email, customer.id)
    any_shop.ask("key", "revoke", revoked.key_id)
    expired = a_key_of_a_second(any_shop, customer)
    unknown = apikey.generate("sol")
    answers = []
    forged = ("sol_short", "x" * 5000, "' OR 1=1 --", "sol_" + "0" * 36)
    for key in (unknown, revoked.key, other.key, *forged, expired):
        headers = {"host": customer.host, "authorization": f"Bearer {key}"}
        answer = any_shop.http.get(f"{customer.origin}/v1/models", headers=headers)
        while key == expired and answer.status_code == 200:
            answer = any_shop.http.get(f"{customer.origin}/v1/models", headers=headers)
        assert_refused(answer, 401, "invalid_api_key")
        answers.append(answer.content)
    assert len(set(answers)) == 1


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic c29sOng="}, {"authorization": "Bearer"}, {"x-api-key": ""}], ids=str
)
def test_no_key_is_asked_for(any_shop: Shop, customer: Customer, headers: dict[str, str]) -> None:
    url = f"{customer.origin}/v1/chat/completions"
    answer = any_shop.http.post(url, json=OK_BODY, headers={"host": customer.host, **headers})
    assert "Authorization" in assert_refused(answer, 401, "invalid_api_key")


def test_two_different_keys_are_one_too_many(any_shop: Shop, customer: Customer) -> None:
    headers = {**customer.headers, "x-api-key": apikey.generate("sol")}
    answer = any_shop.http.get(f"{customer.origin}/v1/models", headers=headers)
    assert_refused(answer, 400, "invalid_request")
    same = {**customer.headers, "x-api-key": customer.key}
    assert any_shop.http.get(f"{customer.origin}/v1/models", headers=same).status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/usage", "/v1/nothing", "/v1/messages"])
@pytest.mark.parametrize("name", ["key", "api_key", "API-Key", "access_token"])
def test_a_key_in_the_url_is_refused_and_never_logged(any_shop: Shop, customer: Customer, path: str, name: str) -> None:
    method = "POST" if "chat" in path else "GET"
    answer = any_shop.http.request(
        method, f"{customer.origin}{path}?{name}={customer.key}", headers={"host": customer.host}, json=OK_BODY
    )
    assert answer.status_code == 400
    assert "Authorization" in answer.json()["error"]["message"]
    assert customer.key not in answer.text
    any_shop.get("/v1/models", customer.host)
    assert customer.key not in any_shop.log()
    assert customer.key[4:20] not in any_shop.log()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("", None),
        ("{", None),
        ("[]", None),
        ("null", None),
        ('"text"', None),
        ("{} {}", None),
        ('{"model": "gpt-5-mini"}', "messages"),
        ('{"messages": [{"role": "user", "content": "Hi"}]}', "model"),
        ('{"model": "", "messages": [{"role": "user", "content": "Hi"}]}', "model"),
        ('{"model": 7, "messages": [{"role": "user", "content": "Hi"}]}', "model"),
        ('{"model": "gpt-5-mini", "messages": []}', "messages"),
        ('{"model": "gpt-5-mini", "messages": "Hi"}', "messages"),
        ('{"model": "gpt-5-mini", "model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}', "model"),
        ('{"model": "gpt-5-mini", "m\\u006fdel": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}', "model"),
        ('{"model": "gpt-5-mini", "max_tokens": 5, "max_tokens": 9, "messages": [{"role": "user"}]}', "max_tokens"),
    ],
)
def test_a_malformed_body_is_refused(any_shop: Shop, customer: Customer, body: str, param: str | None) -> None:
    assert_refused(post(any_shop, customer, body), 400, "invalid_request", param)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", -5),
        ("max_tokens", 1.5),
        ("max_tokens", "10"),
        ("max_tokens", 1 << 62),
        ("max_completion_tokens", True),
        ("n", 0),
        ("n", 129),
        ("stream", "yes"),
        ("stream_options", []),
        ("api_base", "http://127.0.0.1:1"),
        ("base_url", "http://127.0.0.1:1"),
        ("fallbacks", ["gpt-5"]),
        ("Max_Tokens", 5),
        ("service_tier", "priority"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(
    any_shop: Shop, customer: Customer, member: str, value: object
) -> None:
    answer = post(any_shop, customer, json.dumps({**OK_BODY, member: value}))
    assert_refused(answer, 400, "invalid_request", member)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"model":"gpt-5-mini","messages":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"model":"gpt-5-mini","metadata":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b',"messages":[]}',
        b'{"model":"gpt-5-mini","messages":[{"role":"user","content":"\xff\xfe"}]}',
        b'{"model":"gpt-5-mini","messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
        b'{"model":"gpt-5-mini","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"gpt-5-mini","n":' + b"9" * 10_000 + b',"messages":[{"role":"user","content":"Hi"}]}',
        b'{"model":"gpt-5-mini","n":1e400,"messages":[{"role":"user","content":"Hi"}]}',
        b"\xef\xbb\xbf{}",
    ],
    ids=["brackets", "nested messages", "nested metadata", "utf-8", "surrogate", "half a pair", "digits", "inf", "bom"],
)
def test_a_hostile_body_is_a_mistake_of_the_caller(any_shop: Shop, customer: Customer, body: bytes) -> None:
    answer = post(any_shop, customer, body)
    assert answer.status_code == 400, answer.text[:500]
    assert answer.json()["error"]["code"] == "invalid_request"


def test_a_compressed_body_is_refused(any_shop: Shop, customer: Customer) -> None:
    answer = post(any_shop, customer, b"\x1f\x8b", **{"content-encoding": "gzip"})
    assert_refused(answer, 400, "invalid_request", "content-encoding")


def test_a_model_that_is_not_offered_does_not_exist(any_shop: Shop, customer: Customer) -> None:
    other = any_shop.customer("lunaris")
    narrow = any_shop.with_key("solaria", customer.email, customer.id, models="gpt-5")
    tried = [(customer, "no-such-model"), (other, "raw"), (other, "solaria-fast"), (narrow, "gpt-5-mini")]
    for asking, model in tried:
        answer = any_shop.call(asking, model=model)
        message = assert_refused(answer, 404, "model_not_found")
        assert message == f"The model '{model}' does not exist or you do not have access to it."
        url = f"{asking.origin}/v1/models/{model}"
        read = any_shop.http.get(url, headers=asking.headers)
        assert_refused(read, 404, "model_not_found")
        assert any_shop.records(asking) == []


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/chat/completions", "POST"),
        ("PUT", "/chat/completions", "POST"),
        ("POST", "/v1/models", "GET"),
        ("POST", "/v1/models/gpt-5", "GET"),
        ("PATCH", "/v1/models/gpt-5", "GET"),
        ("POST", "/v1/credits", "GET"),
        ("OPTIONS", "/v1/usage", "GET"),
    ],
)
def test_a_wrong_method_names_the_right_one(
    any_shop: Shop, customer: Customer, method: str, path: str, allow: str
) -> None:
    answer = any_shop.http.request(method, f"{customer.origin}{path}", headers=customer.headers)
    assert_refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/chat", "/v1/v1/v1/x", "/v1/engines"])
def test_an_unknown_path_is_told_in_the_apis_own_shape(any_shop: Shop, customer: Customer, path: str) -> None:
    answer = any_shop.http.get(f"{customer.origin}{path}", headers=customer.headers)
    assert_refused(answer, 404, "not_found")


def test_the_messages_dialect_is_spoken_to_who_speaks_it(any_shop: Shop, customer: Customer) -> None:
    url = f"{customer.origin}/v1/messages"
    answer = any_shop.http.post(url, json=OK_BODY, headers={"host": customer.host, "x-api-key": customer.key})
    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == answer.headers["request-id"]
    read = any_shop.http.get(
        f"{customer.origin}/v1/models", headers={"host": customer.host, "anthropic-version": "2023-06-01"}
    )
    assert (read.status_code, read.json()["error"]["type"]) == (401, "authentication_error")
    lost = any_shop.request("POST", "/v1/messages", "nobody.localhost")
    assert (lost.status_code, lost.json()["type"]) == (421, "error")


@pytest.mark.parametrize("slug", ["sketch", "bygone"])
def test_a_storefront_that_is_not_open_serves_no_call(any_shop: Shop, slug: str) -> None:
    made = any_shop.try_("customer", "create", "--tenant", slug, "--email", f"a@{slug}.example")
    assert made[0] == 0, made
    asking = any_shop.with_key(slug, f"a@{slug}.example", made[1]["id"])
    answer = any_shop.call(asking)
    assert_refused(answer, 403, "account_suspended")
    nobody = any_shop.http.get(f"{asking.origin}/v1/models", headers={"host": asking.host})
    assert_refused(nobody, 401, "invalid_api_key")


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/"), ("HEAD", "/v1/models"), ("GET", "/api/hello")])
def test_a_client_that_probes_gets_a_yes(any_shop: Shop, customer: Customer, method: str, path: str) -> None:
    answer = any_shop.http.request(method, f"{customer.origin}{path}", headers={"host": customer.host})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 400),
        ("limit=1001", 400),
        ("limit=000000001" + "9" * 7, 400),
        ("limit=x", 400),
        ("limit=%FF", 400),
        ("cursor=1", 400),
        ("since=yesterday", 400),
        ("since=2026-02-30", 400),
        ("&".join(f"a{n}=1" for n in range(200)), 400),
        ("limit=1&since=2026-01-31", 200),
    ],
)
def test_a_query_is_checked(any_shop: Shop, customer: Customer, query: str, status: int) -> None:
    answer = any_shop.http.get(f"{customer.origin}/v1/usage?{query}", headers=customer.headers)
    assert answer.status_code == status, answer.text


def test_many_query_parameters_are_no_fault_of_the_server(any_shop: Shop, customer: Customer) -> None:
    query = "&".join(f"a{n}=1" for n in range(5000))
    answer = any_shop.http.get(f"{customer.origin}/v1/models?{query}", headers=customer.headers)
    assert answer.status_code < 500
    hidden = any_shop.http.get(f"{customer.origin}/v1/models?{query}&key={customer.key}", headers=customer.headers)
    assert hidden.status_code == 400


def test_the_sdk_raises_the_error_that_its_users_expect(any_shop: Shop, customer: Customer) -> None:
    messages: list[Any] = OK_BODY["messages"]  # type: ignore[assignment]
    with pytest.raises(openai.AuthenticationError):
        any_shop.sdk(customer, api_key="sol_wrong").models.list()
    with pytest.raises(openai.NotFoundError) as missing:
        any_shop.sdk(customer).chat.completions.create(model="nothing", messages=messages)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        any_shop.sdk(customer).chat.completions.create(model="gpt-5-mini", messages=messages, max_tokens=0)
    assert (bad.value.code, bad.value.param) == ("invalid_request", "max_tokens")


def test_nothing_of_this_was_recorded_or_asked_upstream(any_shop: Shop) -> None:
    asking = any_shop.customer()
    refused = [post(any_shop, asking, "{"), any_shop.call(asking, model="nothing"), any_shop.call(asking, max_tokens=0)]
    for answer in refused:
        assert any_shop.journal(answer.headers["x-request-id"]) == []
    assert any_shop.records(asking) == []
    assert any_shop.balance(asking)["balance"] == "5.00"
