"""A customer orders, or gives an order up. Sees no payment.

An order is committed before its provider is asked, and the provider's answer is stored after it: what dies in between
leaves an order that lapses, never a payment without an order.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ...core.errors import AccountSuspended, Conflict, InvalidRequest, NotFound
from ...core.ids import new_id
from ...core.offers import terms_digest
from ...core.order import UNPAID, transition
from ...core.times import SECOND_US
from ...db import customers, operator, orders, outbox, packages, tenants
from ...db.customers import Customer
from ...db.engine import NO_TENANT, Connection, Database, now_us
from ...db.orders import Order
from ...db.packages import Offer
from ...payments import Provider
from ...vault import Vault
from ..customers import require_customer
from ..order_steps import change, mail, mailed, require_order
from ..providers import Providers
from ..tenants import require_tenant
from .checkout import Names, names_at, open_order
from .look import OrderDetail, show_order
from .pricing import priced

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


def terms_hash(offer: Offer) -> str:
    """What a customer accepts with an offer: the digest of its version and terms."""
    return terms_digest(offer.code, offer.version, offer.terms)


async def place_order(
    db: Database,
    provider: Provider,
    *,
    tenant_id: int,
    customer_id: str,
    wanted: Wanted,
    actor: str,
    names: Names | None = None,
    origin: str = "",
) -> Placed:
    """A customer's order, opened for payment at this provider. A form sent again finds the order that it became.

    Raises NotFound for a package that is not on offer, InvalidRequest for an amount that it does not have, Conflict
    when the offer is another one than that accepted or too many orders are open, AccountSuspended.
    """
    if wanted.request_key is not None and not 0 < len(wanted.request_key) <= _MAX_KEY:
        raise InvalidRequest("The request key is empty or too long.", param="request_key")
    order = await _draft(db, provider, tenant_id, customer_id, wanted, actor)
    if order.state != "draft":
        return Placed(order, order.provider_facts.get("url"))
    found, checkout, opened = await open_order(db, provider, order, actor=actor, names=names, origin=origin)
    if opened and checkout.url is None:
        async with db.write(tenant_id) as connection:
            await _tell_of_request(connection, found, now_us())
    return Placed(found, checkout.url)


async def buy(
    db: Database,
    vault: Vault,
    providers: Providers,
    *,
    tenant_id: int,
    customer_id: str,
    wanted: Wanted,
    actor: str,
    origin: str = "",
) -> Placed:
    """`place_order` as the tenant is paid now. `origin`: of the storefront, where the customer comes back to.

    Raises as `place_order` and the provider do.
    """
    through = await providers.of(tenant_id)
    return await place_order(
        db,
        through.provider,
        tenant_id=tenant_id,
        customer_id=customer_id,
        wanted=wanted,
        actor=actor,
        names=names_at(db, vault, through, tenant_id),
        origin=origin,
    )


async def open_again(
    db: Database,
    vault: Vault,
    providers: Providers,
    *,
    tenant_id: int,
    customer_id: str,
    order_id: str,
    actor: str,
    origin: str = "",
) -> Placed:
    """A customer's order whose provider did not answer, opened for payment after all; any other as it is.

    Raises NotFound for another's, and what the provider raises.
    """
    async with db.read(tenant_id) as connection:
        order = await require_order(connection, tenant_id, order_id, customer_id)
    if order.state != "draft":
        return Placed(order, order.provider_facts.get("url"))
    through = await providers.named(tenant_id, order.provider)
    names = names_at(db, vault, through, tenant_id)
    found, checkout, _ = await open_order(db, through.provider, order, actor=actor, names=names, origin=origin)
    return Placed(found, checkout.url)


async def order_for(
    db: Database, vault: Vault, *, tenant_slug: str, customer: str, wanted: Wanted, actor: str
) -> OrderDetail:
    """An order for a customer, on the operator's word. Raises as `place_order` does."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        owner = await require_customer(connection, tenant, customer)
    providers = Providers(db, vault)
    try:
        placed = await buy(db, vault, providers, tenant_id=tenant.id, customer_id=owner.id, wanted=wanted, actor=actor)
    finally:
        providers.close()
    return await show_order(db, placed.order.id)


async def cancel_order(db: Database, *, tenant_id: int, customer_id: str, order_id: str, actor: str) -> Order:
    """A customer gives up an order that is not paid. Raises NotFound for another's, Conflict when it is paid."""
    async with db.write(tenant_id) as connection:
        order = await require_order(connection, tenant_id, order_id, customer_id, lock=True)
        if order.state != "cancelled":
            if order.state not in UNPAID:
                transition(order.state, "open")
            await change(connection, order, transition(order.state, "cancel"), actor, cancelled_at=now_us())
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
        raise Conflict(
            f"The idempotency key {known.request_key!r} was used for another order.",
            fix="Use a new key for a new order, or repeat the first one word for word.",
        )
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
