"""Moves an account through time: periods that end are billed, scheduled changes happen. Sends nothing itself."""

from __future__ import annotations

from scripts._paddle import clock, collect, subscriptions, transactions
from scripts._paddle.account import Account, Entity, Item


def advance_to(account: Account, moment: int) -> None:
    """Go on to `moment` (µs), through everything that is due until then, in its order."""
    while True:
        due = _next_due(account)
        if due is None or due[0] > moment:
            break
        account.clock.advance_to(due[0])
        _happen(account, due[1])
    account.clock.advance_to(moment)


def _next_due(account: Account) -> tuple[int, Entity] | None:
    found = []
    for subscription in account.tables["subscriptions"].values():
        moments = [subscription["next_billed_at"]] if subscription["status"] in {"active", "past_due"} else []
        change = subscription["scheduled_change"]
        moments += [change["effective_at"], change["resume_at"]] if change else []
        found += [(clock.read(text), subscription["id"]) for text in moments if text]
    if not found:
        return None
    when, identifier = min(found)
    return when, account.tables["subscriptions"][identifier]


def _happen(account: Account, subscription: Entity) -> None:
    change = subscription["scheduled_change"]
    if change is None or clock.read(change["effective_at"]) > account.clock.now():
        renew(account, subscription)
    elif change["action"] == "cancel":
        cancel(account, subscription)
    elif change["action"] == "pause":
        pause(account, subscription, change["resume_at"])
    else:
        resume(account, subscription)


def renew(account: Account, subscription: Entity, starts: int | None = None) -> Entity:
    """Bill the next period, from `starts` (µs) or where the last one ended; the transaction."""
    cycle = subscription["billing_cycle"]
    starts = starts if starts is not None else clock.read(subscription["next_billed_at"])
    ends = clock.written(clock.later(starts, cycle["interval"], cycle["frequency"]))
    period = {"starts_at": clock.written(starts), "ends_at": ends}
    subscription["current_billing_period"], subscription["next_billed_at"] = period, ends
    for item in subscription["items"]:
        item["previously_billed_at"], item["next_billed_at"] = period["starts_at"], ends
    account.touch(subscription)
    account.emit("subscription.updated", subscription)
    return charge(account, subscription, origin="subscription_recurring", billing_period=period)


def charge(
    account: Account,
    subscription: Entity,
    *,
    origin: str,
    billing_period: Entity | None = None,
    items: list[Item] | None = None,
    credit: int = 0,
) -> Entity:
    """A transaction of the subscription that is collected at once, or falls due; the transaction."""
    transaction = transactions.begin(
        account,
        items or subscriptions.items_to_bill(account, subscription),
        transactions.of_subscription(subscription, origin),
        billing_period=billing_period or subscription["current_billing_period"],
        credit=credit,
        billed=True,
    )
    if account.renewals == "fail":
        collect.note_failure(account, transaction)
        transaction["status"] = "past_due"
        account.touch(transaction)
        account.emit("transaction.past_due", transaction)
        become(account, subscription, "past_due", "subscription.past_due")
        return transaction
    collect.mark_paid(account, transaction)
    collect.complete(account, transaction)
    if subscription["status"] == "past_due":
        become(account, subscription, "active", "subscription.activated")
    return transaction


def become(account: Account, subscription: Entity, status: str, event: str) -> None:
    """Another status, with its event and the one for any change."""
    subscription["status"] = status
    account.touch(subscription)
    account.emit("subscription.updated", subscription)
    account.emit(event, subscription)


def cancel(account: Account, subscription: Entity) -> None:
    """It ends now."""
    subscription["canceled_at"] = account.clock.text()
    subscription["scheduled_change"] = None
    subscriptions.bill_no_more(subscription)
    become(account, subscription, "canceled", "subscription.canceled")


def pause(account: Account, subscription: Entity, resume_at: str | None) -> None:
    """It rests from now on, until `resume_at` if that is known."""
    subscription["paused_at"] = account.clock.text()
    subscriptions.bill_no_more(subscription)
    subscription["scheduled_change"] = (
        {"action": "resume", "effective_at": resume_at, "resume_at": None} if resume_at else None
    )
    become(account, subscription, "paused", "subscription.paused")


def resume(account: Account, subscription: Entity) -> None:
    """It goes on with a new period that begins and is billed now."""
    subscription["scheduled_change"], subscription["paused_at"] = None, None
    become(account, subscription, "active", "subscription.resumed")
    renew(account, subscription, account.clock.now())
