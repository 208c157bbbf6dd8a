"""Brings an order and the ledger to where all that is known of its payments wants them. Decides on nothing itself.

Where that is, `core.settlement` says. One process at a time settles an order, under a claim that runs out, and every
step can be repeated: whatever dies in between, the sweep goes on. Who finds more known behind its work begins again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final, NamedTuple

from msgspec import Struct

from ...core.errors import KitError
from ...core.ids import new_id
from ...core.money import format_amount
from ...core.offers import CENT_NANO, whole_cents
from ...core.order import OrderEvent, transition
from ...core.settlement import Target, after_credit, before_credit, net_cash, target
from ...core.times import SECOND_US
from ...core.wholesale import wholesale_terms
from ...db import audit_log, operator, order_settling, orders, payment_facts, payment_refunds, subscriptions
from ...db.engine import Connection, Database, now_us
from ...db.ledger import LedgerWriter
from ...db.orders import Order
from ...db.payment_facts import FactRow
from ...payments import Manual
from ..fulfil import fulfil
from ..order_steps import change, mail
from ..receipts import gross_share
from . import disputes
from .returns import take_back
from .shapes import adjustments_of, agreed_of, payments_of

_log = logging.getLogger(__name__)
_PATIENCE_SECONDS: Final = 10
_WORK_SECONDS: Final = 10
_WARNING: Final = "the bank announced a chargeback"
_REFUNDS: Final = frozenset({"refund", "refund_part"})
_AGAIN_US: Final = 5 * SECOND_US
_FIRST_LOOK_SECONDS: Final = 0.01
_LONGEST_LOOK_SECONDS: Final = 0.25


class Situation(Struct, frozen=True):
    """An order, what is known of its payments, and where that wants it."""

    order: Order
    rows: list[FactRow]
    wanted: Target


class _Work(NamedTuple):
    """An order that this process settles under the claim `owner`, and who caused it."""

    tenant_id: int
    order_id: str
    owner: str
    actor: str


async def settle_order(db: Database, ledger: LedgerWriter, *, tenant_id: int, order_id: str, actor: str) -> None:
    """Settle an order, or wait while another does; at the latest after some seconds it is left to the sweep.

    Raises what a step raises; the sweep tries again.
    """
    owner, patience, pause = new_id("clm"), time.monotonic() + _PATIENCE_SECONDS, _FIRST_LOOK_SECONDS
    while True:
        async with db.read(tenant_id) as connection:
            progress = await order_settling.progress(connection, tenant_id, order_id, owner, now_us())
        if progress == "settled" or time.monotonic() > patience:
            return
        if progress == "held":
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_LOOK_SECONDS)
        elif await _pass(db, ledger, _Work(tenant_id, order_id, owner, actor)):
            return


async def _pass(db: Database, ledger: LedgerWriter, work: _Work) -> bool:
    """One pass under the claim; whether it was the last. Another process may have been quicker to claim."""
    tenant_id, order_id, owner, actor = work
    try:
        async with asyncio.timeout(_WORK_SECONDS):
            async with db.write(tenant_id) as connection:
                version = await order_settling.claim(connection, tenant_id, order_id, owner, now_us())
                if version is None:
                    return False
                begun = await situation(connection, tenant_id, order_id, lock=True)
                await _reach_credit(connection, begun, actor)
            cash = await _cash(db, begun)
            await fulfil(db, ledger, tenant_id=tenant_id, order_id=order_id, actor=actor, cash=cash)
            async with db.read(tenant_id) as connection:
                now_known = await situation(connection, tenant_id, order_id)
            await take_back(db, ledger, now_known.order, now_known.wanted, now_known.rows)
            await _note_questions(db, now_known, actor)
            async with db.write(tenant_id) as connection:
                await _conclude(connection, now_known, actor)
                return await order_settling.finish(connection, tenant_id, order_id, owner, version)
    except Exception as error:
        _log.error("%s could not be settled and is tried again (%r)", order_id, error)
        async with db.write(tenant_id) as connection:
            await order_settling.release(connection, tenant_id, order_id, owner, now_us() + _AGAIN_US)
        raise


async def situation(connection: Connection, tenant_id: int, order_id: str, *, lock: bool = False) -> Situation:
    """All that is known of an order."""
    order = await orders.find(connection, tenant_id, order_id, lock=lock)
    if order is None:
        raise LookupError(f"{order_id} is not there")
    rows = await payment_facts.of_order(connection, tenant_id, order_id)
    agreed = agreed_of(order, await _ended_at(connection, order))
    return Situation(order, rows, target(agreed, payments_of(rows), adjustments_of(rows)))


async def _ended_at(connection: Connection, order: Order) -> int | None:
    """When the subscription of a period that is not credited yet ends, or did; what is credited stays credited."""
    if order.subscription_id is None or order.lot_id is not None:
        return None
    found = await subscriptions.find(connection, order.tenant_id, order.subscription_id)
    return None if found is None else found.ended_at


async def _cash(db: Database, begun: Situation) -> int:
    """What came of the payment to the operator's account for a reseller who shares its revenue; else 0. Nano-USD."""
    kept, order = begun.wanted.kept, begun.order
    if kept is None or kept.provider == Manual.name or not order.provider_facts.get("shared"):
        return 0
    async with db.read(order.tenant_id) as connection:
        tenant = await operator.tenant_by_id(connection, order.tenant_id)
    shares = tenant is not None and wholesale_terms(tenant.settings).settlement == "revenue_share"
    return net_cash(kept.payment, order.price_nano) if shares else 0


