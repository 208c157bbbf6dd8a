"""Takes in what is known of payments: stores the latest state of each object and finds the order that it belongs to.

Moves no credit; that is `settle`. Webhooks, polls and somebody's word all come this way.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ...core.ids import is_public_id
from ...core.payment import Adjustment, Fact, Payment, Subscription
from ...core.settlement import gone_of, joined, same_but_time
from ...db import order_settling, orders, payment_facts, subscriptions
from ...db.engine import Connection, Database, now_us
from ...db.ledger import LedgerWriter
from ...db.payment_facts import FactRow
from ...db.subscriptions import Subscription as Row
from ...payments import Provider
from ..plan_changes import pair_changes
from ..subscription_facts import begun_order, told
from .renewals import late_renewals, renewal_order
from .settle import settle_order
from .shapes import adjustments_of, fact_of, fact_row

_NO_ORDER: Final = "it names no order of this storefront"
_FORGED: Final = "its reference to an order is not ours"
_NO_CHANGE: Final = "it pays for a change of a subscription that is not known here"
_NO_PURCHASE: Final = "it renews a subscription that nobody bought here"


class Taken(Struct, frozen=True, kw_only=True):
    """What taking a fact in came to. `changed`: it told something that was not known, `new` of an object unheard of.

    `problem`: why it belongs to no order, in words, where it should.
    """

    new: bool
    changed: bool
    order_ids: tuple[str, ...] = ()
    problem: str = ""


async def take(db: Database, ledger: LedgerWriter, *, tenant_id: int, provider: str, fact: Fact, actor: str) -> Taken:
    """Take a fact in and bring its order, and the ledger, to where they have to be. Repeating is harmless."""
    async with db.write(tenant_id) as connection:
        taken = await store(connection, tenant_id, provider, fact)
    await follow(db, ledger, taken, tenant_id=tenant_id, provider=provider, fact=fact, actor=actor)
    return taken


async def follow(
    db: Database, ledger: LedgerWriter, taken: Taken, *, tenant_id: int, provider: str, fact: Fact, actor: str
) -> None:
    """Bring order and ledger to a fact that is stored; where that fails, the sweep does it."""
    crossed = await _crossed(db, tenant_id, provider, fact) | await _changed(db, tenant_id, provider, fact)
    for order_id in sorted({*taken.order_ids, *crossed}):
        await settle_order(db, ledger, tenant_id=tenant_id, order_id=order_id, actor=actor)


async def _crossed(db: Database, tenant_id: int, provider: str, fact: Fact) -> set[str]:
    """The order of a payment and of what went back of it, where both were stored at once and neither saw the other.

    Each looks again behind its own commit, so one of them finds both.
    """
    if isinstance(fact, Subscription):
        return set()
    ref = fact.payment_ref if isinstance(fact, Adjustment) else fact.ref
    async with db.read(tenant_id) as connection:
        rows = await payment_facts.adjustments_of(connection, tenant_id, provider, ref)
        if all(row.order_id is not None for row in rows):
            return set()
        payment = await payment_facts.find(connection, tenant_id, provider, "payment", ref)
    if payment is None or payment.order_id is None:
        return set()
    async with db.write(tenant_id) as connection:
        await payment_facts.bind_adjustments(connection, tenant_id, provider, ref, payment.order_id)
        await order_settling.bump(connection, tenant_id, payment.order_id)
    return {payment.order_id}


async def _changed(db: Database, tenant_id: int, provider: str, fact: Fact) -> set[str]:
    """Orders of a larger plan whose payment and subscription were stored at once, and neither saw the other."""
    if isinstance(fact, Payment) and (fact.origin, fact.status) != ("change", "completed"):
        return set()
    if isinstance(fact, Adjustment):
        return set()
    async with db.write(tenant_id) as connection:
        return await pair_changes(connection, tenant_id, provider, _subscription_of(fact))


def _subscription_of(fact: Payment | Subscription) -> str | None:
    return fact.ref if isinstance(fact, Subscription) else fact.subscription_ref


async def is_ours(connection: Connection, tenant_id: int, provider: Provider, fact: Fact) -> bool:
    """Whether a fact is the tenant's: surely, or because it belongs to an order or payment that the tenant knows."""
    if provider.is_sure(fact):
        return True
    name = provider.name
    if not isinstance(fact, Subscription):
        ref = fact.payment_ref if isinstance(fact, Adjustment) else fact.ref
        known = await payment_facts.find(connection, tenant_id, name, "payment", ref)
        if known is not None or await orders.find_ref(connection, tenant_id, name, ref) is not None:
            return True
    if isinstance(fact, Adjustment):
        return False
    if isinstance(fact, Subscription) and await begun_order(connection, tenant_id, name, fact) is not None:
        return True
    subscription = _subscription_of(fact)
    if subscription is None:
        return False
    return bool(await payment_facts.of_subscription(connection, tenant_id, name, subscription))


