"""Events in the form of the provider's published examples, into facts. Each fixture names its sources."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from reseller_kit.core.ids import new_id
from reseller_kit.core.payment import Adjustment, Fact, PaidItem, Payment, Subscription, TaxLine
from reseller_kit.core.times import parse_time
from reseller_kit.payments.paddle import Account, Paddle
from reseller_kit.payments.references import signed_order

FOLDER: Final = Path(__file__).parents[2] / "fixtures" / "paddle"
NAMES: Final = sorted(path.stem for path in FOLDER.glob("*.json"))
KEY: Final = b"k" * 32
ORDER: Final = new_id("ord")
SECRET: Final = "pdl_ntfset_fixture"
NOW: Final = 1_790_000_000
PADDLE: Final = Paddle(Account(api_key="key", webhook_secret=SECRET, environment="sandbox", reference_key=KEY))


def fixture(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def fact(name: str) -> Fact | None:
    """What is understood of a fixture whose order bears our signature."""
    event = fixture(name)["event"]
    if event["data"].get("custom_data"):
        event["data"]["custom_data"] = {"order": signed_order(KEY, ORDER)}
    body = json.dumps(event).encode()
    signed = hmac.digest(SECRET.encode(), f"{NOW}:".encode() + body, hashlib.sha256).hex()
    delivery = PADDLE.verify(body, {"paddle-signature": f"ts={NOW};h1={signed}"}, NOW * 1_000_000)
    assert (delivery.event_id, delivery.kind) == (event["event_id"], event["event_type"])
    assert delivery.occurred_at == parse_time(event["occurred_at"])
    return delivery.fact


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_is_understood_and_names_its_source(name: str) -> None:
    assert fact(name) is not None
    sources = fixture(name)["source"]
    kind = fixture(name)["event"]["event_type"]
    assert name.startswith(kind)
    assert any(kind.replace(".", "-").replace("_", "-") in source for source in sources)
    assert re.fullmatch(r"evt_[a-z\d]{26}", fixture(name)["event"]["event_id"])


def test_a_completed_purchase() -> None:
    assert fact("transaction.completed") == Payment(
        ref="txn_01jz5c0d3a7purchase0000001",
        status="completed",
        origin="purchase",
        occurred_at=parse_time("2026-06-01T09:31:12.700000Z"),
        items=(PaidItem(price_ref="pri_01jz4q8m3starter0000000000", quantity=1),),
        currency="USD",
        subtotal=1000,
        discount=0,
        tax=190,
        fee=110,
        total=1190,
        tax_lines=(TaxLine(rate="0.19", minor=190),),
        order_id=ORDER,
        claimed=None,
        customer_ref="ctm_01jz5bzcustomer00000000001",
        invoice_ref="inv_01jz5c2invoice000000000001",
    )


@pytest.mark.parametrize(
    ("name", "status", "origin"),
    [
        ("transaction.created", "open", "purchase"),
        ("transaction.ready", "open", "purchase"),
        ("transaction.updated", "open", "purchase"),
        ("transaction.payment_failed", "open", "purchase"),
        ("transaction.paid", "paid", "purchase"),
        ("transaction.canceled", "cancelled", "purchase"),
        ("transaction.billed", "open", "renewal"),
        ("transaction.past_due", "failed", "renewal"),
    ],
)
def test_the_states_on_the_way(name: str, status: str, origin: str) -> None:
    found = fact(name)
    assert isinstance(found, Payment)
    assert (found.status, found.origin, found.fee) == (status, origin, None)
    if origin == "renewal":
        assert found.subscription_ref is not None
        assert found.period_starts_at == parse_time("2026-07-01T09:31:10.500000Z")
        assert found.period_ends_at == parse_time("2026-08-01T09:31:10.500000Z")


@pytest.mark.parametrize(
    ("name", "kind", "status", "total"),
    [
        ("adjustment.created", "refund", "pending", 595),
        ("adjustment.updated", "refund", "approved", 595),
        ("adjustment.created.chargeback", "chargeback", "approved", 1190),
        ("adjustment.created.chargeback_reverse", "chargeback_reverse", "approved", 1190),
    ],
)
def test_what_goes_back(name: str, kind: str, status: str, total: int) -> None:
    found = fact(name)
    assert isinstance(found, Adjustment)
    assert (found.kind, found.status, found.total, found.currency) == (kind, status, total, "USD")
    assert found.payment_ref == "txn_01jz5c0d3a7purchase0000001"
    assert found.created_at == parse_time("2026-06-03T12:00:00.100000Z")


@pytest.mark.parametrize(
    ("name", "status", "ends"),
    [
        ("subscription.created", "active", None),
        ("subscription.activated", "active", None),
        ("subscription.updated", "active", "2026-07-01T09:31:10.500000Z"),
        ("subscription.past_due", "past_due", None),
        ("subscription.paused", "paused", None),
        ("subscription.resumed", "active", None),
        ("subscription.canceled", "cancelled", "2026-07-01T09:31:10.500000Z"),
    ],
)
def test_subscriptions(name: str, status: str, ends: str | None) -> None:
    found = fact(name)
    assert isinstance(found, Subscription)
    assert (found.status, found.order_id, found.quantity) == (status, ORDER, 1)
    assert found.cancel_at == (None if ends is None else parse_time(ends))
    assert found.price_ref == "pri_01jz4q8m3monthly0000000000"
