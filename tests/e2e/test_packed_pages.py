"""Pages and files over the wire: packed for strangers, never where secrets lie beside words of the address."""

from __future__ import annotations

import re

from tests.support.accounts import Visitor
from tests.support.product import Shop

FIRST_LOAD_BYTES = 100_000


def weight(visitor: Visitor, path: str) -> int:
    with visitor.http.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
        assert answer.status_code == 200
        return sum(map(len, answer.iter_raw()))


def test_the_first_load_is_below_a_hundred_kilobytes(any_shop: Shop) -> None:
    visitor = Visitor(any_shop)
    page = visitor.get("/").text
    named = set(re.findall(r'(?:src|href)="(/theme/[^"]+\.(?:css|js|woff2|webmanifest|svg))"', page))
    assert any(path.endswith(".css") for path in named)
    assert sum(weight(visitor, path) for path in ("/", *named)) < FIRST_LOAD_BYTES


def test_pages_of_somebody_who_is_logged_in_are_not_packed(any_shop: Shop) -> None:
    visitor = Visitor(any_shop)
    assert visitor.get("/models").headers["content-encoding"] == "gzip"
    visitor.join("packed@solaria.example")
    for path in ("/models", "/account", "/account/billing"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers
        assert "accept-encoding" in answer.headers["vary"]
