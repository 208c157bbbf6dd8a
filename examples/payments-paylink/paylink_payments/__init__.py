"""Payments at an imagined service of payment links, small enough to be read in one go.

Its API: `POST /links` makes a link, `GET /payments?since=` and `GET /payments/{id}` tell what became of payments,
`POST /payments/{id}/refunds` gives money back, once for each `reference`. Its webhooks carry a payment and are signed:
`x-paylink-signature: SECONDS.HEX`, the HMAC-SHA256 of `SECONDS.BODY`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import requests

from reseller_kit.plugins import (
    Adjustment,
    Checkout,
    Delivery,
    Fact,
    InvalidRequest,
    PaidItem,
    Payment,
    PaymentPlugin,
    PaymentSetup,
    Pin,
    Purchase,
    RefundWanted,
    ServiceUnavailable,
    order_of,
    signed_order,
    to_minor,
)

_CURRENCY: Final = "USD"
_LAPSES_SECONDS: Final = 86_400
_TOLERANCE_SECONDS: Final = 300
_TIMEOUT_SECONDS: Final = 10
_STATES: Final = {"open": "open", "paid": "completed", "failed": "failed", "cancelled": "cancelled"}


class Paylink:
    """One account at the service."""

    name: Final = "paylink"

    def __init__(self, setup: PaymentSetup) -> None:
        self._setup = setup
        self._url = setup.environment if "://" in setup.environment else setup.options["url"].rstrip("/")

    def pin(self, purchase: Purchase) -> Pin | None:
        """Before anybody is asked only the amount is known; "" lets any one item of it do."""
        return Pin(price_ref="", currency=_CURRENCY, subtotal=to_minor(purchase.price_nano, _CURRENCY))

    async def open_checkout(self, purchase: Purchase) -> Checkout:
        """A link for one payment. The order's id goes along signed, and comes back with the payment."""
        made = await self._ask(
            "POST",
            "/links",
            {
                "title": purchase.title,
                "amount": to_minor(purchase.price_nano, _CURRENCY),
                "currency": _CURRENCY,
                "reference": signed_order(self._setup.reference_key, purchase.reference),
                "return_url": purchase.return_url,
            },
        )
        return Checkout(
            lapses_seconds=_LAPSES_SECONDS,
            url=made["url"],
            provider_ref=made["payment"],
            pin=self.pin(purchase),
        )

    def verify(self, body: bytes, headers: Mapping[str, str], now: int) -> Delivery:
        """Nobody but the service can have signed it, and not long ago."""
        seconds, _, given = headers.get("x-paylink-signature", "").partition(".")
        expected = hmac.digest(self._setup.webhook_secret.encode(), seconds.encode() + b"." + body, hashlib.sha256)
        if not hmac.compare_digest(expected.hex().encode(), given.encode("utf-8", "replace")):
            raise InvalidRequest("The signature does not fit.")
        if not seconds.isdecimal() or abs(int(seconds) - now // 1_000_000) > _TOLERANCE_SECONDS:
            raise InvalidRequest("The signature is too old.")
        try:
            event = json.loads(body)
            fact = self._payment(event["payment"])
            return Delivery(event_id=event["id"], kind=event["kind"], occurred_at=fact.occurred_at, fact=fact)
        except (ValueError, KeyError, TypeError):
            raise InvalidRequest("The delivery is not one that is understood.") from None

    def is_sure(self, fact: Fact) -> bool:
        """In an account that others use too, a payment is ours when its order is."""
        return not self._setup.shared or (isinstance(fact, Payment) and fact.order_id is not None)

    async def facts(self, since: int) -> AsyncIterator[Fact]:
        """Every payment that changed since, and what was given back of it."""
        for payment in (await self._ask("GET", f"/payments?since={since}"))["payments"]:
            yield self._payment(payment)
            for refund in payment["refunds"]:
                yield _refund(payment, refund)

    async def fact(self, payment_ref: str) -> Fact | None:
        """One payment as it is now."""
        if not payment_ref.isalnum():
            return None
        found = await self._ask("GET", f"/payments/{payment_ref}", missing=None)
        return None if found is None else self._payment(found)

    async def refund(self, wanted: RefundWanted) -> Adjustment:
        """The service gives back once for each reference, however often it is asked."""
        amount = wanted.paid if wanted.minor is None else wanted.minor
        asked = {"reference": wanted.reference, "amount": amount, "reason": wanted.reason}
        made = await self._ask("POST", f"/payments/{wanted.payment_ref}/refunds", asked)
        return _refund({"id": wanted.payment_ref, "currency": wanted.currency}, made)

    async def check(self) -> None:
        """What the console's "Try credentials" asks; it raises as every method does."""
        await self._ask("GET", f"/payments?since={time.time_ns() // 1_000}")

    async def domains(self) -> dict[str, str] | None:
        """The service approves no domains."""
        return None

    def _payment(self, found: Mapping[str, Any]) -> Payment:
        order_id = order_of(self._setup.reference_key, str(found["reference"]))
        return Payment(
            ref=str(found["id"]),
            status=_STATES[found["state"]],  # type: ignore[arg-type]
            origin="purchase",
            occurred_at=int(found["changed_at"]),
            items=(PaidItem(price_ref="", quantity=1),),
            currency=str(found["currency"]),
            subtotal=int(found["amount"]),
            total=int(found["amount"]),
            order_id=order_id,
            claimed=None if order_id else str(found["reference"]),
        )

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, **instead: Any) -> Any:
        """The service's answer; `missing` for what it does not have. Its client blocks, so it has a thread."""
        try:
            answer = await asyncio.to_thread(
                requests.request,
                method,
                self._url + path,
                json=body,
                headers={"authorization": f"Bearer {self._setup.api_key}"},
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
            )
            if answer.status_code == requests.codes.not_found and "missing" in instead:
                return instead["missing"]
            if 400 <= answer.status_code < 500 and answer.status_code != requests.codes.too_many_requests:
                raise InvalidRequest(f"The payment service refused ({answer.status_code}).")
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException:
            raise ServiceUnavailable("The payment service does not answer.") from None


def _refund(payment: Mapping[str, Any], found: Mapping[str, Any]) -> Adjustment:
    return Adjustment(
        ref=str(found["id"]),
        payment_ref=str(payment["id"]),
        kind="refund",
        status="approved",
        occurred_at=int(found["at"]),
        created_at=int(found["at"]),
        currency=str(payment["currency"]),
        total=int(found["amount"]),
        reason=str(found["reason"]),
    )


plugin = PaymentPlugin(make=Paylink, options=("url",))
