"""Storefronts whose customers pay at the double of Paddle, with everything real between page, webhook and ledger."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.accounts import Visitor, problems
from tests.support.paddle_double import PaddleDouble, paddle_double
from tests.support.product import LITERALS, Shop, eventually, open_shop

TEMPLATE: Final = Path(__file__).with_name("paid_shop.toml")
KEYS: Final = {"solaria": "pdl_sdbx_apikey_solaria", "lunaris": "pdl_sdbx_apikey_lunaris"}
SIGNING: Final = {"solaria": "pdl_ntfset_solaria_secret", "lunaris": "pdl_ntfset_lunaris_secret"}
BILLING: Final = "/account/billing"
WEBHOOK: Final = "/webhooks/paddle"
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
_NUMBERS: Final = itertools.count(1)


@dataclass
class PaidShop:
    """The storefronts and the double that they are paid at."""

    shop: Shop
    double: PaddleDouble

    def buyer(self, slug: str = "solaria") -> Buyer:
        """A customer who is logged in and has bought nothing yet."""
        return Buyer(self, slug)

    def deliver(self, body: bytes, *, slug: str = "solaria", secret: str | None = None, age: float = 0) -> int:
        """Post a webhook to a storefront, signed with its own secret unless another is given; the status."""
        stamp = int(time.time() - age)
        used = SIGNING[slug] if secret is None else secret
        signed = hmac.digest(used.encode(), b"%d:%b" % (stamp, body), hashlib.sha256).hex()
        headers = {"paddle-signature": f"ts={stamp};h1={signed}"}
        return self.shop.http.post(self.webhook(slug), content=body, headers=headers).status_code

    def webhook(self, slug: str) -> str:
        """Where a storefront takes deliveries."""
        return f"http://{LITERALS[slug]}:{self.shop.server.port}{WEBHOOK}"

    def event(self, transaction: str, event_type: str = "transaction.completed", slug: str = "solaria") -> bytes:
        """The body of a delivery of an event that happened to a transaction."""
        events = self.double.state(KEYS[slug])["events"]
        found = [one for one in events if one["event_type"] == event_type and one["data"]["id"] == transaction]
        return json.dumps(found[-1] | {"notification_id": f"ntf_test{next(_NUMBERS)}"}).encode()

    def order(self, order_id: str) -> dict[str, Any]:
        """The operator's view of an order."""
        found: dict[str, Any] = self.shop.ask("order", "show", order_id)
        return found

    def reaches(self, order_id: str, *states: str) -> dict[str, Any]:
        """The order once it is in one of the states."""

        def look() -> dict[str, Any] | None:
            found = self.order(order_id)
            return found if found["status"] in states else None

        return eventually(look, f"{order_id} in {states}", seconds=60)


class Buyer(Visitor):
    """A customer who pays at the double's checkout, without a screen."""

    def __init__(self, paid: PaidShop, slug: str) -> None:
        super().__init__(paid.shop, slug)
        self.paid = paid
        self.email = f"payer{next(_NUMBERS)}@{slug}.example"
        self.join(self.email)

    @property
    def owner(self) -> tuple[str, ...]:
        """How commands name it."""
        return ("--tenant", self.slug, "--customer", self.email)

    def order(self, **chosen: str) -> httpx.Response:
        """Choose, accept and send the order; the answer."""
        chose = self.send(BILLING, **chosen)
        assert chose.status_code == 303, problems(chose)
        page = self.get(chose.headers["location"])
        start = page.text.index(f'action="{BILLING}/buy"')
        form = dict(_HIDDEN.findall(page.text[start:]))
        return self.http.post(f"{BILLING}/buy", data={**form, "accept": "yes"})

    def transaction(self, order_id: str) -> dict[str, Any]:
        """The transaction at the double that an order opened last."""
        transactions = self.paid.double.state(KEYS[self.slug])["transactions"]
        own = [one for one in transactions if order_id in str((one["custom_data"] or {}).get("order"))]
        assert own, f"no transaction of {order_id}"
        return own[-1]

    def balance(self) -> str:
        """The customer's balance."""
        return str(self.shop.ask("credit", "balance", *self.owner)["balance"])

    def orders(self) -> list[dict[str, Any]]:
        """Its orders as the operator lists them, newest first."""
        found: list[dict[str, Any]] = self.shop.ask("order", "list", *self.owner)["orders"]
        return found


@contextmanager
def paid_shop(folder: Path, database_url: str | None = None, *, options: Sequence[str] = ()) -> Iterator[PaidShop]:
    """Serving storefronts and the double; `options` are the double's."""
    account = ("--account", KEYS["lunaris"], SIGNING["lunaris"], "")
    with paddle_double(
        folder, "--retry-seconds", "0.05", *account, *options, api_key=KEYS["solaria"], secret=SIGNING["solaria"]
    ) as double:
        template = folder / "paid_shop.toml"
        template.write_text(TEMPLATE.read_text().replace("$paddle", double.url))
        environment = {f"{slug.upper()}_PAY_KEY": key for slug, key in KEYS.items()}
        environment |= {f"{slug.upper()}_PAY_SECRET": secret for slug, secret in SIGNING.items()}
        with open_shop(folder, database_url, template=template, environment=environment) as shop:
            paid = PaidShop(shop, double)
            for slug, key in KEYS.items():
                double.set(key, webhook_url=paid.webhook(slug))
            yield paid
