"""Changes of subscriptions that a seller asks for: items, pauses, ends, one-time charges, another payment method."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from scripts._paddle import adjustments, clock, fields, money, renewals, subscriptions, totals, transactions
from scripts._paddle.account import Account, Entity, Item
from scripts._paddle.api import Call, Reply
from scripts._paddle.errors import Refused, invalid

_MODES: Final = frozenset(
    {
        "prorated_immediately",
        "full_immediately",
        "prorated_next_billing_period",
        "full_next_billing_period",
        "do_not_bill",
    }
)
_WHEN: Final = frozenset({"immediately", "next_billing_period"})


def update(call: Call, identifier: str) -> Reply:
    """PATCH /subscriptions/{id}."""
    account, body = call.account, call.body
    subscription = _changeable(account, identifier)
    if "scheduled_change" in body:
        if body["scheduled_change"] is not None:
            raise invalid("scheduled_change", "can only be removed, by null")
        subscription["scheduled_change"] = None
    elif subscription["scheduled_change"] is not None:
        raise _locked()
    if "custom_data" in body:
        subscription["custom_data"] = fields.custom_data(body)
    if body.get("next_billed_at"):
        subscription["next_billed_at"] = fields.text(body, "next_billed_at")
    if "items" in body:
        _replace_items(call, subscription)
    account.touch(subscription)
    account.emit("subscription.updated", subscription)
    return Reply(subscriptions.show(call, subscription))


def preview(call: Call, identifier: str) -> Reply:
    """PATCH /subscriptions/{id}/preview: what an update of the items would charge."""
    account = call.account
    subscription = _changeable(account, identifier)
    items, (charged, credit) = _items(call, subscription), (0, 0)
    mode = fields.choice(call.body, "proration_billing_mode", _MODES)
    lines = _lines(account, subscription, items, None)
    shown = subscriptions.show(call, subscription)
    immediate = None
    if mode.endswith("immediately"):
        proration = _proration(account, subscription) if mode == "prorated_immediately" else None
        lines_now = _lines(account, subscription, items, proration)
        charged = sum(sum(line.amounts) for line in lines_now)
        credit = _unused(account, subscription)
        details = totals.details(account, lines_now, subscription["currency_code"], credit=credit)
        period = subscription["current_billing_period"]
        immediate = {"billing_period": period, "details": details, "adjustments": []}
    net, currency = charged - credit, subscription["currency_code"]
    summary = {
        "credit": {"amount": str(credit), "currency_code": currency},
        "charge": {"amount": str(charged), "currency_code": currency},
        "result": {"action": "charge" if net >= 0 else "credit", "amount": str(abs(net)), "currency_code": currency},
    }
    details = totals.details(account, lines, subscription["currency_code"])
    return Reply(
        shown
        | {
            "immediate_transaction": immediate,
            "next_transaction": None,
            "recurring_transaction_details": details,
            "update_summary": summary if immediate else None,
        }
    )


def cancel(call: Call, identifier: str) -> Reply:
    """POST /subscriptions/{id}/cancel."""
    account = call.account
    subscription = _changeable(account, identifier)
    when = fields.choice(call.body, "effective_from", _WHEN, "next_billing_period")
    if when == "immediately" or subscription["status"] == "paused":
        renewals.cancel(account, subscription)
    else:
        _schedule(account, subscription, "cancel", None)
    return Reply(subscriptions.show(call, subscription))


def pause(call: Call, identifier: str) -> Reply:
    """POST /subscriptions/{id}/pause."""
    account, resume_at = call.account, fields.optional_text(call.body, "resume_at")
    subscription = _changeable(account, identifier)
    if fields.choice(call.body, "effective_from", _WHEN, "next_billing_period") == "immediately":
        renewals.pause(account, subscription, resume_at)
    else:
        _schedule(account, subscription, "pause", resume_at)
    return Reply(subscriptions.show(call, subscription))


def resume(call: Call, identifier: str) -> Reply:
    """POST /subscriptions/{id}/resume: now."""
    subscription = call.account.get("subscriptions", identifier)
    if subscription["status"] != "paused":
        raise Refused(400, "subscription_is_not_paused", "The subscription is not paused.", area="subscriptions")
    renewals.resume(call.account, subscription)
    return Reply(subscriptions.show(call, subscription))


def charge(call: Call, identifier: str) -> Reply:
    """POST /subscriptions/{id}/charge: a one-time charge, now."""
    subscription = _changeable(call.account, identifier)
    fields.choice(call.body, "effective_from", {"immediately"})
    items = transactions.items_of(call.account, call.body)
    renewals.charge(call.account, subscription, origin="subscription_charge", items=items)
    return Reply(subscriptions.show(call, subscription), 201)


def payment_method_transaction(call: Call, identifier: str) -> Reply:
    """GET /subscriptions/{id}/update-payment-method-transaction: one of nothing, to pay with another card."""
    account = call.account
    subscription = _changeable(account, identifier)
    items = [
        Item(item.price, item.product, item.quantity, item.line_id, _nothing(subscription))
        for item in subscriptions.items_to_bill(account, subscription)
    ]
    terms = transactions.of_subscription(subscription, "subscription_payment_method_change")
    transaction = transactions.begin(account, items, terms)
    return Reply(transactions.show(call, transaction))


def _replace_items(call: Call, subscription: Entity) -> None:
    account, mode = call.account, fields.choice(call.body, "proration_billing_mode", _MODES)
    items = _items(call, subscription)
    proration = _proration(account, subscription) if mode == "prorated_immediately" else None
    billed = [Item(item.price, item.product, item.quantity, item.line_id, proration) for item in items]
    credit = _unused(account, subscription) if mode.endswith("immediately") else 0
    previous = _last_paid(account, subscription)
    now, ends = account.clock.text(), subscription["next_billed_at"]
    subscriptions.set_items(subscription, items, now, ends)
    if not mode.endswith("immediately"):
        return
    if credit and previous is not None:
        line = previous["details"]["line_items"][0]
        gross = min(credit, int(line["totals"]["total"]))
        adjustments.add(account, previous, "credit", "subscription_update", [(line, gross)], whole=False)
    renewals.charge(account, subscription, origin="subscription_update", items=billed, credit=credit)


def _items(call: Call, subscription: Entity) -> list[Item]:
    found = transactions.items_of(call.account, call.body)
    if any(item.price["billing_cycle"] != subscription["billing_cycle"] for item in found):
        raise invalid("items", "must all renew in the billing cycle of the subscription")
    return found


def _lines(account: Account, subscription: Entity, items: list[Item], proration: Entity | None) -> list[totals.Line]:
    country = account.get("addresses", subscription["address_id"])["country_code"]
    currency, rate = subscription["currency_code"], money.tax_rate(country)
    return [
        totals.Line(
            item.price,
            item.product,
            item.quantity,
            totals.unit_amount(item.price, currency, country),
            rate,
            totals.is_inclusive(account, item.price),
            item.line_id,
            proration,
        )
        for item in items
    ]


def _unused(account: Account, subscription: Entity) -> int:
    """What the rest of the running period was paid for, gross."""
    items = subscriptions.items_to_bill(account, subscription)
    lines = _lines(account, subscription, items, _proration(account, subscription))
    return sum(sum(line.amounts) for line in lines)


def _proration(account: Account, subscription: Entity) -> Entity:
    """Which part of the running period lies ahead, with five decimals."""
    period = subscription["current_billing_period"]
    starts, ends = clock.read(period["starts_at"]), clock.read(period["ends_at"])
    moment = account.clock.now()
    share = money.rounded(Fraction(max(0, ends - moment), ends - starts) * 100_000)
    rate = f"{share // 100_000}.{share % 100_000:05d}".rstrip("0").rstrip(".")
    return {"rate": rate, "billing_period": {"starts_at": clock.written(moment), "ends_at": period["ends_at"]}}


def _nothing(subscription: Entity) -> Entity:
    return {"rate": "0", "billing_period": subscription["current_billing_period"]}


def _last_paid(account: Account, subscription: Entity) -> Entity | None:
    paid = [
        one
        for one in account.tables["transactions"].values()
        if one["subscription_id"] == subscription["id"]
        and one["status"] == "completed"
        and int(one["details"]["totals"]["grand_total"]) > 0
    ]
    return max(paid, key=lambda one: str(one["id"])) if paid else None


def _changeable(account: Account, identifier: str) -> Entity:
    subscription = account.get("subscriptions", identifier)
    if subscription["status"] == "canceled":
        detail = "The subscription is canceled and cannot be updated."
        raise Refused(400, "subscription_update_when_canceled", detail, area="subscriptions")
    return subscription


def _schedule(account: Account, subscription: Entity, action: str, resume_at: Any) -> None:
    if subscription["scheduled_change"] is not None:
        raise _locked()
    effective = subscription["current_billing_period"]["ends_at"]
    subscription["scheduled_change"] = {"action": action, "effective_at": effective, "resume_at": resume_at}
    account.touch(subscription)
    account.emit("subscription.updated", subscription)


def _locked() -> Refused:
    detail = "The subscription has a scheduled change; remove it first."
    return Refused(400, "subscription_locked_pending_changes", detail, area="subscriptions")
