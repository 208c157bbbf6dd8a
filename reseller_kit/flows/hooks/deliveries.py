"""Use cases on what was sent to a webhook endpoint: look it up, send it again, send a test. Sends nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...core.errors import Conflict, NotFound
from ...core.hook import TEST_EVENT
from ...core.ids import is_public_id
from ...core.paging import Page, Window, after, page_of
from ...db import audit_log, hook_deliveries
from ...db.engine import NO_TENANT, Connection, Database, now_us
from ...db.hook_deliveries import HookAttempt, HookDelivery
from ...db.hook_endpoints import HookEndpoint
from ..events import trial_delivery
from ..tenants import require_tenant
from .endpoints import require_endpoint

_LIST: Final = "deliveries"


class Logged(Struct, frozen=True):
    """A delivery and its attempts, latest first."""

    delivery: HookDelivery
    attempts: Sequence[HookAttempt]


async def list_deliveries(db: Database, tenant_slug: str, endpoint_id: str, window: Window) -> Page[Logged]:
    """An endpoint's deliveries, newest first. Raises NotFound."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        await require_endpoint(connection, tenant.id, endpoint_id)
        rows = await hook_deliveries.page(
            connection, tenant.id, endpoint_id, window.limit + 1, str(key[0]) if key else None
        )
        found = await hook_deliveries.attempts_of(connection, tenant.id, [row.id for row in rows])
    logged = [Logged(row, found.get(row.id, ())) for row in rows]
    return page_of(logged, window, _LIST, lambda one: (one.delivery.id,))


async def show_delivery(db: Database, tenant_slug: str, endpoint_id: str, delivery_id: str) -> Logged:
    """One delivery to an endpoint. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        return await _logged(connection, tenant.id, endpoint_id, delivery_id)


async def redeliver(db: Database, tenant_slug: str, endpoint_id: str, delivery_id: str, *, actor: str) -> Logged:
    """Send a delivery again under the same id, now: one that has ended, or one that waits for its next attempt.

    Raises NotFound, and Conflict for an endpoint that is switched off.
    """
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        _require_on(await require_endpoint(connection, tenant.id, endpoint_id, lock=True))
        await _logged(connection, tenant.id, endpoint_id, delivery_id)
        now = now_us()
        if not await hook_deliveries.again(connection, tenant.id, delivery_id, now):
            await hook_deliveries.hasten(connection, tenant.id, delivery_id, now)
        facts = {"delivery": delivery_id}
        await audit_log.record(connection, tenant.id, actor, "webhook.redeliver", "webhook", endpoint_id, after=facts)
        return await _logged(connection, tenant.id, endpoint_id, delivery_id)


async def send_test(db: Database, tenant_slug: str, endpoint_id: str, *, actor: str) -> Logged:
    """Put out an event that tells of nothing. Raises NotFound, and Conflict for an endpoint that is switched off."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        _require_on(await require_endpoint(connection, tenant.id, endpoint_id, lock=True))
        made = trial_delivery(endpoint_id, TEST_EVENT, now_us())
        await hook_deliveries.add(connection, tenant.id, [made])
        facts = {"delivery": made.id}
        await audit_log.record(connection, tenant.id, actor, "webhook.test", "webhook", endpoint_id, after=facts)
    return Logged(made, ())


async def _logged(connection: Connection, tenant_id: int, endpoint_id: str, delivery_id: str) -> Logged:
    known = is_public_id(delivery_id, "whd")
    found = await hook_deliveries.find(connection, tenant_id, delivery_id) if known else None
    if found is None or found.endpoint_id != endpoint_id:
        raise NotFound(
            "There is no such delivery.", fix="See: reseller-kit webhook deliveries ENDPOINT --tenant TENANT"
        )
    return Logged(found, (await hook_deliveries.attempts_of(connection, tenant_id, [found.id])).get(found.id, ()))


def _require_on(endpoint: HookEndpoint) -> None:
    if endpoint.disabled_at is not None:
        raise Conflict("The endpoint is switched off.", fix="Switch it on first.")
