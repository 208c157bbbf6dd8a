"""How many statements each page of storefront and portal asks: as many with one row as with several, and few."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import pytest

from tests.support.accounts import PASSWORD, Visitor
from tests.support.inside import Inside, inside
from tests.support.product import LITERALS, Shop

ROWS: Final = 4
MOST: Final = 14
MOST_OF_STRANGERS: Final = 4
VISITED: Final = {
    *("/", "/announcements", "/contact", "/docs/curl", "/faq", "/legal/terms", "/models", "/models/tiny", "/pricing"),
    *("/status", "/account", "/account/billing", "/account/billing/orders/ID", "/account/billing/orders/ID/receipt"),
    *("/account/billing/statements", "/account/billing/subscriptions/ID", "/account/keys", "/account/keys/ID"),
    *("/account/playground", "/account/security", "/account/support", "/account/support/ID", "/account/usage"),
    "/account/usage/ID",
}
"""Some of the pages that links lead to: a list without its rows would count nothing."""
_LINK: Final = re.compile(r'href="(/[^"#]*)"')
_FIELD: Final = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
_ID: Final = re.compile(r"(?<=/)[a-z]{2,4}_[0-9A-Z]{26}")
_NOT_OF_THE_PAGE: Final = re.compile(r"FROM announcement\b|^UPDATE customer_session\b")
"""What is kept for a second, and noted every few minutes: whichever page comes first asks it."""
_FILES: Final = re.compile(r"^/(theme|brand|logout|verify|reset)\b|\.(json|csv|pdf|png|svg|ico|txt|xml|webmanifest)$")


class Customer(Visitor):
    """A customer whose lists can be made longer."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        self.email = f"rows{id(self)}@solaria.example"
        self.join(self.email)

    def order(self, package: str) -> str:
        """Order it as the page that confirms it says; the order's id."""
        page = self.get("/account/billing/buy", params={"package": package}).text
        form = dict(_FIELD.findall(page[page.index('action="/account/billing/buy"') :]))
        answer = self.http.post("/account/billing/buy", data={**form, "accept": "yes"})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"]).rpartition("/")[2].partition("?")[0]

    def one_more(self, number: int) -> None:
        """A further row of everything that a customer has many of."""
        owner = ("--tenant", "solaria", "--customer", self.email)
        grant = ("credit", "grant", *owner, "--amount", "1.00", "--reason", "a row")
        self.shop.ask(*grant, "--expires", "2099-01-01", "--idempotency-key", f"{self.email}{number}")
        key = self.shop.ask("key", "create", *owner, "--name", f"key {number}")["key"]
        call = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
        self.http.post("/v1/chat/completions", json=call, headers={"authorization": f"Bearer {key}"}).raise_for_status()
        for package in ("sunbeam", "daybreak"):
            if package == "sunbeam" or number == 0:
                self.shop.ask("order", "approve", self.order(package))
        Visitor(self.shop).log_in(self.email, PASSWORD)
        assert self.send("/contact", subject=f"Row {number}", body="It is a row.").status_code in {200, 303}
        announced = ("announcement", "publish", "--tenant", "solaria", "--title", f"Row {number}", "--body", "A row.")
        self.shop.ask(*announced)


async def counted(server: Inside, cookies: dict[str, str]) -> dict[str, list[str]]:
    """Every page that links lead to, by its path without ids, with the statements that it asked."""
    found: dict[str, list[str]] = {}
    waiting = ["/", "/account"]
    while waiting:
        path = waiting.pop(0)
        name = _ID.sub("ID", path.partition("?")[0])
        if name in found or _FILES.search(name):
            continue
        answer, asked = await server.get(path, cookies)
        assert answer.status_code in {200, 303, 404}, (path, answer.status_code)
        found[name] = [
            one for one in asked if one not in {"BEGIN", "BEGIN IMMEDIATE"} and not _NOT_OF_THE_PAGE.search(one)
        ]
        waiting += [link.replace("&amp;", "&") for link in _LINK.findall(answer.text)]
    return found


@pytest.mark.thorough
async def test_every_page_asks_as_many_statements_for_many_rows_as_for_one(any_shop: Shop) -> None:
    customer = await asyncio.to_thread(Customer, any_shop)
    async with inside(any_shop, LITERALS["solaria"]) as server:
        cookies = dict(customer.http.cookies.items())
        await asyncio.to_thread(customer.one_more, 0)
        await counted(server, cookies)
        one = await counted(server, cookies)
        for number in range(1, ROWS):
            await asyncio.to_thread(customer.one_more, number)
        many = await counted(server, cookies)
        stranger = await counted(server, {})
    assert set(one) >= VISITED
    assert set(stranger) >= {"/login", "/signup", "/pricing", "/status"}
    assert not {path: asked for path, asked in stranger.items() if len(asked) > MOST_OF_STRANGERS}
    more = {
        path: (len(one[path]), len(asked)) for path, asked in many.items() if len(asked) > len(one.get(path, asked))
    }
    assert not more, {path: many[path] for path in more}
    assert not {path: asked for path, asked in many.items() if len(asked) > MOST}
