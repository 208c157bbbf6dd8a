"""A reseller pays the operator at the double of Paddle: by webhook, by asking, given back, and never twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support import paddle_shop as support
from tests.support.paddle_shop import SHARED, PaddleShop
from tests.support.product import eventually

DESK = "127.0.0.1"
PAYER = ("--email", "owner@solaria.example")


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaddleShop]:
    folder = tmp_path_factory.mktemp("paddle")
    template = Path(folder) / "shop.toml"
    text = support.TEMPLATE.read_text()
    assert '"desk.localhost"' in text
    template.write_text(text.replace('"desk.localhost"', f'"desk.localhost", "{DESK}"'))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(support, "TEMPLATE", template)
        with support.paddle_shop(folder) as running:
            url = f"http://{DESK}:{running.shop.server.port}/webhooks/paddle"
            running.double.set(SHARED[0], webhook_url=url)
            yield running


def balance(paid: PaddleShop, tenant: str = "solaria") -> Decimal:
    return Decimal(paid.shop.ask("wholesale", "balance", "--tenant", tenant)["balance"])


def top_up(paid: PaddleShop, amount: str) -> tuple[str, str]:
    """The order and its transaction at the provider."""
    asked = paid.shop.ask("wholesale", "topup", "--tenant", "solaria", "--amount", amount, *PAYER)
    found = re.search(r"_ptxn=(txn_\w+)", asked["url"])
    assert found is not None, asked
    return asked["id"], found[1]


def order(paid: PaddleShop, order_id: str) -> dict[str, Any]:
    found: dict[str, Any] = paid.shop.ask("order", "show", order_id)
    return found


def test_a_top_up_is_deposited_once_by_its_webhook_and_goes_back_in_its_share(paid: PaddleShop) -> None:
    before, other = balance(paid), balance(paid, "lunaris")
    order_id, transaction = top_up(paid, "50.00")
    paid.double.fault("duplicate", match="transaction.completed", count=3)
    paid.double.pay(transaction, country="DE", email="owner@solaria.example")
    paid.double.settle()
    eventually(lambda: balance(paid) == before + 50 or None, "the deposit")
    eventually(lambda: order(paid, order_id)["status"] == "activated" or None, "the order says so too")

    # Gross 59.50 with 19 % tax: half of it takes half of the deposit.
    paid.shop.ask("order", "refund", order_id, "--reason", "goodwill", "--amount", "29.75")
    (asked,) = [one for one in paid.double.state(SHARED[0])["adjustments"] if one["action"] == "refund"]
    assert balance(paid) == before + 50
    paid.double.decide(asked["id"], approved=True)
    paid.double.settle()
    eventually(lambda: balance(paid) == before + 25 or None, "its share went back")
    eventually(lambda: order(paid, order_id)["status"] == "partially_refunded" or None, "the order says so too")
    assert balance(paid, "lunaris") == other
    assert paid.shop.ask("ledger", "audit")["ok"]


def test_with_every_webhook_lost_reconcile_deposits_it_once(paid: PaddleShop) -> None:
    before = balance(paid)
    paid.double.fault("drop", match="", times=None)
    order_id, transaction = top_up(paid, "20.00")
    paid.double.pay(transaction, country="DE", email="owner@solaria.example")
    assert order(paid, order_id)["status"] == "checkout_open"
    for _ in range(2):
        document = paid.shop.ask("reconcile", "--provider", "paddle")
        assert {line["unmatched"] for line in document["tenants"]} == {0}, document
    assert balance(paid) == before + 20
    assert order(paid, order_id)["status"] == "activated"
    paid.double.heal()
    assert paid.shop.ask("order", "findings")["findings"] == []
    assert paid.shop.ask("ledger", "audit")["ok"]
