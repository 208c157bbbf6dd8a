"""Use cases of the operator on a reseller's prepaid balance: deposit, look up. Moves money through the ledger alone."""

from __future__ import annotations

from msgspec import Struct

from ..core.ids import new_id
from ..core.ledger import WholesaleMove
from ..core.money import format_amount, parse_amount
from ..db import audit_log
from ..db.accounts import Balance, reseller_wallet
from ..db.engine import NO_TENANT, Database, now_us
from ..db.ledger import MoveWholesale, Posted
from .credits import idempotency, positive, post
from .tenants import require_tenant


class WholesaleBalance(Struct, frozen=True):
    """A reseller's wallet with the operator; `overdraft` is how far below zero calls may take it. Nano-USD."""

    wallet: Balance
    overdraft: int

    @property
    def available(self) -> int:
        """What further calls may reserve."""
        return max(0, self.wallet.balance - self.wallet.reserved + self.overdraft)


async def deposit(
    db: Database, *, tenant_slug: str, amount: int, reason: str, idempotency_key: str | None, actor: str
) -> Posted:
    """Add `amount` nano-USD to a reseller's balance.

    The same idempotency key with the same arguments answers as the first time; with others it raises Conflict.
    """
    positive(amount)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        wallet = await reseller_wallet(connection, tenant.id)
    move = WholesaleMove(
        txn_id=new_id("txn"),
        tenant_id=tenant.id,
        wallet_id=wallet.wallet_id,
        amount=amount,
        at=now_us(),
        ref=reason,
    )
    posted = await post(db, MoveWholesale(move, idempotency("wholesale.deposit", idempotency_key, [amount, reason])))
    if posted.id == move.txn_id:
        facts = {"id": posted.id, "amount": format_amount(amount), "reason": reason}
        async with db.write(tenant.id) as connection:
            await audit_log.record(
                connection, tenant.id, actor, "wholesale.deposit", "tenant", tenant.slug, after=facts
            )
    return posted


async def wholesale_balance(db: Database, tenant_slug: str) -> WholesaleBalance:
    """A reseller's balance, what open calls hold of it, and the overdraft granted."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        wallet = await reseller_wallet(connection, tenant.id)
    return WholesaleBalance(wallet, parse_amount(tenant.settings.get("wholesale", {}).get("overdraft", "0.00")))
