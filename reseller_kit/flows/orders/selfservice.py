"""Where a customer looks after an order at its provider: invoice, ways to pay, the subscription. Changes nothing."""

from __future__ import annotations

from ...core.errors import NotFound
from ...core.payment import Payment
from ...db import payment_facts
from ...db.engine import Database
from ...db.orders import Order
from ...payments import SelfService
from ...payments.faults import asking
from ..payments.shapes import fact_of
from ..providers import Providers


async def invoice_url(db: Database, providers: Providers, order: Order) -> str:
    """A short-lived link to the invoice of an order's payment. Raises NotFound while there is none."""
    payment = await _payment(db, order)
    through = await providers.named(order.tenant_id, order.provider)
    reference = order.provider_ref if payment is None else payment.ref
    if reference is not None and isinstance(through.provider, SelfService):
        with asking(through.provider):
            found = await through.provider.invoice_url(reference)
        if found is not None:
            return found
    raise NotFound("There is no invoice yet.")


async def portal_url(db: Database, providers: Providers, order: Order) -> str:
    """A signed-in link to the customer's own page at the provider. Raises NotFound where there is none.

    In an account that several brands share the page would show all of them, so there is none.
    """
    payment = await _payment(db, order)
    through = await providers.named(order.tenant_id, order.provider)
    if payment is None or payment.customer_ref is None or through.shared:
        raise NotFound("There is nothing to manage.")
    if not isinstance(through.provider, SelfService):
        raise NotFound("There is nothing to manage.")
    with asking(through.provider):
        return await through.provider.portal_url(payment.customer_ref, payment.subscription_ref)


async def _payment(db: Database, order: Order) -> Payment | None:
    """The payment that the order was paid with; the latest where there are several."""
    async with db.read(order.tenant_id) as connection:
        rows = await payment_facts.of_order(connection, order.tenant_id, order.id)
    facts = [fact for row in rows if isinstance(fact := fact_of(row), Payment) and fact.status == "completed"]
    return max(facts, key=lambda fact: fact.occurred_at, default=None)
