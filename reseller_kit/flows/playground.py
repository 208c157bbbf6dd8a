"""Who pays for calls that a customer makes in its portal: the customer itself, by its session and under no key."""

from __future__ import annotations

from ..core.abuse import is_restricted
from ..core.apikey import PLAYGROUND
from ..core.errors import AccountRestricted, AccountSuspended
from ..core.storefront import Storefront
from ..db.authentication import KeyAccount
from ..db.customers import find
from ..db.engine import Database, now_us


async def playground_account(db: Database, storefront: Storefront, customer_id: str) -> KeyAccount:
    """The account of a customer's session, which may do what a key without limits may.

    There is no row of a key behind it: usage records name `PLAYGROUND` in its place. Raises AccountSuspended unless the
    storefront is open and the customer is active, verified and not restricted.
    """
    async with db.read(storefront.tenant_id) as connection:
        customer = await find(connection, storefront.tenant_id, customer_id)
    if not storefront.open:
        raise AccountSuspended("This service is not available at the moment.")
    if customer is None or customer.status != "active":
        raise AccountSuspended("This account is suspended. Please contact support.")
    if customer.verified_at is None:
        raise AccountSuspended("Please verify your e-mail address first.")
    if is_restricted(customer.restricted_at, customer.restricted_until, now_us()):
        raise AccountRestricted("API access of this account is restricted.")
    return KeyAccount(
        key_id=PLAYGROUND,
        tenant_id=storefront.tenant_id,
        customer_id=customer.id,
        wallet_id=customer.wallet_id,
        customer_status=customer.status,
        limit_nano=None,
        limit_reset=None,
        models=(),
        requests_per_minute=None,
        expires_at=None,
        group_id=customer.group_id,
    )
