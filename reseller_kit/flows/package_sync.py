"""Makes a tenant's packages known to its payment provider: before the first checkout of each, or all at once.

The provider is asked outside of transactions; what dies in between is found again there by its key. A version is made
once and never changed: a new one is another product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from ..core.money import parse_amount
from ..db import packages, provider_prices
from ..db.engine import NO_TENANT, Database, now_us
from ..db.packages import Offer
from ..db.provider_prices import Account, ProviderPrice
from ..payments import Catalogue, CatalogueItem, CatalogueRef
from ..payments.faults import asking
from ..vault import Vault
from .providers import PaidThrough, Providers, item_key
from .tenants import require_tenant

_CENT_NANO: Final = 10_000_000
_CURRENCY: Final = "USD"


class Synced(Struct, frozen=True, kw_only=True):
    """A version of a package with what its provider calls it; `state`: known, made or withdrawn."""

    package: str
    version: int
    state: str
    product_ref: str
    price_ref: str | None


Progress = Callable[[int, int], None]
"""How many of how many are done."""


async def catalogue_ref(
    db: Database, vault: Vault, through: PaidThrough, tenant_id: int, offer: Offer
) -> CatalogueRef | None:
    """What the provider calls a version, made there if it has to be; None where the provider keeps no catalogue.

    Raises ServiceUnavailable and InvalidRequest as the provider does.
    """
    provider, at = through.provider, _account(through)
    if not isinstance(provider, Catalogue):
        return None
    async with db.read(tenant_id) as connection:
        known = await provider_prices.find(connection, tenant_id, at, offer.id)
    if known is not None and known.withdrawn_at is None:
        return CatalogueRef(product_ref=known.product_ref, price_ref=known.price_ref)
    made: CatalogueRef | None = None
    with asking(provider):
        async for _, ref in provider.synchronise([_item(vault, tenant_id, offer)]):
            made = ref
            break
    if made is not None:
        await _store(db, tenant_id, at, offer, made)
    return made


async def forget_ref(db: Database, through: PaidThrough, tenant_id: int, package_id: int) -> None:
    """The provider knows a version no longer, whatever was noted; it is made anew when it is next bought."""
    async with db.write(tenant_id) as connection:
        await provider_prices.withdraw(connection, tenant_id, _account(through), package_id, now_us())


async def synchronise(
    db: Database, vault: Vault, providers: Providers, *, tenant_slug: str, progress: Progress = lambda *_: None
) -> list[Synced]:
    """Make everything on offer known, and archive there what is on offer no longer. Repeating it changes nothing.

    Raises NotFound, and what the provider raises; what was done until then stays.
    """
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        offered = await packages.offers(connection, tenant.id)
    through = await providers.of(tenant.id)
    if not isinstance(through.provider, Catalogue):
        return []
    at = _account(through)
    async with db.read(tenant.id) as connection:
        known = {one.package_id: one for one in await provider_prices.known(connection, tenant.id, at)}
    missing = {item_key(vault, tenant.id, offer.id): offer for offer in offered if offer.id not in known}
    stale = [one for one in known.values() if one.package_id not in {offer.id for offer in offered}]
    done = [_synced(offer, "known", known[offer.id]) for offer in offered if offer.id in known]
    total = len(missing) + len(stale)
    progress(0, total)
    if missing:
        items = [_item(vault, tenant.id, offer) for offer in missing.values()]
        async for item, ref in through.provider.synchronise(items):
            stored = await _store(db, tenant.id, at, missing[item.key], ref)
            done.append(_synced(missing[item.key], "made", stored))
            progress(len(done) - len(offered) + len(missing), total)
    done += await _withdraw(db, through.provider, tenant.id, at, stale)
    if stale:
        progress(total, total)
    return done


async def _withdraw(
    db: Database, provider: Catalogue, tenant_id: int, at: Account, stale: Iterable[ProviderPrice]
) -> list[Synced]:
    done = []
    for one in stale:
        await provider.withdraw(CatalogueRef(product_ref=one.product_ref, price_ref=one.price_ref))
        async with db.write(tenant_id) as connection:
            await provider_prices.withdraw(connection, tenant_id, at, one.package_id, now_us())
            offer = await packages.version(connection, tenant_id, one.package_id)
        if offer is not None:
            done.append(_synced(offer, "withdrawn", one))
    return done


async def _store(db: Database, tenant_id: int, at: Account, offer: Offer, ref: CatalogueRef) -> ProviderPrice:
    price = _price(offer)
    stored = ProviderPrice(
        package_id=offer.id,
        product_ref=ref.product_ref,
        price_ref=ref.price_ref,
        currency=_CURRENCY,
        minor=None if price is None else price // _CENT_NANO,
    )
    async with db.write(tenant_id) as connection:
        await provider_prices.put(connection, tenant_id, at, stored, now_us())
    return stored


def _item(vault: Vault, tenant_id: int, offer: Offer) -> CatalogueItem:
    return CatalogueItem(
        key=item_key(vault, tenant_id, offer.id),
        title=str(offer.terms["title"]),
        price_nano=_price(offer),
        period=period_of(offer),
    )


def period_of(offer: Offer) -> str:
    """How often it renews; "" for what does not."""
    return str(offer.terms.get("period") or "") if offer.terms.get("kind") == "subscription" else ""


def _price(offer: Offer) -> int | None:
    return None if offer.terms.get("kind") == "topup" else parse_amount(offer.terms["price"])


def _account(through: PaidThrough) -> Account:
    return Account(through.provider.name, through.account)


def _synced(offer: Offer, state: str, stored: ProviderPrice) -> Synced:
    return Synced(
        package=offer.code,
        version=offer.version,
        state=state,
        product_ref=stored.product_ref,
        price_ref=stored.price_ref,
    )
