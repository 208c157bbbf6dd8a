"""Use cases on webhook endpoints: make, list, change, switch off and on, rotate, remove. Shows a secret once."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ...core.errors import Conflict, InvalidRequest, NotFound
from ...core.hook import EVENTS, EVERY_EVENT, OVERLAP_US, new_secret
from ...core.hook_address import hook_address
from ...core.ids import is_public_id, new_id
from ...core.lines import is_line
from ...core.paging import Page, Window, after, page_of
from ...db import audit_log, hook_endpoints, tenants
from ...db.engine import NO_TENANT, Connection, Database, now_us
from ...db.hook_endpoints import HookEndpoint
from ...db.tenants import Tenant
from ...vault import Vault
from ..tenants import require_tenant
from .sealing import seal

MAX_ENDPOINTS: Final = 10
"""Of one storefront."""
MAX_DESCRIPTION: Final = 200
_LIST: Final = "webhooks"


class EndpointTerms(Struct, frozen=True, kw_only=True):
    """What is given of an endpoint; where one is changed, what is left out stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    events: tuple[str, ...] | UnsetType = UNSET


class NewEndpoint(Struct, frozen=True):
    """An endpoint with a secret just made, which nobody can show again."""

    endpoint: HookEndpoint
    secret: str

    def __repr__(self) -> str:
        return f"NewEndpoint(id={self.endpoint.id})"


async def create_endpoint(
    db: Database, vault: Vault, tenant_slug: str, terms: EndpointTerms, *, actor: str
) -> NewEndpoint:
    """A new endpoint, which is told of every event from now on unless it chose some.

    Raises InvalidRequest for a URL that nothing may be sent to and events that there are not, Conflict for one
    endpoint too many.
    """
    if not terms.url:
        raise InvalidRequest(
            "The endpoint needs a URL.", param="url", fix="Give one like https://example.com/webhooks."
        )
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        values = await _checked(connection, terms)
        if await hook_endpoints.count(connection, tenant.id) >= MAX_ENDPOINTS:
            raise Conflict(f"A storefront has at most {MAX_ENDPOINTS} endpoints.", fix="Remove one first.")
        endpoint_id, secret = new_id("whe"), new_secret()
        sealed_by, sealed = seal(vault, endpoint_id, secret)
        endpoint = HookEndpoint(
            id=endpoint_id,
            tenant_id=tenant.id,
            url=str(values["url"]),
            description=str(values.get("description", "")),
            events=values.get("events", (EVERY_EVENT,)),
            sealed_by=sealed_by,
            sealed=sealed,
            created_at=now_us(),
        )
        await hook_endpoints.add(connection, tenant.id, endpoint)
        await _record(connection, tenant, actor, "create", endpoint)
    return NewEndpoint(endpoint, secret)


async def list_endpoints(db: Database, tenant_slug: str, window: Window) -> Page[HookEndpoint]:
    """A tenant's endpoints, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await hook_endpoints.page(connection, tenant.id, window.limit + 1, str(key[0]) if key else None)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def show_endpoint(db: Database, tenant_slug: str, endpoint_id: str) -> HookEndpoint:
    """One endpoint. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        return await require_endpoint(connection, tenant.id, endpoint_id)


