"""Two storefronts on one server: nothing of one, of the platform or of an upstream is reachable through the other."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from reseller_kit.web.gateway.app import Gateway
from reseller_kit.web.hosts import Peers
from tests.support import leaks, raw_http
from tests.support.leaks import Links, links_of
from tests.support.product import Customer, Shop, eventually

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MISSING = "req_01K00000000000000000000000"
PAGES = (
    "/", "/pricing", "/models", "/docs", "/docs/quickstart", "/docs/openai-sdk", "/docs/anthropic-sdk",
    "/docs/claude-code", "/docs/codex", "/docs/librechat", "/docs/vscode", "/docs/curl", "/models/compare",
    "/pricing.json", "/faq", "/legal/terms", "/legal/privacy", "/legal/refunds", "/status", "/robots.txt",
)  # fmt: skip


@pytest.fixture(scope="module")
def ours(shops: Callable[[str], Shop]) -> Customer:
    """A customer of Lunaris."""
    return shops("sqlite").customer("lunaris")


@pytest.fixture(scope="module")
def theirs(shops: Callable[[str], Shop]) -> Customer:
    """A customer of Solaria, with a call."""
    customer = shops("sqlite").customer("solaria")
    assert shops("sqlite").call(customer).status_code == 200
    return customer


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of every route of the API; `ID` stands for a name or id."""
    gateway: Any = Gateway.__new__(Gateway)
    Gateway.__init__(gateway, runtime=None, port=0, trusted_proxies=Peers([]))  # type: ignore[arg-type]
    for path, methods in (gateway._exact | gateway._below).items():
        for method in methods:
            yield method, path + ("ID" if path.endswith("/") else "")


def told(answer: httpx.Response, *ids: str) -> tuple[int, dict[str, str], str]:
    """An answer without what differs in every answer: date, request id and the ids that were asked for."""
    headers = {
        name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id", "request-id"}
    }
    body = answer.text.replace(answer.headers["x-request-id"], "REQUEST")
    for asked in ids:
        body = body.replace(asked, "ID")
    if ids:
        headers.pop("content-length", None)
    return answer.status_code, headers, body


def send(shop: Shop, method: str, path: str, customer: Customer, key: str | None = None) -> httpx.Response:
    headers = {**customer.headers, "authorization": f"Bearer {key or customer.key}"}
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]} if method == "POST" else None
    return shop.http.request(method, f"{customer.origin}{path}", headers=headers, json=body)


def forged_like(key: str, position: int) -> str:
    """A key with the right check that is the given one up to `position`."""
    body = key[:-6]
    other = "A" if body[position] != "A" else "B"
    body = body[:position] + other * (len(body) - position)
    value = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = BASE62[digit] + digits
    return body + digits


@pytest.mark.parametrize(("method", "path"), list(routes()))
def test_a_foreign_key_is_an_unknown_key(
    any_shop: Shop, ours: Customer, theirs: Customer, method: str, path: str
) -> None:
    unknown = told(send(any_shop, method, path, ours, forged_like(ours.key, 4)))
    assert unknown[0] == 401
    for key in (theirs.key, forged_like(ours.key, 33), forged_like(ours.key, 20), forged_like(theirs.key, 30)):
        assert told(send(any_shop, method, path, ours, key)) == unknown
    # The body is one of chat: other APIs find it wanting, which they tell to no one but a customer of theirs.
    assert send(any_shop, method, path, ours).status_code in {200, 400, 404}


@pytest.mark.parametrize(("method", "path"), list(routes()))
def test_a_foreign_id_is_a_missing_id(any_shop: Shop, ours: Customer, theirs: Customer, method: str, path: str) -> None:
    neighbour = any_shop.customer("lunaris")
    neighbours = any_shop.call(neighbour).headers["x-request-id"]
    (record,) = any_shop.records(theirs)
    for foreign in (record["id"], neighbours, "solaria-fast", theirs.key_id, theirs.id):
        missing = "x" * len(foreign) if "ID" in path else ""
        asked = send(any_shop, method, path.replace("ID", foreign), ours)
        fictive = send(any_shop, method, path.replace("ID", missing or "x"), ours)
        if "ID" not in path:
            assert asked.status_code in {200, 400}
            continue
        assert asked.status_code == 404
        assert told(asked, foreign) == told(fictive, missing)


