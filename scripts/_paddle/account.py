"""Everything that one account of the double holds. Decides nothing; other modules change it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from scripts._paddle.clock import Clock
from scripts._paddle.errors import not_found

Entity = dict[str, Any]
RefundPolicy = Literal["pending", "approve", "reject"]
KINDS: Final = (
    "products",
    "prices",
    "customers",
    "addresses",
    "businesses",
    "transactions",
    "subscriptions",
    "adjustments",
    "portal_sessions",
    "notification_settings",
)


@dataclass(frozen=True)
class Item:
    """So many of a price on a transaction; `line_id` names the line, `proration` the part of a period."""

    price: Entity
    product: Entity
    quantity: int
    line_id: str
    proration: Entity | None = None


@dataclass
class Draft:
    """What a transaction was made from, beside what the API shows of it. `credit` is set against its total."""

    items: list[Item]
    credit: int = 0


@dataclass
class Account:
    """One seller's account. `root` is the double's URL, `secrets` sign its webhooks (more than one: a rotation).

    `tax_mode` holds for prices that leave it to the account. `refunds` is what becomes of a refund that is asked for,
    `renewals` whether what a subscription owes can be collected.
    """

    api_key: str
    root: str
    clock: Clock
    secrets: list[str] = field(default_factory=list)
    webhook_url: str | None = None
    default_checkout_url: str | None = None
    success_url: str | None = None
    approved_domains: list[str] | None = None
    tax_mode: str = "external"
    refunds: RefundPolicy = "pending"
    renewals: Literal["collect", "fail"] = "collect"
    payout_currency: str = "USD"
    tables: dict[str, dict[str, Entity]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    drafts: dict[str, Draft] = field(default_factory=dict)
    events: list[Entity] = field(default_factory=list)
    invoices: int = 10_000
    listeners: list[Callable[[Account, Entity], None]] = field(default_factory=list)

    def get(self, kind: str, identifier: str) -> Entity:
        """An object of the account. Raises Refused (404)."""
        found = self.tables[kind].get(identifier)
        if found is None:
            raise not_found(identifier)
        return found

    def put(self, kind: str, entity: Entity) -> Entity:
        """Keep a new object."""
        self.tables[kind][entity["id"]] = entity
        return entity

    def touch(self, entity: Entity) -> None:
        """Note that it changed now."""
        entity["updated_at"] = self.clock.text()

    def emit(self, event_type: str, entity: Entity, **more: Any) -> Entity:
        """Tell of a change: the event holds the object as it is now."""
        event = {
            "event_id": self.clock.new_id("evt"),
            "event_type": event_type,
            "occurred_at": self.clock.text(),
            "data": copy.deepcopy(entity) | more,
        }
        self.events.append(event)
        for listener in self.listeners:
            listener(self, event)
        return event