async def store(connection: Connection, tenant_id: int, provider: str, fact: Fact) -> Taken:
    """Keep a fact, in the caller's transaction, and mark the orders that it touches."""
    now = now_us()
    row, added = await payment_facts.add_or_lock(connection, tenant_id, fact_row(provider, fact), now)
    before = fact_of(row)
    after = fact if type(before) is not type(fact) else joined(before, fact)  # type: ignore[type-var]
    changed = added or not same_but_time(before, after)
    if not added and after != before:
        await payment_facts.replace(connection, tenant_id, row.id, fact_row(provider, after), now)
    touched = await _orders_of(connection, tenant_id, row, after, now)
    bound = touched if changed else touched - {row.order_id}
    for order_id in sorted(one for one in bound if one):
        await order_settling.bump(connection, tenant_id, order_id)
    if isinstance(after, Subscription):
        touched |= await _lifted(connection, await told(connection, tenant_id, provider, after))
        touched |= await pair_changes(connection, tenant_id, provider, after.ref)
    problem = "" if touched else await _note_unmatched(connection, tenant_id, row, after)
    return Taken(new=added, changed=changed, order_ids=tuple(sorted(one for one in touched if one)), problem=problem)


async def _lifted(connection: Connection, found: Row | None) -> set[str]:
    """Periods in question of a subscription that was told of: the doubt may be over, when it goes on after all."""
    if found is None:
        return set()
    doubtful = await subscriptions.orders_in(connection, found.tenant_id, found.id, {"review"})
    for order_id in doubtful:
        await order_settling.bump(connection, found.tenant_id, order_id)
    return set(doubtful)


async def _orders_of(connection: Connection, tenant_id: int, row: FactRow, fact: Fact, now: int) -> set[str | None]:
    """The orders that the fact touches: its own, and those of payments that waited for it."""
    if isinstance(fact, Adjustment):
        payment = await payment_facts.find(connection, tenant_id, row.provider, "payment", fact.payment_ref)
        order_id = None if payment is None else payment.order_id
    elif row.order_id is not None:
        order_id = row.order_id
    elif isinstance(fact, Payment):
        order_id = await _order_of_payment(connection, tenant_id, row.provider, fact, now)
    else:
        order_id = await begun_order(connection, tenant_id, row.provider, fact)
    if order_id is None:
        return set()
    if row.order_id is None:
        await payment_facts.bind(connection, tenant_id, row.id, order_id)
    if not isinstance(fact, Payment):
        return {order_id, *await late_renewals(connection, tenant_id, row.provider, row.subscription_ref, now)}
    await payment_facts.bind_adjustments(connection, tenant_id, row.provider, fact.ref, order_id)
    return {order_id, *await late_renewals(connection, tenant_id, row.provider, fact.subscription_ref, now)}


async def _order_of_payment(
    connection: Connection, tenant_id: int, provider: str, payment: Payment, now: int
) -> str | None:
    """The order whose checkout it is; else the one that it names under our signature."""
    if payment.origin == "renewal":
        paid = payment.status == "completed"
        return await renewal_order(connection, tenant_id, provider, payment, now) if paid else None
    if payment.origin == "change":
        paired = await pair_changes(connection, tenant_id, provider, payment.subscription_ref, payment.ref)
        return next(iter(paired), None)
    found = await orders.find_ref(connection, tenant_id, provider, payment.ref)
    return found or await _existing(connection, tenant_id, payment.order_id)


async def _existing(connection: Connection, tenant_id: int, order_id: str | None) -> str | None:
    if order_id is None or not is_public_id(order_id, "ord"):
        return None
    order = await orders.find(connection, tenant_id, order_id)
    return None if order is None else order.id


async def _note_unmatched(connection: Connection, tenant_id: int, row: FactRow, fact: Fact) -> str:
    """Money that came for no order of ours waits for somebody to look at it, until it has gone back."""
    if isinstance(fact, Adjustment):
        return await _note_gone(connection, tenant_id, row.provider, fact.payment_ref)
    if not isinstance(fact, Payment) or fact.status != "completed" or row.decision:
        return row.problem
    problem = _NO_ORDER if fact.claimed is None else _FORGED
    if fact.origin != "purchase":
        problem = _NO_PURCHASE if fact.origin == "renewal" else _NO_CHANGE
    if fact.origin == "change" and not fact.total:
        problem = ""  # Another payment method: nothing was paid.
    elif await _has_gone(connection, tenant_id, row.provider, fact):
        problem = ""
    await payment_facts.set_problem(connection, tenant_id, row.id, problem)
    return problem


async def _note_gone(connection: Connection, tenant_id: int, provider: str, payment_ref: str) -> str:
    row = await payment_facts.find(connection, tenant_id, provider, "payment", payment_ref)
    payment = None if row is None else fact_of(row)
    if row is None or not isinstance(payment, Payment):
        return ""
    if await _has_gone(connection, tenant_id, provider, payment):
        await payment_facts.set_problem(connection, tenant_id, row.id, "")
    return ""


async def _has_gone(connection: Connection, tenant_id: int, provider: str, payment: Payment) -> bool:
    rows = await payment_facts.adjustments_of(connection, tenant_id, provider, payment.ref)
    return payment.total > 0 and gone_of(payment, adjustments_of(rows)).total >= payment.total
