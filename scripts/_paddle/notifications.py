"""Events as a list, notifications and their settings."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from scripts._paddle import fields
from scripts._paddle.account import Entity
from scripts._paddle.api import Call, Reply, listed
from scripts._paddle.deliveries import Courier, is_loopback
from scripts._paddle.errors import invalid, not_found
from scripts._paddle.listing import Listing, by_name

EVENT_TYPES: Final = (
    *(f"address.{name}" for name in ("created", "updated")),
    *(f"adjustment.{name}" for name in ("created", "updated")),
    *(f"business.{name}" for name in ("created", "updated")),
    *(f"customer.{name}" for name in ("created", "updated")),
    *(f"price.{name}" for name in ("created", "updated")),
    *(f"product.{name}" for name in ("created", "updated")),
    *(
        f"subscription.{name}"
        for name in ("activated", "canceled", "created", "past_due", "paused", "resumed", "updated")
    ),
    *(
        f"transaction.{name}"
        for name in (
            "billed",
            "canceled",
            "completed",
            "created",
            "paid",
            "past_due",
            "payment_failed",
            "ready",
            "updated",
        )
    ),
)
_EVENTS: Final = Listing(words={"event_type": lambda entity: entity["event_type"]}, orders=("event_id", "id"))
_SETTINGS: Final = Listing(words={"active": lambda entity: "true" if entity["active"] else "false"})
_DOMAINS: Final = Listing(words=by_name("status", "domain"))
_NOTIFICATIONS: Final = Listing(words=by_name("id", "status"))


def list_events(call: Call) -> Reply:
    """GET /events, by `event_type`, `from` and `to`."""
    query = {name: value for name, value in call.query.items() if name not in {"from", "to", "order_by"}}
    if "order_by" in call.query:
        query["order_by"] = call.query["order_by"].replace("id[", "event_id[", 1)
    low, high = call.query.get("from", ""), call.query.get("to", "~")
    found = [event for event in call.account.events if low <= event["occurred_at"] <= high]
    shown, pagination = _EVENTS.page(found, query, call.url, "event_id")
    return Reply(shown, pagination=pagination)


def list_event_types(call: Call) -> Reply:  # noqa: ARG001  # the same for every account
    """GET /event-types."""
    return Reply([_event_type(name) for name in EVENT_TYPES])


def create_setting(call: Call) -> Reply:
    """POST /notification-settings: a webhook with a secret of its own. Destinations off this machine are refused."""
    account, body = call.account, call.body
    destination = fields.text(body, "destination")
    if not is_loopback(destination):
        raise invalid("destination", "must be on this machine: this is a double and stays on the loopback")
    identifier = account.clock.new_id("ntfset")
    setting = {
        "id": identifier,
        "description": fields.text(body, "description"),
        "type": fields.choice(body, "type", {"url", "email"}),
        "destination": destination,
        "active": True,
        "api_version": 1,
        "include_sensitive_fields": bool(body.get("include_sensitive_fields")),
        "traffic_source": fields.choice(body, "traffic_source", {"all", "platform", "simulation"}, "all"),
        "subscribed_events": _subscribed(body),
        "endpoint_secret_key": f"pdl_{identifier}_{secrets.token_urlsafe(24)}",
    }
    account.put("notification_settings", setting)
    return Reply(setting, 201)


def list_settings(call: Call) -> Reply:
    """GET /notification-settings."""
    return listed(call, "notification_settings", _SETTINGS, lambda _, setting: setting)


def get_setting(call: Call, identifier: str) -> Reply:
    """GET /notification-settings/{id}."""
    return Reply(call.account.get("notification_settings", identifier))


def update_setting(call: Call, identifier: str) -> Reply:
    """PATCH /notification-settings/{id}."""
    setting = call.account.get("notification_settings", identifier)
    if "active" in call.body:
        setting["active"] = bool(call.body["active"])
    if "destination" in call.body:
        setting["destination"] = fields.text(call.body, "destination")
    if "subscribed_events" in call.body:
        setting["subscribed_events"] = _subscribed(call.body)
    return Reply(setting)


def delete_setting(call: Call, identifier: str) -> Reply:
    """DELETE /notification-settings/{id}."""
    call.account.get("notification_settings", identifier)
    del call.account.tables["notification_settings"][identifier]
    return Reply(None, 204)


def list_checkout_domains(call: Call) -> Reply:
    """GET /checkout-domains: those that may stand in `checkout.url`."""
    account = call.account
    found = [
        {"id": f"chkdom_{place:026d}", "domain": domain, "status": "approved", "created_at": None, "updated_at": None}
        for place, domain in enumerate(account.approved_domains or [])
    ]
    shown, pagination = _DOMAINS.page(found, call.query, call.url)
    return Reply(shown, pagination=pagination)


def list_notifications(call: Call, courier: Courier) -> Reply:
    """GET /notifications."""
    own = [one.shown() for one in courier.known.values() if one.account is call.account]
    shown, pagination = _NOTIFICATIONS.page(own, call.query, call.url)
    return Reply(shown, pagination=pagination)


def replay(call: Call, courier: Courier, identifier: str) -> Reply:
    """POST /notifications/{id}/replay: the same event under another notification."""
    notification = courier.known.get(identifier)
    if notification is None or notification.account is not call.account:
        raise not_found(identifier)
    made = courier.tell(call.account, notification.event, origin="replay")
    return Reply({"notification_id": made[0].identifier if made else None}, 202)


def _subscribed(body: Mapping[str, Any]) -> list[Entity]:
    names = body.get("subscribed_events")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid("subscribed_events", "must be a list of event types")
    return [_event_type(name) for name in names if name in EVENT_TYPES]


def _event_type(name: str) -> Entity:
    group = name.partition(".")[0].capitalize()
    return {"name": name, "description": f"Occurs with {name}.", "group": group, "available_versions": [1]}
