"""Refunds that we ask for: written down first, then asked of the provider, for as long as it takes to hear of it.

A refund is asked for under its own id, so a process that dies behind the provider's answer leaves one that is asked for
again and given once. Takes no credit back; that follows from what the provider tells.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...core.currency import format_minor, to_minor
from ...core.errors import Conflict, InvalidRequest, KitError
from ...core.ids import new_id
from ...core.offers import CENT_NANO
from ...core.order import transition
from ...core.payment import Adjustment, Payment
from ...core.settlement import gone_of, left_of
from ...db import audit_log, operator_payments, orders, payment_facts, payment_refunds
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ...db.ledger import LedgerWriter
from ...db.orders import Order
from ...db.payment_facts import FactRow
from ...db.payment_refunds import Refund
from ...payments import Manual, Provider
from ...payments.base import RefundWanted
from ...payments.faults import asking
from ..order_steps import require_order
from ..providers import Providers
from ..refunds import Payment as Share
from .returns import hold, release
from .settle import Situation, situation
from .shapes import adjustments_of, cents, fact_of, manual_payment
from .take import store, take

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 20
_MISTAKES: Final = frozenset({"duplicate_charge", "billing_error"})
"""Reasons that are about a payment in question, where there is one."""


class WantedRefund(Struct, frozen=True, kw_only=True):
    """A refund of an order: `amount` in 10⁻⁹ of the payment's currency, gross; None for all that is left.

    `payment_ref` names one of several payments; left out, the reason says which it is. `left`: what `left_to_refund`
    came to when it was chosen; by another now, the refund is refused, so that a form sent twice refunds once.
    """

    order_id: str
    amount: int | None = None
    reason: str
    note: str = ""
    actor: str
    payment_ref: str | None = None
    left: int | None = None


def left_to_refund(order: Order, refunds: Sequence[Refund]) -> int:
    """What of an order's price is left, less refunds under way as far as they are in cents (nano-USD).

    Only to be compared: it is another after each refund that is asked for, and below 0 where tax goes back as well.
    """
    under_way = sum(one.minor for one in refunds if one.state in {"asked", "pending"})
    return order.price_nano - order.refunded_nano - under_way * CENT_NANO


async def request_refund(
    db: Database, ledger: LedgerWriter, providers: Providers, tenant_id: int, wanted: WantedRefund
) -> Refund:
    """Ask for a refund; what it came to, which may be pending for days.

    Raises InvalidRequest for more than is left of the payment or what the provider refuses, Conflict for an order
    without a payment or where something else is left than was shown, NotFound.
    """
    async with db.write(tenant_id) as connection:
        refund, share = await _write_down(connection, tenant_id, wanted)
    through = await providers.named(tenant_id, refund.provider)
    return await _ask(db, ledger, through.provider, tenant_id, refund, share)


async def ask_forgotten(db: Database, ledger: LedgerWriter, providers: Providers) -> int:
    """Ask again for refunds of which nothing has been heard; how many there were."""
    async with db.read(EVERY_TENANT) as connection:
        if not await operator_payments.refunds_are_due(connection, now_us()):
            return 0
    async with db.write(EVERY_TENANT) as connection:
        found = await operator_payments.claim_refunds(connection, new_id("clm"), now_us(), _AT_ONCE)
    for one in found:
        async with db.read(one.tenant_id) as connection:
            refund = await payment_refunds.find(connection, one.tenant_id, one.id)
            if refund is None or refund.state != "asked":
                continue
            share = _share(await situation(connection, one.tenant_id, refund.order_id), refund)
        try:
            through = await providers.named(one.tenant_id, refund.provider)
            await _ask(db, ledger, through.provider, one.tenant_id, refund, share)
        except KitError as error:
            _log.warning("%s is not given back: %s", one.id, error.message)
    return len(found)


async def _write_down(connection: Connection, tenant_id: int, wanted: WantedRefund) -> tuple[Refund, Share | None]:
    order = await require_order(connection, tenant_id, wanted.order_id, lock=True)
    await _recall(connection, order)
    known = await situation(connection, tenant_id, order.id)
    row, payment = _chosen(known, wanted)
    refunds = await payment_refunds.of_order(connection, tenant_id, order.id)
    if wanted.left is not None and wanted.left != left_to_refund(order, refunds):
        raise Conflict("What is left to refund has changed meanwhile.", fix="Look at the order again.")
    asked = sum(one.minor for one in refunds if one.state == "asked" and one.payment_ref == payment.ref)
    left = left_of(payment, gone_of(payment, adjustments_of(known.rows)), asked)
    now = now_us()
    refund = Refund(
        id=new_id("rfd"),
        order_id=order.id,
        provider=row.provider,
        payment_ref=payment.ref,
        minor=_minor(payment, wanted.amount, left),
        currency=payment.currency,
        reason=wanted.reason,
        note=wanted.note,
        actor=wanted.actor,
        state="asked",
        due_at=now + operator_payments.CLAIM_US,
        created_at=now,
    )
    await payment_refunds.add(connection, tenant_id, refund)
    shown = {"amount": format_minor(refund.minor, refund.currency), "currency": refund.currency}
    facts = {**shown, "reason": wanted.reason, "note": wanted.note, "payment": payment.ref}
    await audit_log.record(connection, tenant_id, wanted.actor, "order.refund", "order", order.id, after=facts)
    return refund, _share(known, refund)


def _share(known: Situation, refund: Refund) -> Share | None:
    """What the refund would leave refunded in all; None for one of a payment that credits nothing."""
    kept = known.wanted.kept
    if kept is None or (kept.provider, kept.payment.ref) != (refund.provider, refund.payment_ref):
        return None
    return Share(paid=kept.payment.total, refunded=min(kept.payment.total, known.wanted.refunded + refund.minor))


def _chosen(known: Situation, wanted: WantedRefund) -> tuple[FactRow, Payment]:
    """The payment that is meant. Raises Conflict for an order that none came for."""
    kept = known.wanted.kept
    doubtful = {(provider, ref) for provider, ref, _ in known.wanted.questions}
    found = [(row, fact) for row in known.rows if isinstance(fact := fact_of(row), Payment)]
    came = [(row, fact) for row, fact in found if fact.status == "completed"]
    if wanted.payment_ref is not None:
        came = [(row, fact) for row, fact in came if fact.ref == wanted.payment_ref]
        if not came:
            raise InvalidRequest("The order has no such payment.", param="payment", fix="Look at the order.")
    if not came:
        transition(known.order.state, "refund")
        raise InvalidRequest("No payment of this order is known.", fix="Look at its timeline first.")

    def rank(one: tuple[FactRow, Payment]) -> tuple[bool, bool, int]:
        name = (one[0].provider, one[0].ref)
        own = kept is not None and name == (kept.provider, kept.payment.ref)
        mistaken = wanted.reason in _MISTAKES and name in doubtful
        return not mistaken, not own, one[0].id

    return min(came, key=rank)


def _minor(payment: Payment, amount: int | None, left: int) -> int:
    minor = left if amount is None else to_minor(amount, payment.currency)
    if not 0 < minor <= left:
        raise InvalidRequest(
            f"{format_minor(left, payment.currency)} {payment.currency} of the payment are left to refund.",
            param="amount",
            fix="Give an amount above 0 and up to that, or none for all of it." if left else "Nothing is left to do.",
        )
    return minor


async def _recall(connection: Connection, order: Order) -> None:
    """An order that was paid before payments were kept gets the payment, and what was refunded, that it tells of."""
    if order.paid_at is None or await payment_facts.of_order(connection, order.tenant_id, order.id):
        return
    payment = manual_payment(order, order.paid_at)
    await store(connection, order.tenant_id, Manual.name, payment)
    rows = await payment_facts.of_order(connection, order.tenant_id, order.id)
    await payment_facts.decide(
        connection, order.tenant_id, [row.id for row in rows], "accepted", actor="recalled", note=""
    )
    if order.refunded_nano:
        back = Adjustment(
            ref=f"{order.id}:before",
            payment_ref=payment.ref,
            kind="refund",
            status="approved",
            occurred_at=order.changed_at,
            currency=payment.currency,
            total=cents(order.refunded_nano),
        )
        await store(connection, order.tenant_id, Manual.name, back)


async def _ask(
    db: Database, ledger: LedgerWriter, provider: Provider, tenant_id: int, refund: Refund, share: Share | None
) -> Refund:
    """Hold the credit, ask, and take in what the provider says; asked again, it gives back once."""
    async with db.read(tenant_id) as connection:
        order = await require_order(connection, tenant_id, refund.order_id)
        row = await payment_facts.find(connection, tenant_id, refund.provider, "payment", refund.payment_ref)
    paid = fact_of(row).total if row is not None and isinstance(fact_of(row), Payment) else 0  # type: ignore[union-attr]
    if share is not None:
        await hold(db, ledger, order, share, refund.id)
    wanted = RefundWanted(
        reference=refund.id,
        payment_ref=refund.payment_ref,
        reason=refund.reason,
        minor=None if refund.minor == paid else refund.minor,
        paid=paid,
        currency=refund.currency,
    )
    try:
        with asking(provider):
            answer = await provider.refund(wanted)
    except InvalidRequest as refusal:
        await _end(db, ledger, tenant_id, refund, "refused", refusal.message)
        raise
    except KitError as fault:
        async with db.write(tenant_id) as connection:
            await payment_refunds.try_later(connection, tenant_id, refund.id, fault.message, now_us())
        return await _found(db, tenant_id, refund)
    async with db.write(tenant_id) as connection:
        # With what was answered its order waits to be settled, whatever dies behind this.
        await store(connection, tenant_id, refund.provider, answer)
        ours = await payment_refunds.answered(connection, tenant_id, refund, answer.ref)
    if not ours:
        await _end(db, ledger, tenant_id, refund, "superseded", "")
    await take(db, ledger, tenant_id=tenant_id, provider=refund.provider, fact=answer, actor=refund.actor)
    return await _found(db, tenant_id, refund)


async def _end(db: Database, ledger: LedgerWriter, tenant_id: int, refund: Refund, state: str, error: str) -> None:
    """The refund does not come about under this row: what it held is free."""
    await release(db, ledger, tenant_id, refund)
    async with db.write(tenant_id) as connection:
        await payment_refunds.change(
            connection, tenant_id, refund.id, "asked", state=state, error=error or None, ended_at=now_us()
        )
        if error:
            order = await require_order(connection, tenant_id, refund.order_id)
            await orders.note(
                connection,
                tenant_id,
                order.id,
                event="refund_refused",
                state=order.state,
                actor=refund.actor,
                facts={"why": error},
                now=now_us(),
            )


async def _found(db: Database, tenant_id: int, refund: Refund) -> Refund:
    async with db.read(tenant_id) as connection:
        return await payment_refunds.find(connection, tenant_id, refund.id) or refund
