"""What must never show on a storefront, and how a crawl looks for it.

The storefront looked at is Lunaris of `shop.toml`; Solaria's names, the platform's and the upstreams' are odd on
purpose, so that a plain search finds them and nothing else.
"""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from typing import Final

import httpx

FOREIGN: Final = ("solaria", "sunlit", "sunbeam", "handels", "127.0.0.2")
"""Strings of the other storefront."""
PLATFORM: Final = (
    "zephyrline", "desk.localhost", "stalls.localhost", "reseller_kit", "reseller-kit", "litestar", "uvicorn",
    "wholesale", "mainspring", "sparewheel", "rawfeed", "emulat", "vendor", "org-", "proj_", "cf-ray", "__cf_bm",
    "traceback",
)  # fmt: skip
"""Strings of the platform, of what it is made of, and of its upstreams."""
WILD: Final = "Lunaris <b data-wild>\"&'</b> {{7*7}} {% raw %} ${brand} {brand} %s 🌙 \u200fليلى\u200e \u202ex\u202c"
"""A brand's name of markup, quotes, templates' syntax, an emoji and marks of direction: data, wherever it shows."""
_CSS_URL: Final = re.compile(r"url\([\"']?([^\"')]+)")
_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>\\)`]+")


class Links(HTMLParser):
    """Every address that a page refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if name in {"href", "src", "action"} and value}


class Shown(HTMLParser):
    """The text of a page as its reader sees it, and whether a name in it became markup."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.wild = False
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.wild = self.wild or any(name.startswith("data-wild") for name, _ in attrs)


def links_of(answer: httpx.Response) -> set[str]:
    """Every address that a page or a style sheet refers to, as it is written there."""
    kind = answer.headers.get("content-type", "")
    if "html" in kind:
        return Links(answer.text).found
    return set(_CSS_URL.findall(answer.text)) if "css" in kind else set()


def traces(text: str, *more: str) -> list[str]:
    """The words in a text that must not be there; also as markup, JSON or an address would write them."""
    shown = unescape(text).lower()
    return [word for word in (*FOREIGN, *PLATFORM, *more) if word in shown]


def assert_literal(where: str, answer: httpx.Response) -> None:
    """A page shows the wild name as it is, and no element of it."""
    if "html" not in answer.headers.get("content-type", ""):
        return
    shown = Shown(answer.text)
    assert WILD in shown.text, where
    assert not shown.wild, where


def addresses(text: str) -> list[str]:
    """Every absolute address in a text, as a reader would follow it."""
    return [unescape(found).rstrip(".,;") for found in _ADDRESS.findall(text)]


def assert_no_trace(where: str, answer: httpx.Response, *more: str, besides: frozenset[str] = frozenset()) -> None:
    """Neither body nor headers of an answer name anybody but its own brand; `besides`: words that may be there."""
    shown = json.dumps(sorted(answer.headers.multi_items())) + answer.text
    assert (found := set(traces(shown, *more)) - besides) == set(), (where, found)
    assert not {"server", "x-powered-by", "via", "openai-organization"} & set(answer.headers), where
