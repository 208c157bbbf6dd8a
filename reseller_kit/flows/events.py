"""Tells a reseller's own systems what happened: an event, put out in the transaction of the fact. Sends nothing.

`flows.hooks` delivers it once that is committed. Nothing is stored where no endpoint chose the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ..core.hook import EVENTS, subscribes
from ..core.ids import new_id
from ..core.money import format_amount
from ..core.order import Transition
from ..core.times import format_time
from ..db import hook_deliveries, hook_endpoints, orders
from ..db.engine import Connection, now_us
from ..db.hook_deliveries import HookDelivery


async def tell(connection: Connection, tenant_id: int, event: str, data: Mapping[str, object]) -> None:
    """Put out one event to each endpoint that chose it, all under one id. `data`: what `core.hook.EVENTS` names."""
    if set(EVENTS[event][1]) != set(data):
        raise LookupError(f"{event} has other members than {sorted(data)}")
    chosen = await hook_endpoints.switched_on(connection, tenant_id)
    wanted = [endpoint for endpoint, events in chosen if subscribes(events, event)]
    if wanted:
        await hook_deliveries.add(connection, tenant_id, _deliveries(wanted, event, data, now_us()))


async def tell_of_order(connection: Connection, tenant_id: int, order_id: str, made: Transition) -> None:
    """What an order's transition is to others, if it is anything: paid, refunded or charged back."""
    if made.event not in {"pay", "refund_part", "refund", "charge_back"}:
        return
    order = await orders.find(connection, tenant_id, order_id)
    if order is None:
        raise LookupError(f"{order_id} is not there")
    data = {"order": order.id, "customer": order.customer_id}
    amount = format_amount(order.price_nano)
    if made.after == "paid":
        credited = format_amount(order.credits_nano)
        await tell(connection, tenant_id, "order.paid", {**data, "amount": amount, "credits": credited})
    elif made.after in {"partially_refunded", "refunded"}:
        refunded = format_amount(order.refunded_nano)
        await tell(connection, tenant_id, "order.refunded", {**data, "refunded": refunded})
    elif made.after == "charged_back":
        await tell(connection, tenant_id, "order.disputed", {**data, "amount": amount})


def trial_delivery(endpoint_id: str, event: str, now: int) -> HookDelivery:
    """An event that tells of nothing, for one endpoint."""
    (made,) = _deliveries([endpoint_id], event, {"message": "This is a test."}, now)
    return made


def _deliveries(endpoint_ids: Iterable[str], event: str, data: Mapping[str, object], now: int) -> list[HookDelivery]:
    event_id = new_id("evt")
    body = msgspec.json.encode({"type": event, "timestamp": format_time(now), "data": data}).decode()
    return [
        HookDelivery(
            id=new_id("whd"),
            endpoint_id=endpoint_id,
            event_id=event_id,
            type=event,
            body=body,
            state="waiting",
            attempts=0,
            due_at=now,
            created_at=now,
            ended_at=None,
        )
        for endpoint_id in endpoint_ids
    ]
