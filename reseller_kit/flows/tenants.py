"""Use cases of the operator on tenants: look them up, create, suspend, resume. Applies no configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from ..core.email import normalise_email
from ..core.errors import Conflict, InvalidRequest, NotFound
from ..core.manifest.findings import Refusal
from ..core.manifest.texts import read_timezone
from ..core.money import format_markup, parse_markup
from ..core.paging import Page, Window, after, page_of
from ..core.tenant import TenantStatus, is_slug, normalise_host
from ..db import audit_log, operator, revisions, tenants
from ..db.accounts import create_tenant_accounts
from ..db.engine import EVERY_TENANT, NO_TENANT, Database, TenantScope, now_us
from ..db.scope import admit
from ..db.tenants import Connection, Domain, Member, Tenant
from ..theming.library import installed_themes
from . import events

_SHOWN_SLUGS: Final = 10
_LIST: Final = "tenants"


class TenantView(Struct, frozen=True):
    """A tenant with the hosts that it answers at, the primary one first, the fallback host last."""

    tenant: Tenant
    domains: list[Domain]
    hosts: list[str]


class TenantDetail(Struct, frozen=True):
    """A tenant, its hosts and its team."""

    view: TenantView
    members: list[Member]


class NewTenant(Struct, frozen=True, kw_only=True):
    """What the operator gives of a new tenant; the first host becomes the primary one."""

    slug: str
    name: str
    hosts: Sequence[str] = ()
    owners: Sequence[str] = ()
    theme: str = "daylight"
    timezone: str = "UTC"
    status: TenantStatus = "active"
    markup: str | None = None


async def require_tenant(connection: Connection, slug: str) -> Tenant:
    """The tenant of this slug, whose rows the transaction may see from here on.

    Raises NotFound, which names what there is instead.
    """
    tenant = await tenants.find(connection, slug) if is_slug(slug) else None
    if tenant is None:
        known = await tenants.slugs(connection, _SHOWN_SLUGS)
        fix = f"There is: {', '.join(known)}." if known else "Run first: reseller-kit init, then reseller-kit apply."
        raise NotFound(f"There is no tenant {slug[:80]!r}.", fix=fix)
    await admit(connection, tenant.id)
    return tenant


def require_group(tenant: Tenant, group_id: str | None) -> str | None:
    """The same id, of one of the tenant's groups or of none. Raises NotFound, which names what there is instead."""
    known = [group["id"] for group in tenant.settings.get("groups", ())]
    if group_id is not None and group_id not in known:
        fix = f"There is: {', '.join(known)}." if known else "Write [[tenants.groups]] in tenants.toml and apply it."
        raise NotFound(f"Tenant {tenant.slug} has no group {group_id[:80]!r}.", fix=fix)
    return group_id


async def named_tenant(connection: Connection, slug: str) -> Tenant:
    """The tenant of a slug that a row of ours names, the platform's own too; admitted as `require_tenant` does."""
    tenant = await tenants.find(connection, slug)
    if tenant is None:
        raise NotFound(f"There is no tenant {slug[:80]!r}.")
    await admit(connection, tenant.id)
    return tenant


def scope_of(tenant_slug: str | None) -> TenantScope:
    """The scope to begin with where the operator may narrow to one tenant: `require_tenant` admits that one."""
    return EVERY_TENANT if tenant_slug is None else NO_TENANT


async def list_tenants(db: Database, window: Window) -> Page[TenantView]:
    """Every tenant, newest first."""
    key = after(window, _LIST, (int,))
    async with db.read(EVERY_TENANT) as connection:
        rows = await operator.tenants(connection, window.limit + 1, int(key[0]) if key else None)
        domains = await operator.domains_of(connection, [row.id for row in rows])
        suffix = await _suffix(connection)
    page = page_of(rows, window, _LIST, lambda row: (row.id,))
    return Page([_view(row, domains.get(row.id, []), suffix) for row in page.items], page.next_cursor)


