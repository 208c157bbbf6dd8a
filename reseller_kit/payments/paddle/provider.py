"""Paddle behind the Protocols of `payments.base`: checkout, webhooks, facts by asking, refunds.

There is no idempotency key at Paddle. A checkout that was asked for twice makes two transactions, of which each bears
the order's signed id, so that a payment of either finds its order; a refund is looked for by its reference before it is
asked for.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar

from msgspec import Struct

from ...core.errors import InvalidRequest, ServiceUnavailable
from ...core.payment import Adjustment, Fact, Payment, Pin, Subscription
from ...core.times import DAY_US, format_time
from ..base import CatalogueItem, CatalogueRef, Checkout, Delivery, Preview, Purchase, RefundWanted
from ..references import order_of, signed_order
from . import catalogue, decode, selfservice, shapes
from .account import Account, base_url
from .api import Api, Refused
from .signing import check_signature

T = TypeVar("T")
P = ParamSpec("P")

_log = logging.getLogger(__name__)
_LAPSES_SECONDS: Final = 86_400
_SETTLES_US: Final = 180 * DAY_US
"""An adjustment changes no more after this long: a dispute has an end, and its reversal is one of its own."""
_CHANGED: Final = "billed,paid,completed,canceled,past_due"
_CURRENCY: Final = "USD"


class _Customer(Struct, frozen=True):
    id: str
    email: str = ""


class Paddle:
    """One account, for the tenants that are paid through it."""

    name: Final = "paddle"

    def __init__(self, account: Account) -> None:
        """Raises InvalidRequest without an API key or webhook secret: an empty secret would accept anybody's word."""
        for member in ("api_key", "webhook_secret"):
            if not getattr(account, member).strip():
                raise InvalidRequest(f"{member} is empty.", param=member, fix="Give the one from the account.")
        if len(account.reference_key) < 16:
            raise InvalidRequest("The key that signs orders is too short.")
        self._account = account
        self._api = Api(account.api_key, base_url(account.environment))

    @property
    def overlay(self) -> bool:
        """Whether the checkout opens over our own page."""
        return self._account.checkout == "overlay"

    def pin(self, purchase: Purchase) -> Pin | None:
        """See `Provider.pin`."""
        price_ref = "" if purchase.item is None else purchase.item.price_ref or ""
        return Pin(price_ref=price_ref, currency=_CURRENCY, subtotal=catalogue.cents(purchase.price_nano))

    async def open_checkout(self, purchase: Purchase) -> Checkout:
        """See `Provider.open_checkout`. Raises Refused where the account has no page to pay on."""
        wanted = catalogue.cents(purchase.price_nano)
        made = await self._api.post("/transactions", await self._members(purchase), shapes.Transaction)
        totals = None if made.details is None else made.details.totals
        agrees = totals is None or decode.amount(totals.subtotal) == wanted
        if not decode.usable_ref(made.id) or len(made.items or ()) > 1 or made.currency_code != _CURRENCY or not agrees:
            raise ServiceUnavailable("The payment provider made another checkout than the one asked for.")
        url = made.checkout.url if made.checkout is not None else None
        if not url and self._account.client_token and purchase.return_url:
            url = f"{purchase.return_url}/pay"
        if not url:
            raise Refused("The account has no page to pay on yet.", status=400, reason="no_payment_link")
        return Checkout(
            lapses_seconds=_LAPSES_SECONDS,
            url=selfservice.safe_url(url),
            provider_ref=made.id,
            pin=Pin(price_ref=_price_of(made, purchase), currency=_CURRENCY, subtotal=wanted),
        )

    async def _members(self, purchase: Purchase) -> dict[str, Any]:
        account = self._account
        if purchase.item is not None and purchase.item.price_ref is not None:
            item: dict[str, Any] = {"price_id": purchase.item.price_ref, "quantity": 1}
        else:
            item = {"price": selfservice.inline_price(purchase, account.tax_category), "quantity": 1}
        members: dict[str, Any] = {
            "items": [item],
            "currency_code": _CURRENCY,
            "collection_mode": "automatic",
            "custom_data": {decode.ORDER_MEMBER: signed_order(account.reference_key, purchase.reference)},
        }
        customer = await self._customer(purchase.email)
        if customer is not None:
            members["customer_id"] = customer
        if account.checkout_url:
            members["checkout"] = {"url": account.checkout_url}
        return members

    async def _customer(self, email: str) -> str | None:
        """The account's customer of that address, made where there is none; None where it takes none of that."""
        try:
            async for one in self._api.each("/customers", _Customer, {"email": email, "per_page": "50"}):
                if one.email.casefold() == email.casefold() and decode.usable_ref(one.id):
                    return one.id
            return (await self._api.post("/customers", {"email": email}, _Customer)).id
        except Refused:
            # An address that it refuses, or one that it keeps archived: the customer is asked on its own page.
            return None

    def verify(self, body: bytes, headers: Mapping[str, str], now: int) -> Delivery:
        """See `Provider.verify`."""
        check_signature(self._account.webhook_secret, body, headers, now)
        return decode.delivery(body, self._order_of)

    async def facts(self, since: int) -> AsyncIterator[Fact]:
        """See `Provider.facts`. Runs as slowly as the provider asks for."""
        changed = {"updated_at[GTE]": format_time(since), "status": _CHANGED, "per_page": "30", "order_by": "id[ASC]"}
        async for transaction in self._api.each("/transactions", shapes.Transaction, changed, hurried=False):
            paid = _understood(decode.payment, transaction, self._order_of)
            if paid is not None and paid.occurred_at >= since:
                yield paid
        newest = {"per_page": "50", "order_by": "id[DESC]"}
        async for one in self._api.each("/adjustments", shapes.Adjustment, newest, hurried=False):
            adjusted = _understood(decode.adjustment, one)
            if adjusted is not None and adjusted.occurred_at >= since:
                yield adjusted
            elif adjusted is not None and 0 < adjusted.created_at < since - _SETTLES_US:
                break
        every = {"per_page": "200", "order_by": "id[ASC]"}
        async for subscription in self._api.each("/subscriptions", shapes.Subscription, every, hurried=False):
            state = _understood(decode.subscription, subscription, self._order_of)
            if state is not None and state.occurred_at >= since:
                yield state

    async def fact(self, payment_ref: str) -> Payment | None:
        """See `Provider.fact`."""
        found = await self._transaction(payment_ref)
        return None if found is None else decode.payment(found, self._order_of)

    def is_sure(self, fact: Fact) -> bool:
        """See `Provider.is_sure`. Whose an adjustment is stands on its payment alone."""
        return not self._account.shared or (not isinstance(fact, Adjustment) and bool(fact.order_id))

    async def refund(self, wanted: RefundWanted) -> Adjustment:
        """See `Provider.refund`. The reference stands in the reason, in brackets."""
        mark = f"[{wanted.reference}]"
        of_payment = {"transaction_id": wanted.payment_ref, "per_page": "50"}
        async for known in self._api.each("/adjustments", shapes.Adjustment, of_payment):
            if mark in (known.reason or "") and known.transaction_id == wanted.payment_ref:
                return _refund(known)
        members: dict[str, Any] = {
            "action": "refund",
            "transaction_id": wanted.payment_ref,
            "reason": f"{wanted.reason[:200]} {mark}",
        }
        if wanted.minor is None:
            members["type"] = "full"
        else:
            members |= {"type": "partial", "tax_mode": "internal", "items": await self._part(wanted)}
        return _refund(await self._api.post("/adjustments", members, shapes.Adjustment))

    async def cancel_subscription(self, subscription_ref: str) -> Subscription:
        """See `Renewing.cancel_subscription`."""
        asked = {"effective_from": "next_billing_period"}
        path = f"{_path(subscription_ref)}/cancel"
        return self._subscription(await self._api.post(path, asked, shapes.Subscription))

    async def resume_subscription(self, subscription_ref: str) -> Subscription:
        """See `Renewing.resume_subscription`."""
        asked = {"scheduled_change": None}
        return self._subscription(await self._api.patch(_path(subscription_ref), asked, shapes.Subscription))

    async def change_subscription(self, subscription_ref: str, purchase: Purchase, *, at_once: bool) -> Subscription:
        """See `Renewing.change_subscription`. The order that it is asked for by is signed in anew."""
        if purchase.item is None or purchase.item.price_ref is None:
            raise InvalidRequest("The payment provider does not know the package yet.")
        asked = {
            "items": [{"price_id": purchase.item.price_ref, "quantity": 1}],
            "proration_billing_mode": "prorated_immediately" if at_once else "do_not_bill",
            "custom_data": {decode.ORDER_MEMBER: signed_order(self._account.reference_key, purchase.reference)},
        }
        return self._subscription(await self._api.patch(_path(subscription_ref), asked, shapes.Subscription))

    def _subscription(self, found: shapes.Subscription) -> Subscription:
        state = decode.subscription(found, self._order_of)
        if state is None:
            raise ServiceUnavailable("The payment provider's answer is not one that is understood.")
        return state

    async def _part(self, wanted: RefundWanted) -> list[dict[str, Any]]:
        found = await self._transaction(wanted.payment_ref)
        lines = () if found is None or found.details is None else found.details.line_items or ()
        if len(lines) != 1 or not lines[0].id:
            raise InvalidRequest("The payment is not one of a single item.", fix="Give all of it back, or none.")
        return [{"item_id": lines[0].id, "type": "partial", "amount": str(wanted.minor)}]

    async def _transaction(self, ref: str) -> shapes.Transaction | None:
        if not decode.usable_ref(ref):
            return None
        try:
            return await self._api.get(f"/transactions/{ref}", shapes.Transaction)
        except Refused as refused:
            if refused.provider_status == 404:
                return None
            raise

    def synchronise(self, items: Sequence[CatalogueItem]) -> AsyncIterator[tuple[CatalogueItem, CatalogueRef]]:
        """See `Catalogue.synchronise`."""
        return catalogue.synchronise(self._api, items, self._account.tax_category)

    async def withdraw(self, ref: CatalogueRef) -> None:
        """See `Catalogue.withdraw`."""
        await catalogue.withdraw(self._api, ref)

    async def preview(self, purchase: Purchase, country: str) -> Preview:
        """See `Previews.preview`."""
        return await selfservice.preview(self._api, purchase, country, self._account.tax_category)

    async def invoice_url(self, payment_ref: str) -> str | None:
        """See `SelfService.invoice_url`."""
        return await selfservice.invoice_url(self._api, payment_ref)

    async def portal_url(self, customer_ref: str, subscription_ref: str | None = None) -> str:
        """See `SelfService.portal_url`."""
        return await selfservice.portal_url(self._api, customer_ref, subscription_ref)

    async def check(self) -> None:
        """See `Checked.check`."""
        await selfservice.check(self._api)

    async def domains(self) -> dict[str, str] | None:
        """See `Checked.domains`."""
        return await selfservice.domains(self._api)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _order_of(self, text: str) -> str | None:
        return order_of(self._account.reference_key, text)


def _understood(read: Callable[P, T | None], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What was read; None, with a line in the log, where that can't be counted on: it must not hide all others."""
    try:
        return read(*args, **kwargs)
    except InvalidRequest as error:
        _log.warning("an object of the payment provider is passed over: %s", error.message)
        return None


def _price_of(made: shapes.Transaction, purchase: Purchase) -> str:
    """The provider's name of the price that a transaction was made for: as it says, else as it was asked for."""
    asked = "" if purchase.item is None else purchase.item.price_ref or ""
    return made.items[0].price_ref if made.items else asked


def _path(subscription_ref: str) -> str:
    if not decode.usable_ref(subscription_ref):
        raise InvalidRequest("This is no subscription of the payment provider's.")
    return f"/subscriptions/{subscription_ref}"


def _refund(found: shapes.Adjustment) -> Adjustment:
    adjusted = decode.adjustment(found)
    if adjusted is None:
        raise ServiceUnavailable("The payment provider's answer is not one that is understood.")
    return adjusted
