"""Storefronts that are paid through the double of Paddle, and customers who buy there."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.accounts import Visitor, problems
from tests.support.paddle_double import API_KEY, SECRET, PaddleDouble, paddle_double
from tests.support.product import Shop, open_shop

TEMPLATE: Final = Path(__file__).with_suffix(".toml")
SHARED: Final = ("pdl_shared_key", "pdl_shared_secret")
BUY: Final = "/account/billing/buy"
_NUMBERS: Final = itertools.count(1)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')


@dataclass
class PaddleShop:
    """Both programs. `double` is the account of solaria; lunaris shares the operator's."""

    shop: Shop
    double: PaddleDouble


class Customer(Visitor):
    """Somebody who signed up at a storefront and buys there."""

    def __init__(self, shop: Shop, slug: str = "solaria") -> None:
        super().__init__(shop, slug)
        self.email = f"payer{next(_NUMBERS)}@{slug}.example"
        self.join(self.email)

    def form(self, **chosen: str) -> dict[str, str]:
        """The fields of the page that confirms an order."""
        page = self.get(BUY, params=chosen)
        assert page.status_code == 200, problems(page)
        return dict(_HIDDEN.findall(page.text[page.text.index(f'method="post" action="{BUY}"') :]))

    def buy(self, **chosen: str) -> httpx.Response:
        """Order and accept: the answer to that."""
        return self.http.post(BUY, data={**self.form(**chosen), "accept": "yes"})

    def orders(self) -> list[dict[str, Any]]:
        """The customer's orders as the operator sees them, newest first."""
        found: list[dict[str, Any]] = self.shop.ask("order", "list", "--tenant", self.slug, "--customer", self.email)[
            "orders"
        ]
        return found


@contextmanager
def paddle_shop(folder: Path) -> Iterator[PaddleShop]:
    """Both programs, running; webhooks go to solaria."""
    with paddle_double(folder, "--account", *SHARED, "") as double:
        template = folder / "template.toml"
        template.write_text(TEMPLATE.read_text().replace("@paddle@", double.url))
        environment = {
            "SOLARIA_KEY": API_KEY,
            "SOLARIA_SECRET": SECRET,
            "SHARED_KEY": SHARED[0],
            "SHARED_SECRET": SHARED[1],
        }
        with open_shop(folder, template=template, environment=environment) as shop:
            double.set(webhook_url=f"http://127.0.0.2:{shop.server.port}/webhooks/paddle")
            yield PaddleShop(shop, double)
