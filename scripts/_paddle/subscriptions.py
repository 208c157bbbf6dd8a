"""Subscriptions: begun by a payment, shown, listed. `renewals` moves them through time, `alterations` changes them."""

from __future__ import annotations

from typing import Any, Final

from scripts._paddle import clock
from scripts._paddle.account import Account, Entity, Item
from scripts._paddle.api import Call, Reply, listed
from scripts._paddle.listing import Listing, by_name

_WORDS: Final = ("id", "status", "customer_id", "address_id", "collection_mode")
_SUBSCRIPTIONS: Final = Listing(
    words=by_name(*_WORDS)
    | {
        "price_id": lambda entity: {item["price"]["id"] for item in entity["items"]},
        "scheduled_change_action": lambda entity: (entity["scheduled_change"] or {}).get("action"),
    },
    moments=("next_billed_at",),
)


def begin_for(account: Account, transaction: Entity) -> Entity | None:
    """The subscription that a paid transaction begins; None where nothing of it renews, or it belongs to one."""
    renewing = [item for item in account.drafts[transaction["id"]].items if item.price["billing_cycle"]]
    if not renewing or transaction["subscription_id"] is not None:
        return None
    moment = account.clock.now()
    now, cycle = clock.written(moment), renewing[0].price["billing_cycle"]
    ends = clock.written(clock.later(moment, cycle["interval"], cycle["frequency"]))
    subscription: Entity = {
        "id": account.clock.new_id("sub"),
        "status": "active",
        "customer_id": transaction["customer_id"],
        "address_id": transaction["address_id"],
        "business_id": transaction["business_id"],
        "custom_data": transaction["custom_data"],
        "currency_code": transaction["currency_code"],
        "created_at": now,
        "updated_at": now,
        "started_at": now,
        "first_billed_at": now,
        "next_billed_at": ends,
        "paused_at": None,
        "canceled_at": None,
        "collection_mode": transaction["collection_mode"],
        "billing_details": None,
        "current_billing_period": {"starts_at": now, "ends_at": ends},
        "billing_cycle": cycle,
        "scheduled_change": None,
        "items": [],
        "discount": None,
        "consent_requirements": [],
        "import_meta": None,
    }
    set_items(subscription, renewing, now, ends)
    account.put("subscriptions", subscription)
    account.emit("subscription.created", subscription, transaction_id=transaction["id"])
    account.emit("subscription.activated", subscription)
    transaction["subscription_id"] = subscription["id"]
    transaction["billing_period"] = subscription["current_billing_period"]
    account.touch(transaction)
    account.emit("transaction.updated", transaction)
    return subscription


def set_items(subscription: Entity, items: list[Item], now: str, ends: str | None) -> None:
    """What is renewed, billed last at `now` and next at `ends`."""
    subscription["items"] = [
        {
            "status": "active",
            "quantity": item.quantity,
            "recurring": True,
            "created_at": now,
            "updated_at": now,
            "previously_billed_at": now,
            "next_billed_at": ends,
            "trial_dates": None,
            "price": item.price,
            "product": item.product,
        }
        for item in items
    ]


def items_to_bill(account: Account, subscription: Entity) -> list[Item]:
    """The lines of a transaction for the whole of its period."""
    proration = {"rate": "1", "billing_period": subscription["current_billing_period"]}
    return [
        Item(item["price"], item["product"], item["quantity"], account.clock.new_id("txnitm"), proration)
        for item in subscription["items"]
    ]


def bill_no_more(subscription: Entity) -> None:
    """Nothing of it is due while it rests, or ever again."""
    subscription["next_billed_at"], subscription["current_billing_period"] = None, None
    for item in subscription["items"]:
        item["next_billed_at"] = None


def get(call: Call, identifier: str) -> Reply:
    """GET /subscriptions/{id}."""
    return Reply(show(call, call.account.get("subscriptions", identifier)))


def list_all(call: Call) -> Reply:
    """GET /subscriptions."""
    return listed(call, "subscriptions", _SUBSCRIPTIONS, show)


def show(call: Call, subscription: Entity) -> Entity:
    """What the API shows of a subscription: with the links of the portal, which no event has."""
    root, identifier = call.account.root, subscription["id"]
    links: dict[str, Any] = {
        "update_payment_method": f"{root}/portal/subscriptions/{identifier}/update-payment-method",
        "cancel": f"{root}/portal/subscriptions/{identifier}/cancel",
        "view_subscription": f"{root}/portal/subscriptions/{identifier}",
    }
    return subscription | {"management_urls": links}
