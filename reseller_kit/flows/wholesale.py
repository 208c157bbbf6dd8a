"""Use cases of the operator on a reseller's account: deposit, look up, margins. Moves money by the ledger alone."""

from __future__ import annotations

from msgspec import Struct

from ..core.ids import new_id
from ..core.ledger import WholesaleMove
from ..core.money import format_amount
from ..core.wholesale import Share, WholesaleTerms, wholesale_terms
from ..db import audit_log, margins
from ..db.accounts import Balance, drawn_on
from ..db.engine import NO_TENANT, Database, now_us
from ..db.ledger import MoveWholesale, Posted
from ..db.margins import Margin
from .credits import idempotency, positive, post
from .payouts import share_of
from .tenants import require_tenant


class WholesaleBalance(Struct, frozen=True):
    """The reseller's account that calls draw on, its terms, and its revenue share, which may be another one."""

    wallet: Balance
    terms: WholesaleTerms
    share: Share

    @property
    def overdraft(self) -> int:
        """How far below zero calls may take it, in nano-USD."""
        return self.terms.overdraft

    @property
    def available(self) -> int:
        """What further calls may reserve."""
        return max(0, self.wallet.balance - self.wallet.reserved + self.overdraft)


async def deposit(
    db: Database, *, tenant_slug: str, amount: int, reason: str, idempotency_key: str | None, actor: str
) -> Posted:
    """Add `amount` nano-USD to the reseller's account that calls draw on.

    The same idempotency key with the same arguments answers as the first time; with others it raises Conflict.
    """
    positive(amount)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        wallet = await drawn_on(connection, tenant.id, wholesale_terms(tenant.settings).settlement)
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
        terms = wholesale_terms(tenant.settings)
        wallet = await drawn_on(connection, tenant.id, terms.settlement)
        return WholesaleBalance(wallet, terms, await share_of(connection, tenant, now_us()))


async def list_margins(db: Database, tenant_slug: str, since: int | None) -> list[Margin]:
    """What calls earned the operator and the reseller, by day (UTC) and model, newest first."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        return await margins.by_day(connection, tenant.id, since)
