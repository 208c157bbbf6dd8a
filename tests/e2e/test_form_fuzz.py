"""Every form of a storefront with what nobody should type: no fault, and what is shown is shown as text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.accounts import Visitor
from tests.support.databases import Databases, url_for_processes
from tests.support.product import Shop, open_shop

NUMBERS = itertools.count(1)
MARKUP: Final = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>{{7*7}}${7*7}{% raw %}"
ODD: Final = (
    MARKUP,
    "\U0001f4a9\u202etxet\u202c\u200f مرحبا \ufeff",
    "nul\0here",
    "\r\nx-injected: 1\r\n",
    "9" * 30,
    "-1",
    "1e9",
    "٣",
    "' OR 1=1 --",
    "../../etc/passwd",
    "\ud7ff\ue000\uffff",
    "x" * 64_000,
)
"""What is typed into each field in turn."""
SHORT: Final = (MARKUP, "nul\0here")
BODIES: Final = (
    b"",
    b"&&&==&",
    b"csrf=%ff%fe",
    b"csrf=\xff",
    b"&".join([b"a=1"] * 500),
    b"csrf[]=x",
    b"a=" + b"x" * 70_000,
)
"""Bodies that no browser sends."""
KEY: Final = re.compile(r"/account/keys/key_[0-9A-Z]{26}")
CASE: Final = re.compile(r"/account/support/case_[0-9A-Z]{26}")
PAGES: Final = ("/signup", "/login", "/reset", "/verify", "/contact", "/unsubscribe?customer=x&token=y")
ACCOUNT: Final = (
    "/account", "/account/keys", "/account/usage", "/account/security", "/account/support", "/account/billing",
    "/account/playground", "/contact",
)  # fmt: skip
LOOKED_UP: Final = (
    "/account/keys/{}", "/account/usage/{}", "/account/usage/{}/charge", "/account/usage?id={}",
    "/account/usage?key={}", "/account/usage?model={}", "/account/usage?cursor={}", "/account/usage?since={}",
    "/account/usage/export.csv?model={}&key={}", "/account/keys?cursor={}", "/account/support/{}",
    "/account/support?cursor={}", "/contact?about={}", "/verify?token={}", "/reset?token={}", "/login?next={}",
    "/login?done={}", "/signup?invite={}", "/unsubscribe?customer={}&token={}", "/legal/{}", "/legal/terms?version={}",
    "/docs/{}", "/theme/{}", "/theme/static/{}", "/?lang={}", "/models?q={}", "/{}",
)  # fmt: skip
LETTERS: Final = (
    "%00",
    "%ff",
    "%ed%a0%80",
    "%3Cscript%3E",
    "%f0%9f%92%a9",
    "..%2f..%2fetc",
    "%0d%0ax-injected:1",
    "9" * 400,
)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def shop(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A shop of its own on each database: so many attempts slow down everybody from this address."""
    folder = tmp_path_factory.mktemp("fuzzed-shop")
    with url_for_processes(request.param, databases) as url, open_shop(folder, url) as opened:
        yield opened


class Forms(HTMLParser):
    """The forms of a page: where each is sent, and its fields as they are filled in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = given.get("method", "").lower() == "post"
            if self._open:
                self.found.append((given.get("action", ""), {}))
        elif self._open and tag in {"input", "textarea", "select", "button"} and given.get("name"):
            self.found[-1][1].setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def forms_of(visitor: Visitor, *pages: str) -> list[tuple[str, dict[str, str]]]:
    """Each different form once."""
    found: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {}
    for page in pages:
        answer = visitor.get(page)
        for action, fields in Forms(answer.text).found:
            path = action if action.startswith("/") else page
            kind = (urlsplit(path).path, fields.get("action", ""), *sorted(fields))
            found.setdefault(kind, (path, fields))
    return list(found.values())


def literal(page: str) -> bool:
    """Whether nothing of the markup became markup and no template was filled in."""
    return "<img src=x" not in page and "<script>alert" not in page and "49${" not in page


def tried(visitor: Visitor, path: str, fields: dict[str, str]) -> None:
    """One form, a field at a time, then without it, then with it twice."""
    for name, value in itertools.product(fields, ODD):
        if name in {"csrf", "action"} and value not in SHORT:
            continue
        answer = visitor.http.post(path, data={**fields, name: value})
        where = (path, name, value[:20], answer.status_code)
        assert answer.status_code < 500, where
        assert "x-injected" not in answer.headers, where
        assert literal(answer.text), where
    for name in fields:
        missing = {other: value for other, value in fields.items() if other != name}
        assert visitor.http.post(path, data=missing).status_code < 500, (path, name)
    twice = urlencode([*fields.items(), *fields.items()])
    kind = {"content-type": "application/x-www-form-urlencoded"}
    for body in (twice.encode(), *BODIES):
        assert visitor.http.post(path, content=body, headers=kind).status_code < 500, (path, body[:20])


def member(shop: Shop) -> Visitor:
    visitor, address = Visitor(shop), f"fuzz{next(NUMBERS)}@solaria.example"
    visitor.join(address)
    shop.grant("solaria", address, "5.00")
    return visitor


def test_forms_of_strangers_take_anything(shop: Shop) -> None:
    visitor = Visitor(shop)
    forms = forms_of(visitor, *PAGES)
    assert {urlsplit(path).path for path, _ in forms} >= {"/signup", "/login", "/reset", "/contact"}
    for path, fields in forms:
        tried(visitor, path, {**fields, **({"email": "x@solaria.example"} if "email" in fields else {})})


def test_forms_of_customers_take_anything(shop: Shop) -> None:
    visitor = member(shop)
    made = visitor.send("/account/keys", name=MARKUP[:60])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in visitor.get("/account/keys").text
    case = visitor.send("/contact", subject=MARKUP[:100], body=MARKUP)
    key, said = KEY.search(made.text), CASE.search(case.text)
    assert key is not None
    assert said is not None
    further = (key[0], said[0])
    assert "{{7*7}}${7*7}{% raw %}" in visitor.get(said[0]).text
    forms = forms_of(visitor, *ACCOUNT, *further)
    assert len({urlsplit(path).path for path, _ in forms}) >= 5
    for path, fields in forms:
        if path == "/logout" or fields.get("action") in {"end_others", "end_session"}:
            continue
        tried(visitor, path, fields)
    assert visitor.logged_in()
    for page in (*ACCOUNT, *further):
        shown = visitor.get(page)
        assert shown.status_code in {200, 404}, page
        assert literal(shown.text), page


def test_addresses_take_anything(shop: Shop) -> None:
    visitor = member(shop)
    for path, letters in itertools.product(LOOKED_UP, LETTERS):
        answer = visitor.get(path.replace("{}", letters))
        where = (path, letters, answer.status_code)
        assert answer.status_code < 500, where
        assert "x-injected" not in answer.headers, where
        assert "<script>" not in answer.text, where
