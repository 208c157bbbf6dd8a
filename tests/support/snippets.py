"""The code that a page shows, for tests that run it."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.support.product import Customer, Shop


class Code(HTMLParser):
    """The code blocks of a page by the id of the heading before them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.blocks: dict[str, str] = {}
        self._heading = ""
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "h2":
            self._heading = dict(attrs).get("id") or ""
        if tag == "pre":
            self._inside = True
            self.blocks[self._heading] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.blocks[self._heading] += data


def snippets(shop: Shop, customer: Customer, guide: str = "quickstart") -> dict[str, str]:
    """The code blocks of a guide on the customer's storefront."""
    page = shop.get(f"/docs/{guide}", customer.host)
    assert page.status_code == 200
    return Code(page.text).blocks
