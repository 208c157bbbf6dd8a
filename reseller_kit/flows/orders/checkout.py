"""Opens a placed order at its provider: commit, ask, store. Places no order and sees no payment.

What a payment will have to agree with is stored before the provider is asked: what dies after it has answered leaves a
payment whose signed reference finds the order, and the order knows what it was opened for.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from ...core.errors import InvalidRequest, NotFound
from ...core.order import transition
from ...core.payment import Pin
from ...core.times import SECOND_US
from ...db import orders, packages
from ...db.engine import Database, now_us
from ...db.orders import Order
from ...db.packages import Offer
from ...payments import CatalogueRef, Checkout, Preview, Previews, Provider, Purchase
from ...payments.faults import asking
from ...vault import Vault
from ..order_steps import require_order
from ..package_sync import catalogue_ref, forget_ref, period_of
from ..providers import PaidThrough, Providers
from .pricing import priced

_log = logging.getLogger(__name__)


class Names(Struct, frozen=True):
    """What the provider calls what is sold: `of` a version, made there when it is new; `forget` one that is wrong.

    `shared`: the account is the operator's, and the money comes to it.
    """

    of: Callable[[Offer], Awaitable[CatalogueRef | None]]
    forget: Callable[[Offer], Awaitable[None]]
    shared: bool = False


def names_at(db: Database, vault: Vault, through: PaidThrough, tenant_id: int) -> Names:
    """The names in one tenant's account."""
    return Names(
        of=lambda offer: catalogue_ref(db, vault, through, tenant_id, offer),
        forget=lambda offer: forget_ref(db, through, tenant_id, offer.id),
        shared=through.shared,
    )


async def open_order(
    db: Database, provider: Provider, order: Order, *, actor: str, names: Names | None, origin: str
) -> tuple[Order, Checkout, bool]:
    """Open a draft for payment: the order, its checkout, and whether it was this call that opened it.

    Raises ServiceUnavailable and InvalidRequest as the provider does; the order stays a draft then.
    """
    checkout = await _checkout(db, provider, order, names, origin)
    now = now_us()
    facts = {**checkout.facts, **_pinned(checkout.pin, names), **({"url": checkout.url} if checkout.url else {})}
    async with db.write(order.tenant_id) as connection:
        opened = await orders.change(
            connection,
            order.tenant_id,
            order.id,
            transition("draft", "open"),
            actor=actor,
            now=now,
            provider_ref=checkout.provider_ref,
            provider_facts=facts,
            lapses_at=now + checkout.lapses_seconds * SECOND_US,
        )
        return await require_order(connection, order.tenant_id, order.id), checkout, opened


async def _checkout(db: Database, provider: Provider, order: Order, names: Names | None, origin: str) -> Checkout:
    async with db.read(order.tenant_id) as connection:
        offer = await packages.version(connection, order.tenant_id, order.package_id)
    if offer is None:
        raise LookupError(f"{order.id} names a package that is not there")
    purchase = purchase_of(order, offer, origin)
    if names is None:
        return await _open(db, provider, order, purchase, names)
    try:
        named = msgspec.structs.replace(purchase, item=await names.of(offer))
    except InvalidRequest as refused:
        # A catalogue that can't be written to must not stop a sale: the price is made for this one.
        _log.warning("%s is sold without a price in the provider's catalogue: %s", order.id, refused.message)
        return await _open(db, provider, order, purchase, names)
    try:
        return await _open(db, provider, order, named, names)
    except InvalidRequest:
        if named.item is None:
            raise
        # Archived over there, or another account's: made anew once.
        await names.forget(offer)
        again = msgspec.structs.replace(purchase, item=await names.of(offer))
        if again.item == named.item:
            raise
    return await _open(db, provider, order, again, names)


async def _open(db: Database, provider: Provider, order: Order, purchase: Purchase, names: Names | None) -> Checkout:
    with asking(provider):
        pin = provider.pin(purchase)
    if pin is not None:
        async with db.write(order.tenant_id) as connection:
            await orders.expect(connection, order.tenant_id, order.id, _pinned(pin, names))
    with asking(provider):
        checkout = await provider.open_checkout(purchase)
        if not isinstance(checkout, Checkout):
            raise TypeError(f"open_checkout gave a {type(checkout).__name__}, no Checkout")  # as if it had raised
    return checkout


async def preview(
    db: Database,
    vault: Vault,
    providers: Providers,
    tenant_id: int,
    offer: Offer,
    *,
    amount: int | None,
    country: str,
) -> Preview:
    """What somebody in a country pays for an offer. Raises as the provider does, NotFound where it tells nothing."""
    through = await providers.of(tenant_id)
    if not isinstance(through.provider, Previews):
        raise NotFound("The payment provider tells no prices.")
    purchase = Purchase(
        reference="",
        title=str(offer.terms["title"]),
        price_nano=priced(offer, amount)[0],
        email="",
        period=period_of(offer),
        item=await catalogue_ref(db, vault, through, tenant_id, offer),
    )
    with asking(through.provider):
        return await through.provider.preview(purchase, country)


def purchase_of(order: Order, offer: Offer, origin: str = "") -> Purchase:
    """An order as a provider gets it."""
    return Purchase(
        reference=order.id,
        title=order.title,
        price_nano=order.price_nano,
        email=order.email,
        package=order.package,
        version=order.version,
        period=period_of(offer),
        return_url=f"{origin}/account/billing/orders/{order.id}" if origin else "",
        customer_id=order.customer_id,
    )


def _pinned(pin: Pin | None, names: Names | None) -> dict[str, object]:
    shared: dict[str, object] = {"shared": True} if names is not None and names.shared else {}
    return shared if pin is None else {"pin": msgspec.to_builtins(pin), **shared}
