"""Pages and files over the wire: packed, but never where secrets lie beside words that somebody else chose."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.accounts import Visitor
from tests.support.product import Shop

FIRST_LOAD_BYTES = 100_000
CALLS = 60
OF_EACH = 24
"""Keys, orders and grants of an account that has long lists: more than a page shows of orders and movements."""


def weight(visitor: Visitor, path: str) -> int:
    with visitor.http.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
        assert answer.status_code == 200
        return sum(map(len, answer.iter_raw()))


def first_load(visitor: Visitor, path: str) -> int:
    """Bytes of a page with all files that it names, for a browser that has none of them."""
    named = set(re.findall(r'(?:src|href)="(/theme/[^"]+\.(?:css|js|woff2|webmanifest|svg))"', visitor.get(path).text))
    assert any(file.endswith(".css") for file in named)
    return sum(weight(visitor, part) for part in (path, *named))


def test_the_first_load_is_below_a_hundred_kilobytes(any_shop: Shop) -> None:
    assert first_load(Visitor(any_shop), "/") < FIRST_LOAD_BYTES


@pytest.mark.thorough
def test_so_is_that_of_every_page_of_a_full_account(any_shop: Shop) -> None:
    visitor = full_account(any_shop, "full@solaria.example")
    paths = {"/account", "/account/usage?range=12m", "/account/usage?range=24h"}
    for path in sorted(paths):
        paths |= set(re.findall(r'href="(/account[^"#?.]*)"', visitor.get(path).text))
    assert {"/account/usage", "/account/billing", "/account/keys", "/account/playground", "/account/support"} <= paths
    loads = {path: first_load(visitor, path) for path in paths}
    assert {path: size for path, size in loads.items() if size >= FIRST_LOAD_BYTES} == {}


def full_account(shop: Shop, email: str) -> Visitor:
    """A customer whose lists are as long as a page shows them."""
    visitor = Visitor(shop)
    visitor.join(email)
    owner = ("--tenant", "solaria", "--customer", email)
    keys = [
        shop.ask("key", "create", *owner, "--name", f"A name of {number} words that says what it is for")["key"]
        for number in range(OF_EACH)
    ]
    for number in range(OF_EACH):
        reason = ("--reason", "a full account", "--idempotency-key", f"{email}{number}")
        shop.ask("credit", "grant", *owner, "--amount", "1.00", *reason)

    def call(number: int) -> None:
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"authorization": f"Bearer {keys[number % OF_EACH]}"}
        visitor.http.post("/v1/chat/completions", json=body, headers=headers).raise_for_status()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(CALLS)))
    return visitor


def test_of_who_is_logged_in_only_pages_without_words_of_others_are_packed(any_shop: Shop) -> None:
    visitor = Visitor(any_shop)
    assert visitor.get("/models").headers["content-encoding"] == "gzip"
    visitor.join("packed@solaria.example")
    for path in ("/account", "/account/billing", "/account/usage", "/account/usage?range=90d"):
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip"), path
        assert "accept-encoding" in answer.headers["vary"]
        assert "content-encoding" not in visitor.get(path, headers={"accept-encoding": "identity"}).headers
    queries = (
        "/account?x=secret",
        "/account/usage?range=secret",
        "/account/usage?range=90d&model=secret",
        "/account/billing?lang=de",
    )
    for path in ("/models", "/", "/account/support", *queries):
        answer = visitor.get(path)
        assert (answer.status_code, "content-encoding" in answer.headers) == (200, False), path
        assert "accept-encoding" in answer.headers["vary"]
    for path in ("/account/usage/secret", "/account/secret"):
        answer = visitor.get(path)
        assert (answer.status_code, "content-encoding" in answer.headers) == (404, False), path
    refused = visitor.send("/account/keys", name="x", limit="much")
    assert (refused.status_code, "content-encoding" in refused.headers) == (422, False)