async def _reach_credit(connection: Connection, now_known: Situation, actor: str) -> None:
    """Mark the order as paid, or put it before whoever has to look at it."""
    order, wanted = now_known.order, now_known.wanted
    state = order.state
    for event in before_credit(state, wanted, credited=order.lot_id is not None):
        made = transition(state, event, credited=order.lot_id is not None)
        facts, values, by = _told(now_known, event, made.after)
        await change(connection, order, made, by or actor, facts=facts, **values)
        state = made.after


def _told(now_known: Situation, event: OrderEvent, after: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """What the timeline says of an event, the columns that change with it, and whose doing it was."""
    wanted, order = now_known.wanted, now_known.order
    if event == "question":
        return {"why": "; ".join(words for _, _, words in wanted.questions)}, {}, ""
    if event == "refund":
        return {"amount": format_amount(order.price_nano)}, {"refunded_nano": order.price_nano}, ""
    if wanted.kept is None:
        return {}, {"refunded_nano": 0}, ""
    row = next(one for one in now_known.rows if (one.kind, one.ref) == ("payment", wanted.kept.payment.ref))
    facts = {"note": row.note} if row.note else {}
    if after != "paid":
        return facts, {}, row.decided_by
    if row.provider != "manual":
        facts["payment"] = row.ref
    # Why it was rejected before stays in the timeline; of a paid order it would be wrong.
    return facts, {"paid_at": wanted.kept.payment.occurred_at, "note": ""}, row.decided_by


async def _note_questions(db: Database, now_known: Situation, actor: str) -> None:
    """Keep with each payment what is in question of it; the timeline and the team hear of what is new."""
    order = now_known.order
    asked = {(provider, ref): words for provider, ref, words in now_known.wanted.questions}
    fresh = []
    for row in now_known.rows:
        words = asked.get((row.provider, row.ref), "") if row.kind == "payment" else row.problem
        if row.kind == "adjustment" and row.state.get("kind") == "chargeback_warning":
            words = _WARNING
        if words != row.problem:
            fresh.append((row, words))
    if not fresh:
        return
    async with db.write(order.tenant_id) as connection:
        for row, words in fresh:
            noted = await payment_facts.set_problem(connection, order.tenant_id, row.id, words)
            if noted and words:
                await _tell(connection, order, row, words, actor)


async def _tell(connection: Connection, order: Order, row: FactRow, words: str, actor: str) -> None:
    if row.kind == "adjustment":
        await _note(connection, order, "warning", {"payment": row.payment_ref}, actor)
        await disputes.tell_of_warning(connection, order, row.ref)
        return
    timeline = await orders.timeline(connection, order.tenant_id, order.id)
    if not any(line.event == "question" and words in line.facts.get("why", "") for line in timeline):
        await _note(connection, order, "question", {"payment": row.ref, "why": words}, actor)
    await disputes.tell_of_question(connection, order, row.ref, words)


async def _note(connection: Connection, order: Order, event: str, facts: dict[str, Any], actor: str) -> None:
    await orders.note(
        connection,
        order.tenant_id,
        order.id,
        event=event,
        state=order.state,
        actor=actor,
        facts=facts,
        now=now_us(),
    )


async def _conclude(connection: Connection, now_known: Situation, actor: str) -> None:
    """Move the order to what went back of its payment, and tell of it."""
    wanted, order = now_known.wanted, now_known.order
    credited = order.lot_id is not None
    refunded = _refunded_nano(order, wanted) if wanted.kept is not None else order.refunded_nano
    event = after_credit(order.state, wanted, credited=credited)
    if event is None and refunded == order.refunded_nano:
        return
    if event is None and order.state == "partially_refunded":
        event = "refund_part"
    moved = refunded - order.refunded_nano
    reason = await _reason(connection, order, wanted) if event in _REFUNDS else {}
    facts = {"amount": format_amount(abs(moved)), **reason}
    if event is None:
        await orders.set_refunded(connection, order.tenant_id, order.id, refunded)
        return
    made = transition(order.state, event, credited=credited)
    await change(connection, order, made, actor, facts=facts, refunded_nano=refunded)
    audited = {"amount": facts["amount"], "status": made.after}
    await audit_log.record(connection, order.tenant_id, actor, f"order.{event}", "order", order.id, after=audited)
    if moved > 0 and made.after in {"partially_refunded", "refunded"}:
        back = format_amount(_with_tax(order, wanted, moved))
        await mail(connection, order, "order_refunded", {"amount": back}, now_us())
    if "charged_back" in {made.before, made.after}:
        await disputes.follow(connection, order, made, actor)


def _refunded_nano(order: Order, wanted: Target) -> int:
    """The share of the price that went back, rounded up, in nano-USD."""
    if not wanted.paid:
        return 0
    return min(order.price_nano, -(-order.price_nano * wanted.refunded // wanted.paid))


def _with_tax(order: Order, wanted: Target, moved: int) -> int:
    """What went back with its share of the tax, in nano-USD; before tax where it was paid in another currency."""
    if wanted.kept is None or wanted.kept.payment.currency != "USD":
        return whole_cents(moved)
    return gross_share(moved, order.price_nano, wanted.paid * CENT_NANO)


async def _reason(connection: Connection, order: Order, wanted: Target) -> dict[str, str]:
    """Why the latest refund of the payment that counts was asked for, if we asked."""
    ref = None if wanted.kept is None else wanted.kept.payment.ref
    rows = [
        row
        for row in await payment_refunds.of_order(connection, order.tenant_id, order.id)
        if row.reason and ref in {None, row.payment_ref}
    ]
    if not rows:
        return {}
    return {"reason": rows[-1].reason, **({"note": rows[-1].note} if rows[-1].note else {})}


async def settle_quietly(db: Database, ledger: LedgerWriter, tenant_id: int, order_id: str, actor: str) -> bool:
    """As `settle_order`, for chores: False where it failed, which the log tells."""
    try:
        await settle_order(db, ledger, tenant_id=tenant_id, order_id=order_id, actor=actor)
    except KitError:
        return False
    return True
