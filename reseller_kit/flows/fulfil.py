"""Credits what was paid: once an order, whoever asks and however often. Decides on no payment.

The credit is granted under the order's id, so a process that dies between the grant and the order's new state leaves
an order that the next look brings to its end without a second grant.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, Final
from zoneinfo import ZoneInfo

from ..core.errors import KitError, LedgerFault, ServiceUnavailable
from ..core.ids import new_id
from ..core.ledger import Grant
from ..core.money import format_amount
from ..core.order import transition
from ..core.payment import Payment
from ..core.times import SECOND_US
from ..db import customers, operator, operator_orders, orders, outbox, packages, tenants
from ..db.engine import EVERY_TENANT, Connection, Database, now_us
from ..db.ledger import GrantCredit, LedgerWriter, Posted
from ..db.orders import Order
from ..db.tenants import Tenant
from ..payments import Manual
from .brand import told_moment
from .credits import idempotency
from .grants import credit_of
from .receipts import paid_with, taxed
from .subscription_periods import RENEWAL, UPGRADE, Period, moved_on, period_of
from .wholesale_deposits import deposit_order, tell_of_deposit

_log = logging.getLogger(__name__)
_PAID: Final = frozenset({"paid", "activation_failed"})
_FORGOTTEN_US: Final = 5 * SECOND_US
_AT_ONCE: Final = 100


async def fulfil(
    db: Database, ledger: LedgerWriter, *, tenant_id: int, order_id: str, actor: str, cash: int = 0
) -> None:
    """Credit a paid order, issue its receipt and tell the customer; nothing for one in any other state.

    `cash`: what came of its payment to the operator's account, net of tax and the provider's fee, in nano-USD.
    A refusal leaves the order as `activation_failed`, which the log and its timeline tell; an unreachable database
    leaves it as it is.
    """
    async with db.read(tenant_id) as connection:
        order = await orders.find(connection, tenant_id, order_id)
    if order is None or order.state not in _PAID:
        return
    try:
        posted = await _credit(db, ledger, order, cash)
    except ServiceUnavailable:
        raise
    except KitError as error:
        await _note_failure(db, order, error, actor)
        return
    async with db.write(tenant_id) as connection:
        current = await orders.find(connection, tenant_id, order_id, lock=True)
        if current is None or current.state not in _PAID:
            return
        now = now_us()
        made = transition(current.state, "activate")
        facts = {"lot": posted.id, "credits": format_amount(order.credits_nano)}
        await orders.change(connection, tenant_id, order_id, made, actor=actor, now=now, facts=facts, lot_id=posted.id)
        if current.beneficiary_id is not None:
            await tell_of_deposit(connection, current, posted.balance, now)
        await moved_on(connection, current, now)
        if current.price_nano or not (current.request_key or "").startswith(UPGRADE):
            await _receipt(connection, current, now)


async def fulfil_forgotten(db: Database, ledger: LedgerWriter) -> int:
    """Credit orders that were paid a while ago and left: their process died. How many there were."""
    async with db.read(EVERY_TENANT) as connection:
        found = await operator_orders.paid_orders(connection, now_us() - _FORGOTTEN_US, _AT_ONCE)
    for one in found:
        try:
            await fulfil(db, ledger, tenant_id=one.tenant_id, order_id=one.id, actor="sweep")
        except Exception as error:  # noqa: BLE001  # one bad order must not hold up the others; the log says which
            _log.error("%s was paid, could not be credited and is tried again (%r)", one.id, error)
    return len(found)


async def _credit(db: Database, ledger: LedgerWriter, order: Order, cash: int) -> Posted:
    if order.beneficiary_id is not None:
        return await deposit_order(db, ledger, order)
    return await _grant(db, ledger, order, await period_of(db, order), cash)


async def _grant(db: Database, ledger: LedgerWriter, order: Order, period: Period | None, cash: int) -> Posted:
    async with db.read(order.tenant_id) as connection:
        customer = await customers.find(connection, order.tenant_id, order.customer_id)
        offer = await packages.version(connection, order.tenant_id, order.package_id)
    if customer is None or offer is None:
        raise LookupError(f"{order.id} names a customer or package that is not there")
    now = now_us()
    credit = credit_of(offer, order.price_nano if order.kind == "topup" else None, now)
    request = Grant(
        lot_id=new_id("lot"),
        txn_id=new_id("txn"),
        tenant_id=order.tenant_id,
        wallet_id=customer.wallet_id,
        kind=credit.terms.kind,
        amount=order.credits_nano,
        at=now,
        ref=order.id,
        expires_at=credit.terms.expires_at if period is None else period.expires_at,
        models=credit.terms.models,
        cash=cash,
        lot_ref=credit.ref,
        daily=credit.terms.daily,
    )
    once = idempotency("order", order.id, [order.customer_id, order.credits_nano, order.package_id])
    if period is not None:
        once = idempotency(period.operation, period.key, [order.id, order.credits_nano])
    outcome = await ledger.submit(GrantCredit(request, once))
    if not isinstance(outcome, Posted):
        raise LedgerFault("The ledger did not answer the grant of an order with what it posted.")
    return outcome


async def _note_failure(db: Database, order: Order, error: KitError, actor: str) -> None:
    _log.error("%s was paid and could not be credited: %s", order.id, error.message)
    if order.state == "activation_failed":
        return
    async with db.write(order.tenant_id) as connection:
        await orders.change(
            connection,
            order.tenant_id,
            order.id,
            transition(order.state, "fail"),
            actor=actor,
            now=now_us(),
            facts={"error": error.message},
        )


async def _receipt(connection: Connection, order: Order, now: int) -> None:
    tenant = await operator.tenant_by_id(connection, order.tenant_id)
    customer = await customers.find(connection, order.tenant_id, order.customer_id)
    if tenant is None or customer is None:
        raise LookupError(f"{order.id} names a tenant or customer that is not there")
    year = dt.datetime.fromtimestamp(now // SECOND_US, ZoneInfo(tenant.timezone)).year
    content = _content(order, tenant, customer.name, await paid_with(connection, order))
    if order.beneficiary_id is not None:
        # The operator sells: its own row bears no name of its own.
        content["seller"]["name"] = (await tenants.platform_settings(connection)).get("name", tenant.name)
    issued = await orders.issue_receipt(connection, tenant.id, order.id, year=year, content=content, now=now)
    renews = order.period_ends_at is not None and (order.request_key or "").startswith(RENEWAL)
    if order.beneficiary_id is not None:
        return
    await outbox.add(
        connection,
        tenant.id,
        kind="subscription_renewed" if renews else "receipt",
        recipient=order.email,
        payload={
            **({"until": told_moment(order.period_ends_at or now, tenant.timezone)} if renews else {}),
            "order": order.id,
            "number": issued.label,
            "title": order.title,
            "price": content["total"],
            "credits": content["lines"][0]["credits"],
        },
        dedupe=f"receipt:{order.id}",
        now=now,
    )


def _content(order: Order, tenant: Tenant, buyer: str, paid: Payment | None) -> dict[str, Any]:
    """What stands on the receipt: the seller as it is known today, and tax as the provider reported it."""
    price = format_amount(order.price_nano)
    return {
        "seller": {"name": tenant.name, **tenant.settings.get("brand", {}).get("legal", {})},
        "buyer": {"name": buyer, "email": order.email},
        "lines": [
            {
                "title": order.title,
                "credits": format_amount(order.credits_nano),
                "amount": price,
                **({"daily": order.terms["daily_allowance"]} if order.terms.get("daily_allowance") else {}),
            }
        ],
        "total": price,
        "currency": "USD",
        "tax": [],
        "provider": order.provider,
        **({} if paid is None or order.provider == Manual.name else taxed(paid)),
    }
