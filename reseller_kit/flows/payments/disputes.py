"""What a chargeback means for an account, and who of a storefront's team hears of money in question.

Moves no credit.
"""

from __future__ import annotations

from typing import Any, Final

from ...core.order import Transition
from ...db import audit_log, customers, operator, orders, outbox, revisions, tenants
from ...db.engine import Connection, now_us
from ...db.orders import Order
from ..customers import tell_of_status
from ..order_steps import mailed

CHARGED_BACK: Final = "A payment was charged back."
"""Why an account is suspended; one that is suspended for another reason stays so."""
_MONEY: Final = frozenset({"owner", "finance"})


async def follow(connection: Connection, order: Order, made: Transition, actor: str) -> None:
    """Suspend the account of an order that was charged back, or lift that when the last of its chargebacks ended."""
    began = made.after == "charged_back"
    customer = await customers.find(connection, order.tenant_id, order.customer_id)
    if customer is not None:
        standing = await orders.charged_back(connection, order.tenant_id, order.customer_id)
        if began and customer.status == "active":
            await _set_status(connection, order, "suspended", CHARGED_BACK, actor)
            await tell_of_status(connection, customer, suspended=True)
        elif not standing and (customer.status, customer.suspend_reason) == ("suspended", CHARGED_BACK):
            await _set_status(connection, order, "active", None, actor)
            await tell_of_status(connection, customer, suspended=False)
    kind = "chargeback" if began else "chargeback_ended"
    await tell_team(connection, order, kind, {}, f"{order.id}:{now_us()}")


async def tell_of_warning(connection: Connection, order: Order, ref: str) -> None:
    """The bank announced a chargeback: the team may still settle it with the customer."""
    await tell_team(connection, order, "chargeback_warning", {}, ref)


async def tell_of_question(connection: Connection, order: Order, ref: str, words: str) -> None:
    """A payment does not buy what was ordered; somebody has to look."""
    await tell_team(connection, order, "payment_review", {"why": words}, f"{ref}:{words}"[:120])


async def tell_team(connection: Connection, order: Order, kind: str, facts: dict[str, Any], once: str) -> None:
    """Mail those of the storefront's team who look after money."""
    tenant = await operator.tenant_by_id(connection, order.tenant_id)
    if tenant is None:
        return
    for member in await tenants.members(connection, order.tenant_id):
        if member.role in _MONEY and member.status != "removed":
            await outbox.add(
                connection,
                order.tenant_id,
                kind=kind,
                recipient=member.email,
                payload={"storefront": tenant.name, "customer": order.email, **mailed(order), **facts},
                dedupe=f"{kind}:{once}:{member.email}"[:200],
                now=now_us(),
            )


async def _set_status(connection: Connection, order: Order, status: str, reason: str | None, actor: str) -> None:
    await customers.set_status(connection, order.tenant_id, order.customer_id, status, reason)
    action = "customer.resume" if status == "active" else "customer.suspend"
    facts = {"status": status, "reason": reason, "order": order.id}
    await audit_log.record(connection, order.tenant_id, actor, action, "customer", order.customer_id, after=facts)
    await revisions.bump(connection, "customer", order.customer_id)
