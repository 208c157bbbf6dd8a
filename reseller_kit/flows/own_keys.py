"""Use cases of a customer on its own API keys. The terms and their checks are those of `flows.keys`."""

from __future__ import annotations

from typing import Final

from ..core.errors import AccountSuspended, Conflict, NotFound
from ..core.paging import Page, Window
from ..core.storefront import Storefront
from ..db import customers, keys
from ..db.engine import Database, now_us
from ..vault import Vault
from .keys import KeyTerms, KeyView, NewKey, create_key, edit_key, list_keys, revoke_key, rotate_key, show_key

MAX_WORKING: Final = 200
"""Most working keys of one customer that it makes itself."""


async def own_keys(db: Database, storefront: Storefront, customer_id: str, window: Window) -> Page[KeyView]:
    """The customer's keys, newest first, revoked ones too."""
    return await list_keys(db, storefront.slug, customer_id, window)


async def own_key(db: Database, storefront: Storefront, customer_id: str, key_id: str) -> KeyView:
    """One of the customer's keys. Raises NotFound for an unknown one and for anybody else's."""
    return await show_key(db, key_id, storefront.slug, customer_id=customer_id)


async def create_own_key(
    db: Database, vault: Vault, storefront: Storefront, customer_id: str, terms: KeyTerms
) -> NewKey:
    """A new key. Raises AccountSuspended for a customer that may make none, Conflict for one that has very many."""
    await _require_active(db, storefront, customer_id)
    return await create_key(
        db, vault, tenant_slug=storefront.slug, customer=customer_id, terms=terms, actor=_actor(customer_id)
    )


async def edit_own_key(db: Database, storefront: Storefront, customer_id: str, key_id: str, terms: KeyTerms) -> KeyView:
    """Other terms for a key, from its next call on. Raises NotFound, Conflict for one that is revoked."""
    return await edit_key(db, key_id, storefront.slug, _actor(customer_id), customer_id=customer_id, terms=terms)


async def rotate_own_key(
    db: Database, vault: Vault, storefront: Storefront, customer_id: str, key_id: str, overlap: int
) -> NewKey:
    """A key with the same terms in the place of one that works on for `overlap` µs. Raises NotFound, Conflict."""
    await _require_active(db, storefront, customer_id)
    return await rotate_key(
        db, vault, key_id, storefront.slug, _actor(customer_id), customer_id=customer_id, overlap=overlap
    )


async def revoke_own_key(db: Database, storefront: Storefront, customer_id: str, key_id: str) -> None:
    """Refuse a key from now on, for good; a suspended customer may do that too. Raises NotFound."""
    await revoke_key(db, key_id, storefront.slug, _actor(customer_id), customer_id=customer_id)


async def _require_active(db: Database, storefront: Storefront, customer_id: str) -> None:
    async with db.read(storefront.tenant_id) as connection:
        customer = await customers.find(connection, storefront.tenant_id, customer_id)
        working = await keys.count_working(connection, storefront.tenant_id, customer_id, now_us())
    if customer is None:
        raise NotFound("There is no such customer.")
    if customer.status != "active":
        raise AccountSuspended("This account is suspended. Please contact support.")
    if customer.verified_at is None:
        raise AccountSuspended("The account's address is not verified yet.")
    if working >= MAX_WORKING:
        raise Conflict("The account has very many keys.", fix="Revoke keys that are not used any more.")


def _actor(customer_id: str) -> str:
    return f"customer:{customer_id}"
