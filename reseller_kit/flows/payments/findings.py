"""Money that may have to go back: found by looking, each with the one step that gives it back. Gives nothing back."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from ...core.currency import format_minor
from ...core.money import format_amount
from ...core.times import DAY_US, SECOND_US, format_time
from ...db import operator_payment_findings as rows
from ...db import operator_payments, orders
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ..tenants import require_tenant, scope_of
from . import disputes

Code = Literal[
    "duplicate_charge",
    "duplicate_order",
    "activation_failed",
    "billing_error",
    "unmatched_payment",
    "refund_unanswered",
    "delivery_parked",
    "provider_unasked",
]
AT_MOST: Final = 500
_LOOKED_BACK_US: Final = 30 * DAY_US
_TWICE_WITHIN_US: Final = 600 * SECOND_US
_ANSWERED_WITHIN_US: Final = 3_600 * SECOND_US
_TWICE: Final = "a second time"


class Finding(Struct, frozen=True, kw_only=True):
    """Something to look at. `step`: the command that ends it, "" where there is none; amounts as people read them."""

    code: Code
    tenant: str
    tenant_id: int
    order: str = ""
    payment: str = ""
    customer: str = ""
    amount: str = ""
    currency: str = "USD"
    message: str
    step: str = ""


async def payment_findings(db: Database, tenant_slug: str | None = None) -> list[Finding]:
    """All there is to look at, of one tenant or of all; at most some hundreds of a kind."""
    async with db.read(scope_of(tenant_slug)) as connection:
        tenant_id = None if tenant_slug is None else (await require_tenant(connection, tenant_slug)).id
        return await look(connection, tenant_id)


async def look(connection: Connection, tenant_id: int | None) -> list[Finding]:
    """As `payment_findings`, in the caller's transaction."""
    now = now_us()
    found = [_question(one) for one in await rows.questions(connection, tenant_id, AT_MOST)]
    for order in await rows.failed_orders(connection, tenant_id, AT_MOST):
        message = "it was paid and could not be credited"
        found.append(_order(order, "activation_failed", "activation_failed", message))
    since = now - _LOOKED_BACK_US
    for order in await rows.repeated_orders(connection, tenant_id, since=since, within=_TWICE_WITHIN_US, limit=AT_MOST):
        message = f"the same was bought within ten minutes before ({order.earlier})"
        found.append(_order(order, "duplicate_order", "duplicate_charge", message))
    asked_before = now - _ANSWERED_WITHIN_US
    stuck = await rows.stuck_refunds(connection, tenant_id, before=asked_before, since=since, limit=AT_MOST)
    found.extend(_refund(refund) for refund in stuck)
    for poll in await operator_payments.failing_polls(connection, tenant_id):
        message = f"{poll.provider} can't be asked since {format_time(poll.failed_at)}: {poll.failure}"
        step = f"reseller-kit reconcile --provider {poll.provider} --tenant {poll.tenant}"
        code: Code = "provider_unasked"
        found.append(Finding(code=code, tenant=poll.tenant, tenant_id=poll.tenant_id, message=message, step=step))
    parked = await rows.parked_deliveries(connection, tenant_id)
    if parked:
        message = f"{parked} deliveries of providers could not be worked in"
        step = "reseller-kit reconcile --provider paddle"
        found.append(Finding(code="delivery_parked", tenant="", tenant_id=0, message=message, step=step))
    return found


async def tell_findings(db: Database) -> int:
    """Tell each storefront's team of what is to be looked at, once each; how many findings there are."""
    async with db.read(EVERY_TENANT) as connection:
        found = await look(connection, None)
    for one in found:
        if one.order and one.code in {"activation_failed", "duplicate_order", "refund_unanswered"}:
            async with db.write(one.tenant_id) as connection:
                order = await orders.find(connection, one.tenant_id, one.order)
                if order is not None:
                    await disputes.tell_of_question(connection, order, f"{one.code}:{order.id}", one.message)
    return len(found)


def mistake_of(problem: str) -> Literal["duplicate_charge", "billing_error"]:
    """What is wrong with a payment of an order that is in question, by the words that say so."""
    return "duplicate_charge" if _TWICE in problem else "billing_error"


def _question(one: rows.Question) -> Finding:
    code: Code = "unmatched_payment" if one.order_id is None else mistake_of(one.problem)
    step = f"reseller-kit payment dismiss {one.ref} --tenant {one.tenant} --reason …"
    if one.order_id is not None:
        step = f"reseller-kit order refund {one.order_id} --reason {code} --payment {one.ref}"
    return Finding(
        code=code,
        tenant=one.tenant,
        tenant_id=one.tenant_id,
        order=one.order_id or "",
        payment=one.ref,
        customer=one.customer or "",
        **_amount(one.state),
        message=one.problem,
        step=step,
    )


def _amount(state: dict[str, Any]) -> dict[str, str]:
    currency = str(state.get("currency", "USD"))
    return {"amount": format_minor(int(state.get("total", 0)), currency), "currency": currency}


def _order(one: rows.OpenOrder, code: Code, reason: str, message: str) -> Finding:
    return Finding(
        code=code,
        tenant=one.tenant,
        tenant_id=one.tenant_id,
        order=one.id,
        customer=one.customer,
        amount=format_amount(one.price_nano),
        message=message,
        step=f"reseller-kit order refund {one.id} --reason {reason}",
    )


def _refund(one: rows.StuckRefund) -> Finding:
    return Finding(
        code="refund_unanswered",
        tenant=one.tenant,
        tenant_id=one.tenant_id,
        order=one.order_id,
        amount=format_minor(one.minor, one.currency),
        currency=one.currency,
        message=f"a refund is not given: {one.error}" if one.error else "a refund is not answered yet",
        step=f"reseller-kit order show {one.order_id}",
    )
