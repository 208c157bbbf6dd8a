"""A subscription at the double of Paddle: bought, renewed, changed and cancelled, each period credited once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.support.paddle_shop import Customer, PaddleShop, paddle_shop
from tests.support.product import eventually

BILLING = "/account/billing"


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaddleShop]:
    with paddle_shop(tmp_path_factory.mktemp("paddle")) as running:
        yield running


class Subscriber(Customer):
    """Somebody who has bought a plan."""

    def subscription(self) -> dict[str, Any]:
        owner = ("--tenant", self.slug, "--customer", self.email)
        found: list[dict[str, Any]] = self.shop.ask("subscription", "list", *owner)["subscriptions"]
        return found[0] if found else {}

    def balance(self) -> str:
        owner = ("--tenant", self.slug, "--customer", self.email)
        return str(self.shop.ask("credit", "balance", *owner)["balance"])

    def choose(self, action: str, **fields: str) -> None:
        path = f"{BILLING}/subscriptions/{self.subscription()['id']}"
        answer = self.send(path, action=action, **fields)
        assert answer.status_code == 303, answer.text


def test_a_plan_is_bought_renewed_enlarged_and_cancelled(paid: PaddleShop) -> None:
    kim = Subscriber(paid.shop)
    found = re.search(r"_ptxn=(txn_\w+)", kim.buy(package="monthly").headers["location"])
    assert found is not None
    paid.double.pay(found[1], country="DE")
    paid.double.settle()
    eventually(lambda: kim.orders()[0]["status"] == "activated" or None, "the first period is credited")
    first = kim.subscription()
    assert (first["status"], first["package"], kim.balance()) == ("active", "monthly", "25.00")
    assert eventually(lambda: kim.subscription()["provider_ref"], "the provider's name of it").startswith("sub_")
    assert "Renews on" in kim.get(BILLING).text

    paid.double.advance(days=32)
    paid.double.settle()
    eventually(lambda: kim.balance() == "50.00" or None, "the second period is credited")
    moved = "the subscription is in its second period"
    eventually(lambda: kim.subscription()["period_starts_at"] == first["period_ends_at"] or None, moved)
    assert [order["status"] for order in kim.orders()] == ["activated", "activated"]

    kim.choose("change", package="large")
    paid.double.settle()
    eventually(lambda: kim.subscription()["package"] == "large" or None, "the larger plan counts")
    eventually(lambda: [one["status"] for one in kim.orders()][:-2] == ["activated"] or None, "its credit is added")
    upgraded = Decimal(kim.balance())
    assert 94 < upgraded <= 95

    larger = kim.orders()[0]
    assert (larger["package"], larger["status"]) == ("large", "activated")
    shown = paid.shop.ask("order", "show", larger["id"])
    assert 27 < Decimal(shown["price"]) <= 30
    receipt = kim.get(f"{BILLING}/orders/{larger['id']}/receipt")
    assert receipt.status_code == 200
    paid.shop.ask("order", "refund", larger["id"], "--reason", "goodwill", "--amount", "5.00")
    (asked,) = [one for one in paid.double.state()["adjustments"] if one["action"] == "refund"]
    assert asked["transaction_id"] == shown["provider_ref"]
    paid.double.decide(asked["id"], approved=True)
    paid.double.settle()
    eventually(lambda: Decimal(kim.balance()) < upgraded or None, "a part of it went back")
    # The ledger takes the credit back first; what the order says of it is written when that is sure.
    shown = eventually(
        lambda: (now := paid.shop.ask("order", "show", larger["id"]))["status"] != "activated" and now,
        "the order says so",
    )
    assert shown["status"] == "partially_refunded"
    upgraded = Decimal(kim.balance())

    paid.double.advance(days=31)
    paid.double.settle()
    eventually(lambda: Decimal(kim.balance()) == upgraded + 70 or None, "the third period is the larger plan's")

    kim.choose("cancel")
    assert "is not renewed" in kim.get(BILLING).text
    kim.choose("resume")
    assert kim.subscription()["cancel_at"] is None
    kim.choose("cancel")
    paid.double.advance(days=32)
    paid.double.settle()
    eventually(lambda: kim.subscription()["status"] == "ended" or None, "it has ended")
    assert Decimal(kim.balance()) == upgraded + 70
    paid.shop.assert_books_are_right()