async def show_tenant(db: Database, slug: str) -> TenantDetail:
    """One tenant. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        view = await _read_view(connection, tenant)
        return TenantDetail(view, await tenants.members(connection, tenant.id))


async def create_tenant(db: Database, new: NewTenant, actor: str) -> TenantDetail:
    """A new tenant with its hosts, owners and ledger accounts. Its prices are published by the next edit or apply.

    Raises InvalidRequest for malformed values and Conflict for a slug or host that is taken.
    """
    hosts = list(dict.fromkeys(normalise_host(host) for host in new.hosts))
    owners = list(dict.fromkeys(normalise_email(email) for email in new.owners))
    settings = _settings(new)
    async with db.write(EVERY_TENANT) as connection:
        await _refuse_taken(connection, new.slug, hosts)
        tenant_id = await tenants.add(
            connection,
            slug=new.slug,
            name=new.name,
            status=new.status,
            theme=new.theme,
            timezone=new.timezone,
            settings=settings,
        )
        await create_tenant_accounts(connection, tenant_id)
        for position, host in enumerate(hosts):
            await tenants.add_domain(connection, tenant_id, host, "storefront", is_primary=position == 0)
        for email in owners:
            await tenants.add_member(connection, tenant_id, email, "owner")
        facts = {"name": new.name, "status": new.status, "theme": new.theme, "hosts": hosts, "owners": owners}
        await audit_log.record(connection, tenant_id, actor, "tenant.create", "tenant", new.slug, after=facts)
        await revisions.bump(connection, "config")
    return await show_tenant(db, new.slug)


async def suspend_tenant(db: Database, slug: str, reason: str, actor: str) -> TenantDetail:
    """Stop serving a tenant's calls and pages until it is resumed; apply never lifts it. Repeating is harmless."""
    return await _set_suspended(db, slug, reason, actor)


async def resume_tenant(db: Database, slug: str, actor: str) -> TenantDetail:
    """Serve a suspended tenant again. Repeating is harmless."""
    return await _set_suspended(db, slug, None, actor)


async def _set_suspended(db: Database, slug: str, reason: str | None, actor: str) -> TenantDetail:
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        if (tenant.suspended_at is not None) != (reason is not None):
            at = None if reason is None else now_us()
            await tenants.set_suspended(connection, tenant.id, at, reason)
            await audit_log.record(
                connection,
                tenant.id,
                actor,
                "tenant.resume" if reason is None else "tenant.suspend",
                "tenant",
                slug,
                before={"suspended": reason is None, "reason": tenant.suspend_reason},
                after={"suspended": reason is not None, "reason": reason},
            )
            event = "tenant.resumed" if reason is None else "tenant.suspended"
            await events.tell(connection, tenant.id, event, {"storefront": slug})
            await revisions.bump(connection, "config", str(tenant.id))
    return await show_tenant(db, slug)


async def _refuse_taken(connection: Connection, slug: str, hosts: list[str]) -> None:
    if not is_slug(slug):
        raise InvalidRequest(
            f"{slug[:80]!r} is no slug, or is reserved.",
            param="slug",
            fix="Use 1 to 40 of a-z, 0-9 and hyphen, beginning with a letter.",
        )
    if await tenants.find(connection, slug) is not None:
        raise Conflict(f"There is a tenant {slug!r} already.", fix="Choose another slug.")
    platform = await tenants.platform_settings(connection)
    suffix = platform.get("storefront_suffix")
    for host in hosts:
        holder = await operator.owner_of_host(connection, host)
        # A host below the suffix is the fallback of the tenant of that name, there already or yet to come.
        reserved = bool(suffix) and host.endswith(f".{suffix}") and host != f"{slug}.{suffix}"
        if holder is not None or reserved or host in platform.get("hosts", ()):
            raise Conflict(f"The host {host} belongs to {holder or 'the platform'}.", fix="Choose another host.")


async def _read_view(connection: Connection, tenant: Tenant) -> TenantView:
    return _view(tenant, await tenants.domains(connection, tenant.id), await _suffix(connection))


async def _suffix(connection: Connection) -> str | None:
    return (await tenants.platform_settings(connection)).get("storefront_suffix")


def _view(tenant: Tenant, domains: list[Domain], suffix: str | None) -> TenantView:
    hosts = [domain.host for domain in domains if domain.state == "live"]
    if suffix:
        hosts.append(f"{tenant.slug}.{suffix}")
    return TenantView(tenant, domains, list(dict.fromkeys(hosts)))


def _settings(new: NewTenant) -> dict[str, Any]:
    installed = installed_themes()
    if new.theme not in installed:
        raise InvalidRequest(
            f"The theme {new.theme!r} is not installed.", param="theme", fix=f"Choose one of {', '.join(installed)}."
        )
    try:
        read_timezone(new.timezone)
    except Refusal as refusal:
        raise InvalidRequest(refusal.message, param="timezone", fix=refusal.fix) from None
    if new.markup is None:
        return {}
    markup = parse_markup(new.markup)
    if markup < 0:
        raise InvalidRequest(
            "A negative markup sells below wholesale.",
            param="markup",
            fix="A tenant of tenants.toml may, with allow_loss = true.",
        )
    return {"pricing": {"markup": format_markup(markup)}}


async def tenant_id_of(db: Database, slug: str) -> int:
    """The internal id of a tenant. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        return (await require_tenant(connection, slug)).id
