"""A payment provider of the tests' own: objects in memory, deliveries signed by HMAC, refunds by reference.

Knows nothing of the product but the Protocol that it implements.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec

from reseller_kit.core.errors import InvalidRequest, ServiceUnavailable
from reseller_kit.core.payment import Adjustment, AdjustmentStatus, Fact, PaidItem, Payment, Pin, Subscription
from reseller_kit.db.engine import Database
from reseller_kit.flows.providers import PaidThrough, Providers
from reseller_kit.payments import Checkout, Manual, Provider, Purchase
from reseller_kit.payments.base import Delivery, RefundWanted
from reseller_kit.vault import Vault

_KINDS: Final = {"payment": Payment, "adjustment": Adjustment, "subscription": Subscription}
STALE_US: Final = 300_000_000
SECRET: Final = b"a-secret-of-the-provider"


class Till:
    """The provider. `answers`: what `refund` says of each refund, and `faults`: how often it fails first."""

    def __init__(self, name: str = "paddle", secret: bytes = SECRET, answers: AdjustmentStatus = "approved") -> None:
        self.name = name
        self.secret = secret
        self.answers = answers
        self.faults = 0
        self.lost = 0
        self.refuses = ""
        self.made: dict[str, Fact] = {}
        self.refunds: dict[str, Adjustment] = {}
        self.opened = 0
        self.shared = False

    def pin(self, purchase: Purchase) -> Pin | None:
        return Pin(price_ref="pri_starter", currency="USD", subtotal=purchase.price_nano // 10**7)

    async def open_checkout(self, purchase: Purchase) -> Checkout:
        self.opened += 1
        ref = f"txn_{purchase.reference}_{self.opened}"
        return Checkout(lapses_seconds=3600, url=f"https://pay.example/{ref}", provider_ref=ref, pin=self.pin(purchase))

    def verify(self, body: bytes, headers: Mapping[str, str], now: int) -> Delivery:
        at, _, mark = headers.get("x-signature", "").partition(":")
        if not hmac.compare_digest(mark, sign(self.secret, at, body)) or not at.isdigit():
            raise InvalidRequest("The signature is wrong.")
        if abs(now - int(at)) > STALE_US:
            raise InvalidRequest("The signature is stale.")
        event = json.loads(body)
        told = event["fact"]
        fact = None if told is None else msgspec.convert(told, _KINDS[event["kind"]])
        return Delivery(
            event_id=event["id"], kind=event["kind"], occurred_at=0 if fact is None else fact.occurred_at, fact=fact
        )

    def is_sure(self, fact: Fact) -> bool:
        return not self.shared or (not isinstance(fact, Adjustment) and bool(fact.order_id))

    async def facts(self, since: int) -> AsyncIterator[Fact]:
        for fact in list(self.made.values()):
            if fact.occurred_at >= since:
                yield fact

    async def fact(self, payment_ref: str) -> Fact | None:
        return self.made.get(payment_ref)

    async def refund(self, wanted: RefundWanted) -> Adjustment:
        if self.refuses:
            raise InvalidRequest(self.refuses)
        if self.faults:
            self.faults -= 1
            raise ServiceUnavailable("The provider is away.")
        known = self.refunds.get(wanted.reference)
        if known is None:
            known = Adjustment(
                ref=f"adj_{len(self.refunds)}",
                payment_ref=wanted.payment_ref,
                kind="refund",
                status=self.answers,
                occurred_at=10,
                currency=wanted.currency,
                total=wanted.paid if wanted.minor is None else wanted.minor,
            )
            self.refunds[wanted.reference] = self.made[known.ref] = known
        if self.lost:
            self.lost -= 1
            raise ServiceUnavailable("The answer was lost.")
        return known


class Tills(Providers):
    """Every tenant is paid through the same provider, or outside."""

    def __init__(self, db: Database, till: Provider) -> None:
        super().__init__(db, Vault({"k": bytes(32)}, bytes(32)))
        self._till = till

    async def of(self, tenant_id: int) -> PaidThrough:
        return PaidThrough(provider=self._till, account="till")

    async def named(self, tenant_id: int, name: str) -> PaidThrough:
        return PaidThrough(provider=Manual() if name == "manual" else self._till, account="till")


def sign(secret: bytes, at: str, body: bytes) -> str:
    return hmac.new(secret, at.encode() + b":" + body, hashlib.sha256).hexdigest()


def delivery(event_id: str, fact: Fact | None, *, secret: bytes = SECRET, at: int) -> tuple[bytes, dict[str, str]]:
    """A delivery's raw body and headers."""
    kind = "other" if fact is None else type(fact).__name__.lower()
    body = msgspec.json.encode({"id": event_id, "kind": kind, "fact": fact})
    return body, {"x-signature": f"{at}:{sign(secret, str(at), body)}"}


def paid(order: str | None, ref: str, minor: int, **other: Any) -> Payment:
    """A completed payment of one package, with a fifth of tax on top."""
    values: dict[str, Any] = {
        "ref": ref,
        "status": "completed",
        "origin": "purchase",
        "occurred_at": 5,
        "items": (PaidItem(price_ref="pri_starter", quantity=1),),
        "currency": "USD",
        "subtotal": minor,
        "tax": minor // 5,
        "total": minor + minor // 5,
        "order_id": order,
    }
    return Payment(**{**values, **other})


def adjusted(ref: str, payment: Payment, total: int | None = None, **other: Any) -> Adjustment:
    """Something that went back of a payment."""
    values: dict[str, Any] = {
        "ref": ref,
        "payment_ref": payment.ref,
        "kind": "refund",
        "status": "approved",
        "occurred_at": 6,
        "currency": payment.currency,
        "total": payment.total if total is None else total,
    }
    return Adjustment(**{**values, **other})