async def change_endpoint(
    db: Database, tenant_slug: str, endpoint_id: str, terms: EndpointTerms, *, actor: str
) -> HookEndpoint:
    """Give an endpoint other terms, for what goes out from now on. Raises NotFound and InvalidRequest."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        before = await require_endpoint(connection, tenant.id, endpoint_id, lock=True)
        values = await _checked(connection, terms)
        after_it = msgspec.structs.replace(before, **values)
        if after_it != before:
            stored = {**values, **({"events": list(after_it.events)} if "events" in values else {})}
            await hook_endpoints.change(connection, tenant.id, endpoint_id, **stored)
            await _record(connection, tenant, actor, "change", after_it, before)
    return after_it


async def switch_endpoint(
    db: Database, tenant_slug: str, endpoint_id: str, *, enabled: bool, actor: str
) -> HookEndpoint:
    """Send an endpoint nothing more, or events again from now on. Repeating is harmless. Raises NotFound.

    What waits for an endpoint that is switched off is given up; it can be sent again one by one.
    """
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        found = await require_endpoint(connection, tenant.id, endpoint_id, lock=True)
        if (found.disabled_at is None) == enabled:
            return found
        if enabled:
            fresh = {"disabled_at": None, "disabled_why": "", "failing_since": None}
            await hook_endpoints.change(connection, tenant.id, endpoint_id, **fresh)
        else:
            await hook_endpoints.disable(connection, tenant.id, endpoint_id, "hand", now_us())
        await _record(connection, tenant, actor, "enable" if enabled else "disable", found)
        return await require_endpoint(connection, tenant.id, endpoint_id)


async def rotate_hook_secret(
    db: Database, vault: Vault, tenant_slug: str, endpoint_id: str, *, actor: str
) -> NewEndpoint:
    """A new secret; for a day the one before signs as well, so that receivers can change over. Raises NotFound."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        before = await require_endpoint(connection, tenant.id, endpoint_id, lock=True)
        secret = new_secret()
        sealed_by, sealed = seal(vault, endpoint_id, secret)
        values = {
            "sealed_by": sealed_by,
            "sealed": sealed,
            "old_sealed_by": before.sealed_by,
            "old_sealed": before.sealed,
            "old_until": now_us() + OVERLAP_US,
        }
        await hook_endpoints.change(connection, tenant.id, endpoint_id, **values)
        await _record(connection, tenant, actor, "rotate", before)
    return NewEndpoint(msgspec.structs.replace(before, **values), secret)


async def remove_endpoint(db: Database, tenant_slug: str, endpoint_id: str, *, actor: str) -> HookEndpoint:
    """Delete an endpoint with its log. Raises NotFound."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        found = await require_endpoint(connection, tenant.id, endpoint_id)
        await hook_endpoints.remove(connection, tenant.id, endpoint_id)
        await _record(connection, tenant, actor, "remove", found)
    return found


async def require_endpoint(
    connection: Connection, tenant_id: int, endpoint_id: str, *, lock: bool = False
) -> HookEndpoint:
    """The tenant's endpoint of this id. Raises NotFound."""
    known = is_public_id(endpoint_id, "whe")
    found = await hook_endpoints.find(connection, tenant_id, endpoint_id, lock=lock) if known else None
    if found is None:
        raise NotFound("There is no such endpoint.", fix="See: reseller-kit webhook list --tenant TENANT")
    return found


async def is_private_allowed(connection: Connection) -> bool:
    """Whether events may go to addresses inside this network, as resellers' own upstreams may lie there."""
    return bool((await tenants.platform_settings(connection)).get("private_upstreams", False))


async def _checked(connection: Connection, terms: EndpointTerms) -> dict[str, Any]:
    """The columns of what is given, judged."""
    values: dict[str, Any] = {}
    if not isinstance(terms.url, UnsetType):
        values["url"] = hook_address(terms.url, private=await is_private_allowed(connection)).url
    if not isinstance(terms.description, UnsetType):
        values["description"] = _description(terms.description)
    if not isinstance(terms.events, UnsetType):
        values["events"] = _events(terms.events)
    return values


def _description(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_DESCRIPTION or (text and not is_line(text)):
        fix = f"Give one line of at most {MAX_DESCRIPTION} characters."
        raise InvalidRequest("The description can't be taken.", param="description", fix=fix)
    return text


def _events(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in EVENTS and name != EVERY_EVENT]
    if unknown or not names:
        message = f"There is no event {unknown[0][:40]!r}." if unknown else "The endpoint needs an event."
        raise InvalidRequest(
            message, param="events", fix=f"Choose {EVERY_EVENT} for all, or among {', '.join(EVENTS)}."
        )
    return (EVERY_EVENT,) if EVERY_EVENT in names else tuple(name for name in EVENTS if name in names)


async def _record(
    connection: Connection,
    tenant: Tenant,
    actor: str,
    action: str,
    endpoint: HookEndpoint,
    before: HookEndpoint | None = None,
) -> None:
    await audit_log.record(
        connection,
        tenant.id,
        actor,
        f"webhook.{action}",
        "webhook",
        endpoint.id,
        before=None if before is None else _facts(before),
        after=_facts(endpoint),
    )


def _facts(endpoint: HookEndpoint) -> dict[str, object]:
    return {"url": endpoint.url, "description": endpoint.description, "events": list(endpoint.events)}
