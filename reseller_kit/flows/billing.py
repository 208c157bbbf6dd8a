"""Use cases of a customer on its billing page: what it has, what it can buy, what became of it; vouchers."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ..core.errors import Conflict, InvalidForm, InvalidRequest, NotFound
from ..core.ledger import Lot, Wallet, available
from ..core.paging import Page, Window, after, page_of
from ..db import credit_alerts, customers, packages
from ..db import credits as credit_rows
from ..db.credits import HistoryLine
from ..db.customers import Customer
from ..db.engine import Connection, Database, now_us
from ..db.ledger import LedgerWriter, Posted
from ..db.orders import Order
from ..db.packages import Offer
from .identity import attempts
from .identity.visit import Identity, Visit
from .orders import own_orders
from .subscriptions import OwnSubscription, own_subscriptions
from .vouchers import redeem_code

_HISTORY: Final = "own_entries"
_LONGEST_CODE: Final = 100


class Billing(Struct, frozen=True, kw_only=True):
    """A customer's credit and what is on offer. `lots`: those with something left, newest first."""

    wallet: Wallet
    available: int
    lots: tuple[Lot, ...]
    offers: tuple[Offer, ...]


class BillingPage(Struct, frozen=True, kw_only=True):
    """All that the billing page shows, as it was at one moment. `alerts`: thresholds; None for the default."""

    billing: Billing
    orders: Page[Order]
    moves: Page[HistoryLine]
    subscriptions: list[OwnSubscription]
    alerts: tuple[int, ...] | None


async def billing_page(db: Database, tenant_id: int, customer_id: str, orders: Window, moves: Window) -> BillingPage:
    """The customer's credit, offers and past, in one transaction. Raises NotFound for a customer that is gone."""
    async with db.read(tenant_id) as connection:
        customer = await _require(connection, tenant_id, customer_id)
        return BillingPage(
            billing=await _billing(connection, customer),
            orders=await own_orders(connection, tenant_id, customer_id, orders),
            moves=await _history(connection, tenant_id, customer.wallet_id, moves),
            subscriptions=await own_subscriptions(connection, tenant_id, customer_id),
            alerts=(await credit_alerts.find(connection, tenant_id, customer_id)).thresholds,
        )


async def _billing(connection: Connection, customer: Customer) -> Billing:
    now, tenant_id = now_us(), customer.tenant_id
    wallet, lots = await credit_rows.wallet_with_lots(connection, tenant_id, customer.wallet_id)
    offers = await packages.offers(connection, tenant_id)
    left = tuple(lot for lot in lots if lot.remaining > 0 and (lot.expires_at is None or lot.expires_at > now))
    return Billing(wallet=wallet, available=available(wallet, lots, now), lots=left, offers=tuple(offers))


async def offers_of(db: Database, tenant_id: int) -> list[Offer]:
    """Everything that the storefront offers now."""
    async with db.read(tenant_id) as connection:
        return await packages.offers(connection, tenant_id)


async def offer_of(db: Database, tenant_id: int, code: str) -> Offer:
    """What the storefront offers under this code now. Raises NotFound."""
    async with db.read(tenant_id) as connection:
        found = await packages.offered(connection, tenant_id, code)
    if found is None:
        raise NotFound("There is no such package on offer.")
    return found


async def _history(connection: Connection, tenant_id: int, wallet_id: int, window: Window) -> Page[HistoryLine]:
    """What moved the credit, newest first."""
    key = after(window, _HISTORY, (int, str))
    before = (int(key[0]), str(key[1])) if key else None
    rows = await credit_rows.history(connection, tenant_id, wallet_id, window.limit + 1, before)
    return page_of(rows, window, _HISTORY, lambda row: (row.created_at, row.id))


async def redeem_own(identity: Identity, ledger: LedgerWriter, visit: Visit, customer_id: str, code: str) -> Posted:
    """Redeem a code that a customer typed.

    Raises InvalidForm in the same words for every code that can't be redeemed, whatever is wrong with it, and
    RateLimited after a few of them, of the customer or from the visit's address.
    """
    tenant_id = visit.tenant_id
    own = attempts.by_account(identity, "voucher", customer_id)
    address = attempts.by_address(identity, visit, "voucher_address")
    await attempts.count(identity, tenant_id, own, address)
    async with identity.db.read(tenant_id) as connection:
        customer = await _require(connection, tenant_id, customer_id)
    try:
        posted = await redeem_code(
            identity.db,
            ledger,
            identity.vault,
            tenant_id=tenant_id,
            customer_id=customer_id,
            wallet_id=customer.wallet_id,
            code=code[:_LONGEST_CODE],
            actor=f"customer:{customer_id}",
        )
    except (NotFound, Conflict, InvalidRequest):
        raise InvalidForm({"voucher": ("billing.voucher_wrong", {})}) from None
    async with identity.write(tenant_id) as connection:
        await attempts.succeed(connection, tenant_id, own, address)
    return posted


async def _require(connection: Connection, tenant_id: int, customer_id: str) -> Customer:
    found = await customers.find(connection, tenant_id, customer_id)
    if found is None:
        raise NotFound("There is no such customer.")
    return found
