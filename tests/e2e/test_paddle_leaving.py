"""A storefront with a live subscription at the double of Paddle leaves: no further period is taken from anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paddle_shop import Customer, PaddleShop, paddle_shop
from tests.support.product import eventually

LEAVE = ("tenant", "offboard", "solaria", "--reason", "moves elsewhere", "--leave-balances", "--yes")


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[PaddleShop]:
    with paddle_shop(tmp_path) as running:
        yield running


def test_a_storefront_leaves_once_its_provider_has_cancelled_what_renews(paid: PaddleShop) -> None:
    kim, shop, double = Customer(paid.shop), paid.shop, paid.double
    owner = ("--tenant", "solaria", "--customer", kim.email)
    found = re.search(r"_ptxn=(txn_\w+)", kim.buy(package="monthly").headers["location"])
    assert found is not None
    double.pay(found[1], country="DE")
    double.settle()
    eventually(lambda: kim.orders()[0]["status"] == "activated" or None, "the first period is credited")
    named = "the provider's name of it"
    reference = eventually(lambda: shop.ask("subscription", "list", *owner)["subscriptions"][0]["provider_ref"], named)

    double.fault("status", status=503, times=None, match="POST /subscriptions/*")
    code, refused = shop.try_(*LEAVE)
    assert (code, refused["error"]["code"]) == (5, "conflict"), refused
    assert [one["what"] for one in refused["error"]["details"]] == ["subscription"]
    assert shop.ask("tenant", "show", "solaria")["status"] == "active"
    double.heal()

    shop.ask(*LEAVE)
    assert shop.ask("tenant", "show", "solaria")["status"] == "archived"
    (at_provider,) = [one for one in double.state()["subscriptions"] if one["id"] == reference]
    assert at_provider["scheduled_change"]["action"] == "cancel"
    taken = len(double.state()["transactions"])
    double.advance(days=40)
    double.settle()
    (at_provider,) = [one for one in double.state()["subscriptions"] if one["id"] == reference]
    assert (at_provider["status"], len(double.state()["transactions"])) == ("canceled", taken)
    # What the provider tells of it still arrives, though no page answers any more.
    ended = "the end of the subscription is known"
    eventually(lambda: shop.ask("subscription", "list", *owner)["subscriptions"][0]["status"] == "ended" or None, ended)
    eventually(lambda: shop.get("/", f"127.0.0.2:{shop.server.port}").status_code == 410, "the storefront's end")
    shop.assert_books_are_right()
