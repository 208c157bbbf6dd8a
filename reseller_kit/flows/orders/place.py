"""A customer orders, or gives an order up. Sees no payment.

An order is committed before its provider is asked, and the provider's answer is stored after it: what dies in between
leaves an order that lapses, never a payment without an order.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from msgspec import Struct

from ...core.errors import AccountSuspended, Conflict, InvalidRequest, NotFound
from ...core.ids import new_id
from ...core.money import format_amount, parse_amount
from ...core.order import UNPAID, transition
from ...core.times import SECOND_US
from ...db import customers, operator, orders, outbox, packages, tenants
from ...db.customers import Customer
from ...db.engine import NO_TENANT, Connection, Database, now_us
from ...db.orders import Order
from ...db.packages import Offer
from ...payments import Manual, Provider, Purchase
from ..customers import require_customer
from ..tenants import require_tenant
from .look import OrderDetail, show_order
from .steps import change, mail, mailed, require_order

MAX_OPEN: Final = 20
"""Orders of one customer that wait for a payment; more are refused until some end."""
_DRAFT_SECONDS: Final = 3_600
_MAX_KEY: Final = 200


class Wanted(Struct, frozen=True, kw_only=True):
    """What a customer asks for. `amount` (nano-USD) is for top-ups, `terms_hash` what was accepted on the page.

    `request_key` names the form that asks: sent twice, it is one order.
    """

    package: str
    amount: int | None = None
    terms_hash: str | None = None
    request_key: str | None = None


class Placed(Struct, frozen=True):
    """An order, and where it is paid; None where it is paid outside."""

    order: Order
    url: str | None


def provider_of(settings: dict[str, Any]) -> Provider:
    """How a tenant is paid. Raises InvalidRequest for a provider that is not built in."""
    name = settings.get("payments", {}).get("provider", "manual")
    if name != "manual":
        raise InvalidRequest(
            f"Orders through {name} can't be taken yet.", fix='Set provider = "manual" in [tenants.payments].'
        )
    return Manual()


def terms_hash(offer: Offer) -> str:
    """What a customer accepts with an offer: the digest of its version and terms."""
    facts = [offer.code, offer.version, dict(sorted(offer.terms.items()))]
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()


async def place_order(
    db: Database, provider: Provider, *, tenant_id: int, customer_id: str, wanted: Wanted, actor: str
) -> Placed:
    """A customer's order, opened for payment.

    Raises NotFound for a package that is not on offer, InvalidRequest for an amount that it does not have, Conflict
    when the offer is another one than that accepted or too many orders are open, AccountSuspended.
    """
    if wanted.request_key is not None and not 0 < len(wanted.request_key) <= _MAX_KEY:
        raise InvalidRequest("The request key is empty or too long.", param="request_key")
    order = await _draft(db, provider, tenant_id, customer_id, wanted, actor)
    if order.state != "draft":
        return Placed(order, order.provider_facts.get("url"))
    checkout = await provider.open_checkout(
        Purchase(reference=order.id, title=order.title, price_nano=order.price_nano, email=order.email)
    )
    now = now_us()
    async with db.write(tenant_id) as connection:
        facts = {**checkout.facts, **({"url": checkout.url} if checkout.url else {})}
        opened = await orders.change(
            connection,
            tenant_id,
            order.id,
            transition("draft", "open"),
            actor=actor,
            now=now,
            provider_ref=checkout.provider_ref,
            provider_facts=facts,
            lapses_at=now + checkout.lapses_seconds * SECOND_US,
        )
        found = await require_order(connection, tenant_id, order.id)
        if opened and checkout.url is None:
            await _tell_of_request(connection, found, now)
    return Placed(found, checkout.url)


async def order_for(db: Database, *, tenant_slug: str, customer: str, wanted: Wanted, actor: str) -> OrderDetail:
    """An order for a customer, on the operator's word. Raises as `place_order` does."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        owner = await require_customer(connection, tenant, customer)
    provider = provider_of(tenant.settings)
    placed = await place_order(db, provider, tenant_id=tenant.id, customer_id=owner.id, wanted=wanted, actor=actor)
    return await show_order(db, placed.order.id)


async def cancel_order(db: Database, *, tenant_id: int, customer_id: str, order_id: str, actor: str) -> Order:
    """A customer gives up an order that is not paid. Raises NotFound for another's, Conflict when it is paid."""
    async with db.write(tenant_id) as connection:
        order = await require_order(connection, tenant_id, order_id, customer_id, lock=True)
        if order.state != "cancelled":
            if order.state not in UNPAID:
                transition(order.state, "open")
            await change(connection, order, transition(order.state, "cancel"), actor)
        return await require_order(connection, tenant_id, order_id)


