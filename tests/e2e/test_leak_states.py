"""What a storefront says in every state that is not its best: closed, paused, over, refused, too much, at fault.

Each answer is searched for whoever is behind it, and shows the brand's odd name as it is, or no name at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from reseller_kit.web.management import BASE, ENDPOINTS
from tests.support import raw_http
from tests.support.accounts import PASSWORD, Visitor
from tests.support.broken import without_table
from tests.support.leaks import WILD, Shown, assert_literal, assert_no_trace, traces
from tests.support.product import TEMPLATE, Shop, eventually, open_shop

STATES: Final = {"sketch": 503, "paced": 503, "bygone": 410}
"""A draft, one that is suspended by the test, an archived one: and what visitors of theirs are answered."""
REASON: Final = "Zephyrline: rent of march at mainspring, see solaria"
"""What the operator notes for itself."""
PAGES: Final = ("/", "/pricing", "/docs", "/login", "/signup", "/account", "/nothing", "/legal/terms", "/status")
FILES: Final = (
    "/favicon.ico", "/robots.txt", "/sitemap.xml", "/manifest.webmanifest", "/apple-touch-icon.png", "/pricing.json",
    "/theme/nothing.css", "/openapi.json", "/.well-known/security.txt", "/webhooks/paddle", "/console",
    "/console/login", f"{BASE}/openapi.json", f"{BASE}/customers",
)  # fmt: skip
OF_TEAMS: Final = frozenset({"wholesale"})
"""What a reseller's own programs read: what it pays, and what it earns."""
CHAT: Final[dict[str, Any]] = {"model": "gpt-5-mini", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
DIALECTS: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": {"model": "gpt-5-mini", "max_output_tokens": 20, "input": "Hi"},
    "/v1/messages": CHAT,
    "/v1beta/models/gpt-5-mini:generateContent": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    "/v1/embeddings": {"model": "gpt-5-mini", "input": "Hi"},
    "/v1/images/generations": {"model": "gpt-5-mini", "prompt": "Hi"},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """All of these storefronts bear the odd name."""
    folder = tmp_path_factory.mktemp("shop-of-states")
    text = TEMPLATE.read_text()
    for name in ("Lunaris", "Sketch", "Paced", "Bygone"):
        odd = json.dumps(WILD.replace("Lunaris", name), ensure_ascii=False).replace("$", "$$")
        text = text.replace(f'name = "{name}"', f"name = {odd}")
    template = folder / "shop.toml"
    template.write_text(text)
    with open_shop(folder, None, template=template) as opened:
        yield opened


@pytest.fixture(scope="module")
def suspended(shop: Shop) -> None:
    shop.ask("tenant", "suspend", "paced", "--reason", REASON)
    eventually(lambda: shop.get("/", f"paced.localhost:{shop.server.port}").status_code == 503, "the suspension")


def checked(where: str, answer: httpx.Response, *more: str, besides: frozenset[str] = frozenset()) -> None:
    """Nobody else is named, in text or in the bytes of a picture; a page shows the name literally or not at all."""
    assert_no_trace(where, answer, *more, besides=besides)
    assert set(traces(answer.content.decode("latin-1"), *more)) - besides == set(), where
    if "html" in answer.headers.get("content-type", ""):
        assert not Shown(answer.text).wild, where
        assert "49" not in Shown(answer.text).text.split(), where


def call(shop: Shop, host: str, key: str, path: str, body: Any) -> httpx.Response:
    """One call in the way that its API carries keys."""
    name = "x-goog-api-key" if path.startswith("/v1beta") else "x-api-key" if path == "/v1/messages" else ""
    headers = {name.replace("-", "_"): key} if name else {"authorization": f"Bearer {key}"}
    return shop.request("POST", path, host, json.dumps(body).encode(), content_type="application/json", **headers)


def calls(shop: Shop, host: str, key: str, where: str, *statuses: int) -> None:
    """Each API says so in its own shape, and names nobody."""
    for path, body in DIALECTS.items():
        answer = call(shop, host, key, path, body)
        assert answer.status_code in statuses, (where, path, answer.status_code, answer.text)
        assert answer.headers["content-type"].startswith("application/json"), (where, path)
        checked(f"{where} {path}", answer)


@pytest.mark.parametrize("slug", STATES)
def test_a_storefront_that_is_not_open_names_nobody_else(shop: Shop, suspended: None, slug: str) -> None:
    host = f"{slug}.localhost:{shop.server.port}"
    home = shop.get("/", host)
    assert home.status_code == STATES[slug]
    assert WILD.replace("Lunaris", slug.title()) in Shown(home.text).text
    for path in (*PAGES, *FILES):
        for method in ("GET", "HEAD", "POST", "PUT"):
            answer = shop.request(method, path, host)
            assert answer.status_code < 500 or answer.status_code == STATES[slug], (method, path)
            checked(f"{slug}: {method} {path} {answer.status_code}", answer, "rent of march")
    made = shop.ask("customer", "create", "--tenant", slug, "--email", f"late@{slug}.example")
    key = shop.with_key(slug, f"late@{slug}.example", made["id"]).key
    calls(shop, host, key, slug, 403)
    calls(shop, host, "sol_wrong", f"{slug}, a wrong key", 401)


def test_every_api_refuses_without_a_name(shop: Shop) -> None:
    someone = shop.customer("lunaris")
    host = someone.host
    poor = shop.customer("lunaris", None)
    calls(shop, host, poor.key, "no credit", 400, 402, 403, 404, 429)
    shop.ask("customer", "suspend", "--tenant", "lunaris", someone.email, "--reason", REASON)
    eventually(lambda: shop.call(someone).status_code == 403, "the suspension")
    calls(shop, host, someone.key, "a suspended customer", 403)
    shop.ask("customer", "resume", "--tenant", "lunaris", someone.email)
    hurried = shop.customer("lunaris", rpm="1")
    eventually(lambda: shop.call(hurried).status_code == 429, "the limit")
    calls(shop, host, hurried.key, "too many", 400, 404, 429)


def test_what_is_malformed_missing_or_too_much_names_nobody(shop: Shop) -> None:
    someone = shop.customer("lunaris")
    bearer = {"authorization": f"Bearer {someone.key}", "content_type": "application/json"}
    for path in (*DIALECTS, "/v1/nothing", "/v1beta/nothing", "/v1/models/nothing", "/v1/files"):
        for method, body, more in (
            ("GET", b"", {}),
            ("DELETE", b"", {}),
            ("POST", b"{", {}),
            ("POST", b"[]", {}),
            ("POST", b'{"model": "solar"}', {}),
            ("POST", b"{}", {"content_encoding": "gzip"}),
        ):
            answer = shop.request(method, path, someone.host, body, **bearer, **more)
            where = f"{method} {path} {body[:20]!r} {more} {answer.status_code}"
            assert 400 <= answer.status_code < 500, where
            checked(where, answer)
    unknown = [shop.get(path, "nobody.localhost") for path in (*PAGES, *FILES, *DIALECTS)]
    for answer in unknown:
        assert answer.status_code == 421
        assert "unaris" not in answer.text
        checked(f"421 {answer.request.url.path}", answer)


def test_what_is_too_large_names_nobody(shop: Shop) -> None:
    someone = shop.customer("lunaris")
    for path in (*DIALECTS, "/login", "/contact", "/webhooks/paddle", f"{BASE}/customers"):
        head = f"POST {path} HTTP/1.1\r\nhost: {someone.host}\r\nauthorization: Bearer {someone.key}\r\n"
        with raw_http.connection(shop.server.port, someone.host.partition(":")[0]) as opened:
            opened.sendall(f"{head}content-length: {1 << 40}\r\nconnection: close\r\n\r\n".encode())
            received = raw_http.read_all(opened).decode("latin-1")
        assert received[9:12] in {"400", "401", "403", "404", "413"}, (path, received[:80])
        assert traces(received) == [], path


def test_a_fault_of_every_api_names_nobody(shop: Shop) -> None:
    customer = shop.customer("lunaris")
    # The first call of a key reads it from the database.
    with without_table(shop, "api_key"):
        calls(shop, customer.host, customer.key, "a fault", 500, 503)
        for path in ("/v1/models", "/v1/credits", "/v1beta/models"):
            answer = shop.get(path, customer.host, authorization=f"Bearer {customer.key}")
            assert answer.status_code in {500, 503}, path
            checked(f"a fault {path}", answer, "sqlite", "api_key", "operationalerror", ".py")
    eventually(lambda: shop.call(customer).status_code == 200, "the table's return")


def test_attempts_that_have_to_wait_name_nobody(shop: Shop) -> None:
    visitor = Visitor(shop, "lunaris")
    answers = [visitor.log_in("nobody@lunaris.example", "a wrong password") for _ in range(15)]
    assert 429 in {answer.status_code for answer in answers}
    for answer in answers:
        checked(f"log-in {answer.status_code}", answer)
        assert_literal("log-in", answer)


def test_the_management_api_names_nobody(shop: Shop) -> None:
    host = Visitor(shop, "lunaris").http.headers["host"]
    scopes = sorted({one.scope for one in ENDPOINTS})
    token = shop.ask(
        "token", "create", "--tenant", "lunaris", "--name", "crawl", "--scopes", ",".join(map(str, scopes))
    )["token"]
    bearer = {"authorization": f"Bearer {token}"}
    document = shop.get(f"{BASE}/openapi.json", host, **bearer)
    assert document.status_code == 200
    assert WILD in document.json()["info"]["title"]
    shop.ask("customer", "create", "--tenant", "lunaris", "--email", "odd@lunaris.example")
    for one in ENDPOINTS:
        path = BASE + one.path.replace("{", "").replace("}", "")
        for sent in ({}, {"authorization": "Bearer wrong"}, bearer):
            for body in (b"", b"{", b'{"nothing": 1}'):
                answer = shop.request(one.method, path, host, body, **sent)
                where = f"{one.method} {path} {answer.status_code}"
                assert answer.status_code < 500, where
                checked(where, answer, besides=OF_TEAMS)
    assert traces(document.text.replace("wholesale", "")) == []


def test_a_customers_own_odd_words_stay_words(shop: Shop) -> None:
    """Names of people, keys and cases are as odd as brands may be."""
    visitor = Visitor(shop, "lunaris")
    visitor.join("odd-one@lunaris.example", PASSWORD)
    visitor.send("/account/security", action="name", name=WILD)
    visitor.send("/account/keys", name=WILD[:80])
    visitor.send("/contact", subject=WILD[:100], body=WILD)
    for path in ("/account", "/account/keys", "/account/security", "/account/support", "/account/usage"):
        page = visitor.get(path)
        assert page.status_code == 200, path
        checked(path, page)
        assert_literal(path, page)
