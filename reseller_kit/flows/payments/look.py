"""Payments as a team sees them: listed, matched with an order that they do not name, or put aside. Moves no credit."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from ...core.errors import Conflict, NotFound
from ...core.paging import Page, Window, after, page_of
from ...core.payment import Payment
from ...db import audit_log, order_settling, payment_facts
from ...db.engine import NO_TENANT, Connection, Database
from ...db.ledger import LedgerWriter
from ...db.payment_facts import FactRow
from ..order_steps import require_order
from ..tenants import require_tenant
from .settle import settle_order

_LIST: Final = "payments"


class PaymentView(Struct, frozen=True):
    """A payment with its row."""

    row: FactRow
    payment: Payment


async def list_payments(
    db: Database, tenant_slug: str, window: Window, *, in_question: bool = False
) -> Page[PaymentView]:
    """A tenant's payments, newest first, or only those in question."""
    key = after(window, _LIST, (int,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        before = int(key[0]) if key else None
        rows = await payment_facts.page(connection, tenant.id, window.limit + 1, before, in_question=in_question)
    return page_of([_view(row) for row in rows], window, _LIST, lambda one: (one.row.id,))


async def match_payment(
    db: Database, ledger: LedgerWriter, *, tenant_slug: str, ref: str, order_id: str, actor: str
) -> PaymentView:
    """Say which order a payment is for. It is put to review there: whoever approves the order credits it.

    Raises NotFound, Conflict for a payment that belongs to another order.
    """
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        row = await _require(connection, tenant.id, ref)
        order = await require_order(connection, tenant.id, order_id)
        if row.order_id not in {None, order.id}:
            raise Conflict(f"The payment belongs to {row.order_id}.", fix="A payment is of one order for good.")
        if await payment_facts.bind(connection, tenant.id, row.id, order.id):
            await payment_facts.bind_adjustments(connection, tenant.id, row.provider, row.ref, order.id)
            await order_settling.bump(connection, tenant.id, order.id)
            facts = {"order": order.id}
            await audit_log.record(connection, tenant.id, actor, "payment.match", "payment", ref, after=facts)
    await settle_order(db, ledger, tenant_id=tenant.id, order_id=order_id, actor=actor)
    return await show_payment(db, tenant_slug, ref)


async def dismiss_payment(
    db: Database, ledger: LedgerWriter, *, tenant_slug: str, ref: str, reason: str, actor: str
) -> PaymentView:
    """Say that a payment in question needs no more looking at: it buys nothing here. Raises NotFound, Conflict."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        row = await _require(connection, tenant.id, ref)
        if not row.problem and row.decision != "dismissed":
            raise Conflict("The payment is not in question.", fix="See: reseller-kit payment list --in-question")
        if await payment_facts.decide(connection, tenant.id, [row.id], "dismissed", actor=actor, note=reason):
            facts = {"reason": reason}
            await audit_log.record(connection, tenant.id, actor, "payment.dismiss", "payment", ref, after=facts)
            if row.order_id is not None:
                await order_settling.bump(connection, tenant.id, row.order_id)
    if row.order_id is not None:
        await settle_order(db, ledger, tenant_id=tenant.id, order_id=row.order_id, actor=actor)
    return await show_payment(db, tenant_slug, ref)


async def show_payment(db: Database, tenant_slug: str, ref: str) -> PaymentView:
    """One payment, by its provider's name of it. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        return _view(await _require(connection, tenant.id, ref))


async def _require(connection: Connection, tenant_id: int, ref: str) -> FactRow:
    found = await payment_facts.payments_called(connection, tenant_id, ref)
    if not found:
        raise NotFound(f"There is no payment {ref[:80]!r}.", fix="See: reseller-kit payment list")
    return found[0]


def _view(row: FactRow) -> PaymentView:
    return PaymentView(row, msgspec.convert(row.state, Payment))
