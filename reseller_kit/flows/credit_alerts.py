"""Tells customers that their credit runs low or out: once a threshold until it is lifted, twice a lot. Moves no money.

Falls are noted under the customer's row, so that of several processes one tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..core.errors import InvalidRequest
from ..core.money import CENT_NANO, format_amount
from ..core.wholesale import crossing
from ..db import accounts, credit_alerts, customers, operator_credit, outbox
from ..db.credit_alerts import CreditAlert
from ..db.engine import EVERY_TENANT, Connection, Database, now_us
from ..db.operator_credit import EXPIRING
from . import events
from .brand import told_moment

KIND: Final = "credit"
"""What customers unsubscribe from."""
MAX_THRESHOLDS: Final = 3
_PARTS: Final = (2, 5, 10)
_LOOK_BACK_US: Final = 5 * 60_000_000
_AHEAD_DAYS: Final = (7, 1)
_AT_ONCE: Final = 500


def default_thresholds(purchase: int | None) -> tuple[int, ...]:
    """Half, a fifth and a tenth of what the latest purchase credited; none without one."""
    return () if purchase is None else tuple(purchase // part for part in _PARTS)


async def chosen_thresholds(db: Database, tenant_id: int, customer_id: str) -> tuple[int, ...] | None:
    """What the customer chose; None for the default."""
    async with db.read(tenant_id) as connection:
        return (await credit_alerts.find(connection, tenant_id, customer_id)).thresholds


async def choose_thresholds(db: Database, tenant_id: int, customer_id: str, thresholds: Sequence[int] | None) -> None:
    """At most three amounts (nano-USD), none for never, None for the default. Raises InvalidRequest."""
    if thresholds is not None and (len(thresholds) > MAX_THRESHOLDS or any(one <= 0 for one in thresholds)):
        raise InvalidRequest("Give up to three amounts above 0.", param="alerts")
    wanted = None if thresholds is None else sorted(set(thresholds), reverse=True)
    async with db.write(tenant_id) as connection:
        await credit_alerts.choose(connection, tenant_id, customer_id, wanted, now_us())


async def watch_credit(db: Database) -> int:
    """Look at whoever spent lately or was told; how many mails were put out. Safe in several processes."""
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        found = await operator_credit.spenders(connection, now - _LOOK_BACK_US)
    told = 0
    for one in found:
        if _judged(one.balance, one.alert, one.purchase) is not None:
            async with db.write(one.tenant_id) as connection:
                told += await _bring_up_to_date(connection, one.tenant_id, one.customer_id, now)
    return told


async def tell_of_expiry(db: Database) -> int:
    """One mail a week and one a day before credit runs out, once each; how many were new."""
    now, told = now_us(), 0
    for days in _AHEAD_DAYS:
        async with db.read(EVERY_TENANT) as connection:
            lots = await operator_credit.expiring(connection, now=now, days=days, unwanted=KIND, limit=_AT_ONCE)
        for lot in lots:
            payload = {
                "left": format_amount(lot.left),
                "until": told_moment(lot.expires_at, lot.timezone),
                "unsubscribe": lot.customer_id,
                "unsubscribe_kind": KIND,
            }
            dedupe = f"{EXPIRING}:{lot.id}:{days}"
            async with db.write(lot.tenant_id) as connection:
                told += await outbox.add(
                    connection,
                    lot.tenant_id,
                    kind=EXPIRING,
                    recipient=lot.email,
                    payload=payload,
                    dedupe=dedupe,
                    now=now,
                )
    return told


def _judged(balance: int, alert: CreditAlert, purchase: int | None) -> tuple[tuple[int, ...], frozenset[int]] | None:
    """What the balance fell below, and what was told and is above it still; None where nothing changed."""
    wanted = default_thresholds(purchase) if alert.thresholds is None else alert.thresholds
    changed = crossing(balance, wanted, alert.told)
    if not changed.fallen and not changed.lifted:
        return None
    return changed.fallen, (alert.told - set(changed.lifted)) | set(changed.fallen)


async def _bring_up_to_date(connection: Connection, tenant_id: int, customer_id: str, now: int) -> bool:
    """Judge once more inside the transaction that notes it; whether there was a fall to tell."""
    customer = await customers.find(connection, tenant_id, customer_id)
    if customer is None:
        return False
    alert = await credit_alerts.lock(connection, tenant_id, customer_id, now)
    balance = (await accounts.customer_wallet(connection, tenant_id, customer_id)).balance
    judged = _judged(balance, alert, await credit_alerts.latest_purchase(connection, tenant_id, customer_id))
    if judged is None:
        return False
    fallen, told = judged
    await credit_alerts.note_told(connection, tenant_id, customer_id, told, now)
    if fallen:
        await _tell_team(connection, tenant_id, customer_id, balance, min(fallen))
    unwanted = customer.status != "active" or await credit_alerts.is_unwanted(connection, tenant_id, customer_id, KIND)
    if not fallen or unwanted:
        return False
    return await outbox.add(
        connection,
        tenant_id,
        kind="credit_low",
        recipient=customer.email,
        payload={
            "available": format_amount(balance - balance % CENT_NANO),
            "threshold": format_amount(min(fallen)),
            "unsubscribe": customer_id,
            "unsubscribe_kind": KIND,
        },
        dedupe=f"credit_low:{customer_id}:{min(fallen)}:{now}",
        now=now,
    )


async def _tell_team(connection: Connection, tenant_id: int, customer_id: str, balance: int, threshold: int) -> None:
    """An event, also of a customer who wants no mail of it."""
    figures = {"threshold": format_amount(threshold), "value": format_amount(balance)}
    data = {"customer": customer_id, "kind": "credit", **figures}
    await events.tell(connection, tenant_id, "usage.threshold_reached", data)