def test_a_foreign_cursor_opens_nothing(any_shop: Shop, ours: Customer, theirs: Customer) -> None:
    (record,) = any_shop.records(theirs)
    any_shop.call(ours)
    url = f"{ours.origin}/v1/usage"
    listed = any_shop.http.get(url, params={"cursor": "req_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"}, headers=ours.headers).json()
    assert {found["id"] for found in listed["records"]} == {found["id"] for found in any_shop.records(ours)}
    beyond = any_shop.http.get(url, params={"cursor": record["id"]}, headers=ours.headers).json()
    assert all(found["id"] < record["id"] for found in beyond["records"])


@pytest.mark.parametrize("host", ["nobody.localhost", "desk.localhost"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/credits", "/v1/usage", "/models", "/"])
def test_a_key_opens_nothing_on_a_host_that_is_no_storefront(
    any_shop: Shop, theirs: Customer, host: str, path: str
) -> None:
    without = any_shop.get(path, host, authorization=f"Bearer {forged_like(theirs.key, 9)}")
    assert told(any_shop.get(path, host, authorization=f"Bearer {theirs.key}")) == told(without)
    assert without.status_code in {303, 404, 421}


def test_what_a_request_says_of_itself_decides_nothing(any_shop: Shop, ours: Customer, theirs: Customer) -> None:
    before = any_shop.balance(theirs)["balance"]
    answer = any_shop.call(
        ours,
        user=theirs.id,
        tenant_id=1,
        customer_id=theirs.id,
        balance="1000000",
        role="owner",
        metadata={"tenant": "solaria", "key": theirs.key_id},
        headers={"x-forwarded-host": "solaria.localhost", "x-tenant": "solaria", "x-forwarded-for": "127.0.0.2"},
    )
    assert answer.status_code == 200
    record = any_shop.record(ours, answer.headers["x-request-id"])
    assert (record["tenant"], record["customer_id"]) == ("lunaris", ours.id)
    assert any_shop.balance(theirs)["balance"] == before
    refused: dict[str, Any] = {
        "api_base": "http://127.0.0.1:1",
        "fallbacks": ["raw"],
        "models": ["raw"],
        "provider": {},
    }
    for member, value in refused.items():
        assert any_shop.call(ours, **{member: value}).status_code == 400


def test_a_thousand_made_up_addresses_are_one_client(any_shop: Shop) -> None:
    customer = any_shop.customer("lunaris", rpm="3")
    statuses = [
        any_shop.call(customer, headers={"x-forwarded-for": f"10.0.{n}.1", "x-real-ip": f"10.0.{n}.2"}).status_code
        for n in range(6)
    ]
    assert statuses == [200] * 3 + [429] * 3
    lines = b"".join(b"x-forwarded-for: 10.%d.%d.1\r\n" % (n // 250, n % 250) for n in range(1000))
    reply = raw_http.exchange(
        any_shop.server.port, b"GET / HTTP/1.1\r\nhost: lunaris.localhost\r\n" + lines + b"connection: close\r\n\r\n"
    )
    assert reply is not None
    assert reply.status in {200, 431}


def crawl(shop: Shop, host: str) -> dict[str, httpx.Response]:
    """Every page and asset that the storefront's pages lead to."""
    seen: dict[str, httpx.Response] = {}
    waiting = list(PAGES)
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen[path] = shop.get(path, host)
        for link in links_of(seen[path]):
            parts = urlsplit(link)
            if parts.scheme in {"mailto", "data"}:
                continue
            assert parts.netloc in {"", "127.0.0.3", f"127.0.0.3:{shop.server.port}"}, (path, link)
            if parts.path.startswith("/"):
                waiting.append(parts.path)
    return seen


def assert_no_trace(where: str, answer: httpx.Response, *more: str) -> None:
    leaks.assert_no_trace(where, answer, *more)
    # A page with a form for those who are not logged in has a cookie that guards it; no other answer sets one.
    assert all(cookie.startswith("form=") for cookie in answer.headers.get_list("set-cookie")), where


def test_no_page_and_no_asset_of_a_storefront_names_another(any_shop: Shop) -> None:
    for host in ("lunaris.localhost", "127.0.0.3"):
        found = crawl(any_shop, host)
        assert len(found) > len(PAGES) + 2
        for path, answer in found.items():
            assert answer.status_code == 200, path
            assert answer.headers["x-request-id"].startswith("req_")
            assert_no_trace(f"{host}{path}", answer)
        assert "Lunaris" in found["/"].text


def test_no_refusal_of_a_storefront_names_another(any_shop: Shop, ours: Customer, theirs: Customer) -> None:
    host = "lunaris.localhost"
    asked = [
        any_shop.get("/nothing", host),
        any_shop.get("/docs/nothing", host),
        any_shop.get("/theme/nothing.css", host),
        any_shop.get("/theme/static/../../secret", host),
        any_shop.get("/theme/static/%2e%2e/%2e%2e/etc/passwd", host),
        any_shop.get("/console/nothing", host),
        any_shop.get("/metrics", host),
        any_shop.get("/schema", host),
        any_shop.request("POST", "/", host),
        any_shop.request("POST", "/pricing", host, b"x" * 100),
        any_shop.get("/v1/nothing", host),
        any_shop.get("/v1/models", host),
        send(any_shop, "GET", "/v1/usage/" + MISSING, ours),
        send(any_shop, "GET", "/v1/models", ours, theirs.key),
        any_shop.call(ours, model="raw"),
        any_shop.call(ours, max_tokens=0),
        any_shop.call(ours, "[[status=400]]"),
        any_shop.call(ours, "[[status=500]]", stream=True),
        any_shop.call(ours, "[[error=5]]", stream=True),
        any_shop.call(any_shop.customer("lunaris", credit=None)),
        any_shop.call(ours, "[[status=401]]"),
    ]
    any_shop.revive()
    for answer in asked:
        where = f"{answer.request.method} {answer.request.url}"
        assert answer.status_code >= 400 or "event-stream" in answer.headers["content-type"], where
        assert_no_trace(where, answer, "openai")


def test_no_answer_of_the_api_names_another(any_shop: Shop, ours: Customer) -> None:
    answers = [
        any_shop.call(ours),
        any_shop.call(ours, "[[tool=1]]"),
        any_shop.call(ours, "[[show_reasoning reasoning=5]]", stream=True, stream_options={"include_usage": True}),
        any_shop.call(ours, model="lunaris-pro", n=2),
        *(send(any_shop, "GET", path, ours) for path in ("/v1/models", "/v1/credits", "/v1/usage")),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert_no_trace(str(answer.request.url), answer, "openai", "2025-08-07", "fp_", "cost", "upstream_model")


def test_the_brands_own_files_are_served_to_it_alone(any_shop: Shop) -> None:
    def own_files(host: str) -> set[str]:
        found = Links(any_shop.get("/", host).text).found
        return {path for path in found if path.startswith("/theme/") and "/static/" not in path}

    solaria, lunaris = own_files("solaria.localhost"), own_files("lunaris.localhost")
    assert len(solaria) == len(lunaris) == len(solaria - lunaris) > 0
    for path in solaria:
        assert any_shop.get(path, "solaria.localhost").status_code == 200
        assert any_shop.get(path, "lunaris.localhost").status_code == 404


def test_an_api_host_serves_no_pages(any_shop: Shop, theirs: Customer) -> None:
    host = "api.solaria.localhost"
    for path in ("/", "/pricing", "/docs"):
        page = any_shop.get(path, host)
        assert (page.status_code, page.json()["error"]["code"]) == (404, "not_found")
    models = any_shop.get("/models", host, authorization=f"Bearer {theirs.key}")
    assert models.json()["object"] == "list"


def test_an_alias_leads_to_the_primary_host_and_serves_the_api_in_place(any_shop: Shop, theirs: Customer) -> None:
    host = "www.solaria.localhost"
    page = any_shop.get("/pricing?a=1", host)
    assert page.status_code == 308
    assert page.headers["location"] == f"http://solaria.localhost:{any_shop.server.port}/pricing?a=1"
    for path in ("//evil.example/x", "/\\evil.example", "/%0d%0ax-injected:1"):
        led = any_shop.get(path, host)
        assert led.headers["location"].startswith(f"http://solaria.localhost:{any_shop.server.port}/")
        assert "x-injected" not in led.headers
    models = any_shop.get("/v1/models", host, authorization=f"Bearer {theirs.key}")
    assert models.status_code == 200


def test_templates_in_names_stay_text(any_shop: Shop) -> None:
    text = any_shop.text.replace('tagline = "Moonlit answers."', 'tagline = "{{7*7}} <b>{% raw %}</b> ${7*7}"')
    assert text != any_shop.text
    try:
        any_shop.apply(text)
        page = eventually(
            lambda: found if "{{7*7}}" in (found := any_shop.get("/", "lunaris.localhost").text) else None, "the change"
        )
        assert "&lt;b&gt;{% raw %}&lt;/b&gt; ${7*7}" in page
    finally:
        any_shop.apply(any_shop.text, "--prune")