async def _draft(
    db: Database, provider: Provider, tenant_id: int, customer_id: str, wanted: Wanted, actor: str
) -> Order:
    async with db.write(tenant_id) as connection:
        if wanted.request_key is not None:
            known = await orders.find_request(connection, tenant_id, customer_id, wanted.request_key)
            if known is not None:
                return _same(known, wanted)
        customer = await customers.find(connection, tenant_id, customer_id)
        offer = await packages.offered(connection, tenant_id, wanted.package)
        if customer is None or offer is None:
            codes = await packages.offered_codes(connection, tenant_id)
            fix = f"Offered are: {', '.join(codes)}." if codes else "Nothing is on offer at the moment."
            raise NotFound(f"There is no package {wanted.package[:80]!r} on offer.", fix=fix)
        await _check(connection, customer, offer, wanted)
        price, credited = priced(offer, wanted.amount)
        now = now_us()
        row = {
            "id": new_id("ord"),
            "customer_id": customer.id,
            "package_id": offer.id,
            "provider": provider.name,
            "provider_facts": {},
            "price_nano": price,
            "credits_nano": credited,
            "terms_hash": terms_hash(offer),
            "request_key": wanted.request_key,
            "created_at": now,
            "lapses_at": now + _DRAFT_SECONDS * SECOND_US,
        }
        if await orders.add(connection, tenant_id, row, actor) or wanted.request_key is None:
            return await require_order(connection, tenant_id, str(row["id"]))
        # Sent twice at once: the other one was stored first.
        known = await orders.find_request(connection, tenant_id, customer_id, wanted.request_key)
        if known is None:
            raise Conflict("The order changed meanwhile.", fix="Look at your orders, then try again.")
        return _same(known, wanted)


def _same(known: Order, wanted: Wanted) -> Order:
    """The order that a form became. Raises Conflict when the form asks for something else now."""
    if known.package != wanted.package or (wanted.amount is not None and wanted.amount != known.price_nano):
        raise Conflict("This form was sent before, for something else.", fix="Open the page again, then order.")
    return known


async def _check(connection: Connection, customer: Customer, offer: Offer, wanted: Wanted) -> None:
    if customer.status != "active":
        raise AccountSuspended("The account is suspended.")
    if customer.verified_at is None:
        raise InvalidRequest("The e-mail address is not verified yet.", fix="Open the link in the mail, then order.")
    if wanted.terms_hash is not None and wanted.terms_hash != terms_hash(offer):
        raise Conflict("The offer has changed since the page was opened.", fix="Look at it again, then order.")
    if await orders.open_count(connection, customer.tenant_id, customer.id) >= MAX_OPEN:
        raise Conflict(f"{MAX_OPEN} orders wait for a payment already.", fix="Pay or cancel one of them first.")


def priced(offer: Offer, amount: int | None) -> tuple[int, int]:
    """What is paid and credited, in nano-USD. Raises InvalidRequest for an amount that the offer does not have."""
    if offer.terms.get("kind", "package") == "topup":
        low, high = parse_amount(offer.terms["min"]), parse_amount(offer.terms["max"])
        if amount is None or not low <= amount <= high:
            fix = f"Choose between {format_amount(low)} and {format_amount(high)} USD."
            raise InvalidRequest("The amount is not one that can be bought.", param="amount", fix=fix)
        if amount % 10_000_000:
            raise InvalidRequest("The amount has fractions of a cent.", param="amount", fix="Give whole cents.")
        return amount, amount
    if amount is not None:
        raise InvalidRequest("This package has its own price.", param="amount", fix="Leave the amount out.")
    return parse_amount(offer.terms["price"]), parse_amount(offer.terms["credits"])


async def _tell_of_request(connection: Connection, order: Order, now: int) -> None:
    """The customer reads how to pay; the reseller's team that somebody wants to."""
    await mail(connection, order, "order_requested", {}, now)
    tenant = await operator.tenant_by_id(connection, order.tenant_id)
    for member in await tenants.members(connection, order.tenant_id):
        if tenant is not None and member.role in {"owner", "finance"} and member.status != "removed":
            await outbox.add(
                connection,
                order.tenant_id,
                kind="order_to_approve",
                recipient=member.email,
                payload={"storefront": tenant.name, "customer": order.email, **mailed(order)},
                dedupe=f"order_to_approve:{order.id}:{member.email}",
                now=now,
            )
