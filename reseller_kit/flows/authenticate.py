"""Key → account, from memory where it was seen before. A key works only on its own tenant's hosts."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from ..core import apikey
from ..core.abuse import is_restricted
from ..core.addresses import admits
from ..core.errors import AccountRestricted, AccountSuspended, AddressNotAllowed, Unauthenticated
from ..core.storefront import Storefront
from ..db.authentication import KeyAccount, find_key
from ..db.engine import Database
from ..vault import key_digest
from .patience import limited_wait

_MAX_KEYS: Final = 200_000
_UNKNOWN_KEY: Final = "The API key is not valid here. Check the key, or create a new one in your account."

_NAME_BYTES: Final = 16
_Entry = tuple[int, bytes]
"""A tenant's id and the name of a key."""


class KeyCache:
    """Recently used keys of this process, dropped as the revision says; unknown ones are not kept.

    No key is kept itself. It is remembered by a name that means nothing outside of this process (BLAKE2b under a secret
    of its own), which every call makes: that takes a quarter of the time of the digest by which the database finds it.
    """

    def __init__(self, db: Database, pepper: bytes) -> None:
        self._db, self._pepper = db, pepper
        self._naming = hashlib.blake2b(digest_size=_NAME_BYTES, key=secrets.token_bytes(32))
        self._found: OrderedDict[_Entry, KeyAccount] = OrderedDict()
        self._of: dict[str, tuple[_Entry, ...]] = {}
        """By the id of the key, and by that of its customer: what changes is found among many."""
        self._generation = 0

    def forget(self, ref: str) -> None:
        """Drop what a change of a key or a customer, by its id, made stale."""
        self._generation += 1
        for entry in self._of.get(ref, ()):
            self._drop(entry)

    def clear(self) -> None:
        """Drop everything."""
        self._generation += 1
        self._found.clear()
        self._of.clear()

    def get(self, tenant_id: int, key: str) -> KeyAccount | None:
        """The key's account, if it is in memory."""
        return self._found.get((tenant_id, self._name(key)))

    async def load(self, tenant_id: int, key: str) -> KeyAccount | None:
        """The account from the database, kept unless something changed meanwhile."""
        generation = self._generation
        async with self._db.read(tenant_id) as connection:
            account = await find_key(connection, tenant_id, key_digest(self._pepper, key))
        if account is not None and generation == self._generation:
            self._keep((tenant_id, self._name(key)), account)
        return account

    def _name(self, key: str) -> bytes:
        naming = self._naming.copy()
        naming.update(key.encode("utf-8", "surrogateescape"))
        return naming.digest()

    def _keep(self, entry: _Entry, account: KeyAccount) -> None:
        if entry in self._found:
            return
        self._found[entry] = account
        for ref in (account.key_id, account.customer_id):
            self._of[ref] = (*self._of.get(ref, ()), entry)
        if len(self._found) > _MAX_KEYS:
            self._drop(next(iter(self._found)))

    def _drop(self, entry: _Entry) -> None:
        account = self._found.pop(entry)
        for ref in (account.key_id, account.customer_id):
            left = tuple(other for other in self._of.pop(ref) if other != entry)
            if left:
                self._of[ref] = left


async def authenticate(
    keys: KeyCache, storefront: Storefront, key: str | None, now: int, *, address: Callable[[], str]
) -> KeyAccount:
    """The account behind a key on this storefront; `now` in µs, `address` finds the client's.

    Raises Unauthenticated for a key that is missing, malformed, unknown, revoked, expired or another tenant's,
    AddressNotAllowed for one that may not be used from there, AccountSuspended for a suspended customer or a storefront
    that is not open, AccountRestricted for a restricted customer, or ServiceUnavailable when a key is not in memory and
    the database does not answer.
    """
    if key is None:
        raise Unauthenticated("An API key is needed. Send it in the Authorization header: Bearer YOUR_KEY.")
    account = keys.get(storefront.tenant_id, key)
    if account is None and apikey.is_well_formed(key):
        account = await _load(keys, storefront.tenant_id, key)
    if account is None or (account.expires_at is not None and account.expires_at <= now):
        raise Unauthenticated(_UNKNOWN_KEY)
    if not storefront.open:
        raise AccountSuspended("This service is not available at the moment.")
    if account.allow_ips and not admits(account.allow_ips, address()):
        raise AddressNotAllowed(
            "This API key may not be used from your address. Allow the address on the key's page, or use another key."
        )
    if account.customer_status != "active":
        raise AccountSuspended("This account is suspended. Please contact support.")
    if is_restricted(account.restricted_at, account.restricted_until, now):
        raise AccountRestricted("API access of this account is restricted.")
    return account


async def _load(keys: KeyCache, tenant_id: int, key: str) -> KeyAccount | None:
    async with limited_wait():
        return await keys.load(tenant_id, key)
