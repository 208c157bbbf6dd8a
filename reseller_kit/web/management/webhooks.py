"""Webhook endpoints for the management API: thin handlers over the flows of the console."""

from __future__ import annotations

from typing import Final, TypedDict

from msgspec import UNSET, Struct, UnsetType

from ...flows import documents as doc
from ...flows import hook_shapes, hooks
from ...flows.hooks import EndpointTerms
from .endpoint import PAGE, Call, Endpoint

_SCOPE: Final = "webhooks"


class NewWebhook(Struct, frozen=True, forbid_unknown_fields=True):
    """Where events are to go. `events`: names, or * for all, which is also meant where it is left out."""

    url: str
    description: str = ""
    events: tuple[str, ...] = ("*",)


class WebhookChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    events: tuple[str, ...] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class Webhooks(TypedDict):
    """A page of endpoints."""

    webhooks: list[doc.Webhook]
    next_cursor: str | None


class Deliveries(TypedDict):
    """A page of deliveries."""

    deliveries: list[doc.Delivery]
    next_cursor: str | None


async def _list(call: Call) -> Webhooks:
    page = await hooks.list_endpoints(call.db, call.slug, call.window())
    return {"webhooks": [hook_shapes.endpoint(row) for row in page.items], "next_cursor": page.next_cursor}


async def _create(call: Call) -> doc.Webhook:
    body: NewWebhook = call.body
    terms = EndpointTerms(url=body.url, description=body.description, events=body.events)
    made = await hooks.create_endpoint(call.db, call.vault, call.slug, terms, actor=call.actor)
    return hook_shapes.endpoint(made.endpoint, made.secret)


async def _show(call: Call) -> doc.Webhook:
    return hook_shapes.endpoint(await hooks.show_endpoint(call.db, call.slug, call.path["webhook"]))


async def _change(call: Call) -> doc.Webhook:
    body: WebhookChange = call.body
    webhook = call.path["webhook"]
    terms = EndpointTerms(url=body.url, description=body.description, events=body.events)
    row = await hooks.change_endpoint(call.db, call.slug, webhook, terms, actor=call.actor)
    if not isinstance(body.enabled, UnsetType):
        row = await hooks.switch_endpoint(call.db, call.slug, webhook, enabled=body.enabled, actor=call.actor)
    return hook_shapes.endpoint(row)


async def _remove(call: Call) -> doc.Webhook:
    return hook_shapes.endpoint(await hooks.remove_endpoint(call.db, call.slug, call.path["webhook"], actor=call.actor))


async def _rotate(call: Call) -> doc.Webhook:
    made = await hooks.rotate_hook_secret(call.db, call.vault, call.slug, call.path["webhook"], actor=call.actor)
    return hook_shapes.endpoint(made.endpoint, made.secret)


async def _test(call: Call) -> doc.Delivery:
    return hook_shapes.delivery(await hooks.send_test(call.db, call.slug, call.path["webhook"], actor=call.actor))


async def _deliveries(call: Call) -> Deliveries:
    page = await hooks.list_deliveries(call.db, call.slug, call.path["webhook"], call.window())
    return {"deliveries": [hook_shapes.delivery(one) for one in page.items], "next_cursor": page.next_cursor}


async def _redeliver(call: Call) -> doc.Delivery:
    webhook, delivery = call.path["webhook"], call.path["delivery"]
    return hook_shapes.delivery(await hooks.redeliver(call.db, call.slug, webhook, delivery, actor=call.actor))


WEBHOOKS: Final = (
    Endpoint(
        method="GET",
        path="/webhooks",
        scope=_SCOPE,
        summary="Endpoints that events go to.",
        handle=_list,
        query=PAGE,
    ),
    Endpoint(
        method="POST",
        path="/webhooks",
        scope=_SCOPE,
        summary="Send events to a URL. The answer alone shows the secret that signs them.",
        handle=_create,
        body=NewWebhook,
        status=201,
    ),
    Endpoint(method="GET", path="/webhooks/{webhook}", scope=_SCOPE, summary="One endpoint.", handle=_show),
    Endpoint(
        method="PUT",
        path="/webhooks/{webhook}",
        scope=_SCOPE,
        summary="Change an endpoint, or switch it off or on.",
        handle=_change,
        body=WebhookChange,
    ),
    Endpoint(
        method="DELETE",
        path="/webhooks/{webhook}",
        scope=_SCOPE,
        summary="Remove an endpoint with its log.",
        handle=_remove,
    ),
    Endpoint(
        method="POST",
        path="/webhooks/{webhook}/rotate",
        scope=_SCOPE,
        summary="A new secret; the one before signs as well for a day.",
        handle=_rotate,
    ),
    Endpoint(
        method="POST",
        path="/webhooks/{webhook}/test",
        scope=_SCOPE,
        summary="Send a test event.",
        handle=_test,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/webhooks/{webhook}/deliveries",
        scope=_SCOPE,
        summary="What was sent in the last 30 days, with each attempt.",
        handle=_deliveries,
        query=PAGE,
    ),
    Endpoint(
        method="POST",
        path="/webhooks/{webhook}/deliveries/{delivery}/redeliver",
        scope=_SCOPE,
        summary="Send a delivery again, under the same id.",
        handle=_redeliver,
    ),
)
