"""Use cases of the operator on a customer's credit: correct, look up. Moves money through the ledger alone."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.errors import InsufficientCredit, InvalidRequest, LedgerFault
from ..core.ids import new_id
from ..core.ledger import Grant, HoldRefused, Lot, TakeBack, Wallet, available
from ..core.money import format_amount
from ..core.paging import Page, Window, after, page_of
from ..db import audit_log
from ..db import credits as stored
from ..db.credits import HistoryLine, history, wallet_with_lots
from ..db.customers import Customer
from ..db.engine import NO_TENANT, Database, now_us
from ..db.ledger import GrantCredit, Idempotency, Item, Posted, TakeCredit, open_writer
from ..db.tenants import Tenant
from .customers import require_customer
from .tenants import require_tenant

_HISTORY: Final = "entries"


class CreditBalance(Struct, frozen=True):
    """A wallet with its lots, newest first, and what of it is free and unexpired at `at` (0 while in debt)."""

    wallet: Wallet
    lots: list[Lot]
    available: int


class Owner(Struct, frozen=True):
    """Whose credit is meant."""

    tenant: Tenant
    customer: Customer


async def adjust_credit(
    db: Database,
    *,
    tenant_slug: str,
    customer: str,
    amount: int,
    reason: str,
    idempotency_key: str | None,
    actor: str,
) -> Posted:
    """Correct a customer's credit by `amount` nano-USD, up or down; the answer's amount is signed.

    Up is a lot of kind `manual`. Down takes what is free and unexpired, of any model scope, in burn order, and never
    what calls or refunds have reserved. Raises InsufficientCredit when less is free than is to be taken.
    """
    if amount == 0:
        raise InvalidRequest("An adjustment of 0 changes nothing.", param="amount", fix="Give another amount.")
    owner = await find_owner(db, tenant_slug, customer)
    once = idempotency("credit.adjust", idempotency_key, [owner.customer.id, amount, reason])
    common: dict[str, Any] = {
        "txn_id": new_id("txn"),
        "tenant_id": owner.tenant.id,
        "wallet_id": owner.customer.wallet_id,
        "amount": abs(amount),
        "at": now_us(),
        "ref": reason,
        "code": "adjustment",
    }
    if amount > 0:
        new = Grant(lot_id=new_id("lot"), kind="manual", **common)
        posted, made = await post(db, GrantCredit(new, once)), new.lot_id
    else:
        taken = await post(db, TakeCredit(TakeBack(**common), once))
        posted, made = Posted(taken.id, amount, taken.balance), str(common["txn_id"])
    if posted.id == made:
        await note(db, owner, actor, "credit.adjust", posted, reason)
    return posted


async def credit_balance(db: Database, tenant_slug: str, customer: str) -> CreditBalance:
    """A customer's wallet, lots and what is free now."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        owner = await require_customer(connection, tenant, customer)
        wallet, lots = await wallet_with_lots(connection, tenant.id, owner.wallet_id)
    return CreditBalance(wallet, lots, available(wallet, lots, now_us()))


async def credit_history(db: Database, tenant_slug: str, customer: str, window: Window) -> Page[HistoryLine]:
    """The transactions of a customer's wallet, newest first."""
    key = after(window, _HISTORY, (int, str))
    before = (int(key[0]), str(key[1])) if key else None
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        owner = await require_customer(connection, tenant, customer)
        rows = await history(connection, tenant.id, owner.wallet_id, window.limit + 1, before)
    return page_of(rows, window, _HISTORY, lambda row: (row.created_at, row.id))


async def post(db: Database, item: Item) -> Posted:
    """Have the ledger carry out one movement, durable on return. Raises InsufficientCredit when it is refused."""
    writer = open_writer(db)
    await writer.start()
    try:
        outcome = await writer.submit(item)
    finally:
        await writer.close()
    if isinstance(outcome, HoldRefused):
        free, wanted = format_amount(max(0, outcome.available)), format_amount(outcome.required)
        raise InsufficientCredit(
            f"Only {free} USD is free, less than {wanted}.",
            fix="Take at most what is free; what open calls have reserved becomes free when they end.",
        )
    if not isinstance(outcome, Posted):
        raise LedgerFault("The ledger did not answer a movement with what it posted.")
    return outcome


def positive(amount: int) -> None:
    """Raises InvalidRequest unless the amount is above zero."""
    if amount <= 0:
        raise InvalidRequest("The amount must be above 0.", param="amount", fix='Give an amount such as "10.00".')


def idempotency(operation: str, key: str | None, arguments: list[Any]) -> Idempotency | None:
    """What makes an operation happen once, for a caller who gave a key. Raises InvalidRequest for an empty one."""
    if key is None:
        return None
    if not key.strip():
        raise InvalidRequest("The idempotency key is empty.", param="idempotency_key", fix="Give a key, or none.")
    return Idempotency(operation, key, hashlib.sha256(msgspec.json.encode(arguments)).hexdigest())


async def find_owner(db: Database, tenant_slug: str, customer: str) -> Owner:
    """The tenant and its customer. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        return Owner(tenant, await require_customer(connection, tenant, customer))


async def was_done(db: Database, tenant: Tenant, once: Idempotency | None) -> bool:
    """Whether it was carried out before under its idempotency key."""
    if once is None:
        return False
    async with db.read(tenant.id) as connection:
        return await stored.was_done(connection, tenant.id, once.operation, once.key)


async def note(db: Database, owner: Owner, actor: str, action: str, posted: Posted, reason: str) -> None:
    """Keep in the audit log who moved a customer's credit and why."""
    facts = {"id": posted.id, "amount": format_amount(posted.amount), "reason": reason}
    async with db.write(owner.tenant.id) as connection:
        await audit_log.record(connection, owner.tenant.id, actor, action, "customer", owner.customer.id, after=facts)
