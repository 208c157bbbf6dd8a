"""Pages and files over the wire: packed, but never where secrets lie beside words that somebody else chose."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import httpx
import pytest

from tests.support.accounts import Visitor
from tests.support.product import Shop

FIRST_LOAD_BYTES = 100_000
CALLS = 60
OF_EACH = 24
"""Keys, orders and grants of an account that has long lists: more than a page shows of orders and movements."""


def weight(visitor: Visitor, path: str) -> int:
    with visitor.http.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
        assert answer.status_code in {200, 404}
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
        paths |= links(visitor, path, "/account[^#?.]*")
    # What narrows a list, or goes on in it, as the pages offer it.
    paths |= links(visitor, "/account/usage", r"/account/usage\?.*(model|key|cursor)=.+")
    paths |= links(visitor, "/account/billing", r"/account/billing\?.+")
    paths |= links(visitor, "/account/keys", r"/account/keys\?.+")
    paths |= {"/account/usage?range=30d&model=gpt-5-mini&key=&status=ok&since=2026-01-01&until=2099-12-31&id="}
    assert {"/account/usage", "/account/billing", "/account/keys", "/account/playground", "/account/support"} <= paths
    assert {path.partition("=")[0] for path in paths} >= {"/account/billing?moves", "/account/usage?range"}
    # What nobody offers is not packed, and short.
    paths |= {"/account/secret", "/account/usage?id=secret", "/account/usage?model=secret", "/account/keys/secret"}
    loads = {path: first_load(visitor, path) for path in paths}
    assert {path: size for path, size in loads.items() if size >= FIRST_LOAD_BYTES} == {}


def links(visitor: Visitor, path: str, wanted: str) -> set[str]:
    """Where a page leads, as far as that is wanted."""
    found = {unescape(link) for link in re.findall(r'href="([^"]+)"', visitor.get(path).text)}
    return {link for link in found if re.fullmatch(wanted, link)}


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
    assert packed(visitor.get("/models"))
    visitor.join("packed@solaria.example")
    key = called_once(any_shop, visitor, "packed@solaria.example")
    own = (
        "/account",
        "/account/billing",
        "/account/billing?x=secret",
        "/account/keys?cursor=",
        "/account/usage",
        "/account/usage?range=90d",
        "/account/usage?range=secret&status=secret",
        "/account/usage?since=secret&until=1234-01-31",
        f"/account/usage?model=gpt-5-mini&key={key}&status=ok&since=2026-01-01&x=secret",
    )
    for path in own:
        answer = visitor.get(path)
        assert (answer.status_code, packed(answer)) == (200, True), path
        assert "secret" not in answer.text
        assert "accept-encoding" in answer.headers["vary"]
        assert not packed(visitor.get(path, headers={"accept-encoding": "identity"}))
    chosen = (
        "/account?x=secret",
        "/account/usage?model=secret",
        "/account/usage?key=secret",
        "/account/support",
        "/models",
        "/",
    )
    for path in chosen:
        answer = visitor.get(path)
        assert (answer.status_code, packed(answer)) == (200, False), path
        assert "accept-encoding" in answer.headers["vary"]
    for path in ("/account/usage/secret", "/account/usage?id=secret", "/account/secret"):
        answer = visitor.get(path)
        assert (answer.status_code, packed(answer)) == (404, False), path


def test_a_form_that_comes_from_our_own_page_has_no_words_of_others(any_shop: Shop) -> None:
    visitor = Visitor(any_shop)
    visitor.join("forms@solaria.example")
    refused = visitor.send("/account/keys", name="x", limit="much")
    assert (refused.status_code, packed(refused)) == (422, True)
    foreign = visitor.http.post("/account/keys", data={"name": "secret"})
    assert (foreign.status_code, packed(foreign)) == (403, False)
    asked = visitor.send("/account/billing/buy?amount=secret", form_of="/account/billing", amount="much")
    assert (asked.status_code, packed(asked)) == (422, False)
    assert not packed(visitor.get("/account/billing/buy?amount=secret"))


def test_no_two_answers_show_the_same_guard(any_shop: Shop) -> None:
    visitor = Visitor(any_shop)
    visitor.join("guarded@solaria.example")
    shown = [set(re.findall(r'csrf" value="([^"]+)"', visitor.get("/account/security").text)) for _ in range(3)]
    assert [len(guards) for guards in shown] == [1, 1, 1]
    assert len(set().union(*shown)) == 3
    assert len({guard[32:] for guards in shown for guard in guards}) == 3
    for (guard,) in shown:  # each of them is good as long as the session is
        sent = {"csrf": guard, "action": "profile", "name": "Jane"}
        assert visitor.http.post("/account/security", data=sent).status_code == 303


def packed(answer: httpx.Response) -> bool:
    return "content-encoding" in answer.headers


def called_once(shop: Shop, visitor: Visitor, email: str) -> str:
    """The id of a key that made one call."""
    owner = ("--tenant", "solaria", "--customer", email)
    shop.grant("solaria", email, "1.00")
    key = shop.ask("key", "create", *owner)
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"authorization": f"Bearer {key['key']}"}
    visitor.http.post("/v1/chat/completions", json=body, headers=headers).raise_for_status()
    return str(key["id"])
