"""The API as a page of another origin calls it: a browser asks first, and hides what does not let the page in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.product import Customer, Shop

PAGE = "https://app.example"
ASKED = "authorization,content-type,x-stainless-lang,anthropic-dangerous-direct-browser-access"


@pytest.fixture(scope="module")
def customer(shops: Callable[[str], Shop]) -> Customer:
    return shops("sqlite").customer()


def ask_first(shop: Shop, customer: Customer, path: str, **more: str) -> httpx.Response:
    """The question that a browser puts before the request, without any key."""
    headers = {"host": customer.host, "origin": PAGE, "access-control-request-method": "POST"}
    asked = {"access-control-request-headers": ASKED, **more}
    return shop.http.request("OPTIONS", f"{customer.origin}{path}", headers={**headers, **asked})


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1/messages?beta=true",
        "/v1/responses",
        "/v1/models",
        "/models",
        "/chat/completions",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    ],
)
def test_a_browser_is_let_in_with_the_headers_it_asks_for(any_shop: Shop, customer: Customer, path: str) -> None:
    answer = ask_first(any_shop, customer, path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == ASKED
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert int(answer.headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("asked", ["a b", "x" * 5000, "", "a(b)", "a,,b;c"])
def test_no_odd_list_of_headers_is_sent_back(any_shop: Shop, customer: Customer, asked: str) -> None:
    answer = ask_first(any_shop, customer, "/v1/responses", **{"access-control-request-headers": asked})
    assert answer.status_code == 204
    assert "authorization" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("path", ["/account", "/console", "/metrics", "/login"])
def test_pages_let_nobody_in(any_shop: Shop, customer: Customer, path: str) -> None:
    answer = ask_first(any_shop, customer, path)
    assert not any(name.startswith("access-control") for name in answer.headers)
    read = any_shop.http.get(f"{customer.origin}{path}", headers={"host": customer.host, "origin": PAGE})
    assert not any(name.startswith("access-control") for name in read.headers)


@pytest.mark.parametrize("more", [{}, {"stream": True}], ids=["plain", "stream"])
def test_a_page_may_read_what_it_is_answered(any_shop: Shop, customer: Customer, more: dict[str, Any]) -> None:
    answer = any_shop.call(customer, **more, headers={"origin": PAGE})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "*"


def test_a_page_may_read_why_it_is_refused(any_shop: Shop, customer: Customer) -> None:
    for headers in ({}, {"authorization": "Bearer sol_none"}):
        answer = any_shop.http.post(
            f"{customer.origin}/v1/messages", headers={"host": customer.host, "origin": PAGE, **headers}
        )
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "*"


def test_nobody_else_is_told_of_pages(any_shop: Shop, customer: Customer) -> None:
    assert not any(name.startswith("access-control") for name in any_shop.call(customer).headers)
