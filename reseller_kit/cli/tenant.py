"""`tenant`: storefronts from the operator's side."""

from __future__ import annotations

import click

from ..db.engine import Database
from ..flows import tenants as flow
from ..flows.doctor import examine_tenant
from ..flows.tenant_supply import Supply, supply_of
from ..flows.tenants import NewTenant, TenantDetail, TenantView
from . import shapes
from .doctor import as_documents, described
from .failures import DONE, FINDINGS
from .invocation import actor, with_database
from .options import TEXT, Group, chosen, page_options, reason_option, tenant_argument, window_of
from .output import emit, facts, more, table, tell


@click.group(cls=Group)
def tenant() -> None:
    """Storefronts: create, look up, suspend, resume."""


@tenant.command("list")
@page_options
def list_(limit: int, cursor: str | None) -> None:
    """Every tenant, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_tenants(db, window))
    rows = [(view.tenant.slug, view.tenant.name, _state(view), view.tenant.theme, view.hosts) for view in page.items]
    emit(
        shapes.listing("tenants", page, [shapes.tenant(view) for view in page.items]),
        table(
            ["SLUG", "NAME", "STATE", "THEME", "HOSTS"],
            rows,
            empty="No tenants yet. Write a tenants.toml with `reseller-kit init`, then run `reseller-kit apply`.",
        ),
        more(page.next_cursor),
    )


@tenant.command()
@tenant_argument
def show(slug: str | None, tenant: str | None) -> None:
    """One tenant with its hosts, its team and what serves it."""
    wanted = chosen(slug, tenant, "the tenant's slug")
    detail, supply = with_database(lambda db: _shown(db, wanted))
    _emit(detail, supply)


@tenant.command()
@tenant_argument
@click.option("--name", type=TEXT, help="What customers read. Default: the slug.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Where it answers; the first is the primary one.")
@click.option("--owner", "owners", multiple=True, metavar="EMAIL", help="Log-in of the reseller.")
@click.option("--theme", default="daylight", show_default=True, type=TEXT, help="An installed theme.")
@click.option("--timezone", default="UTC", show_default=True, type=TEXT, help="For periods and dates on pages.")
@click.option("--markup", metavar="PERCENT", help='Retail on wholesale, such as "40%".')
@click.option("--status", type=click.Choice(["draft", "active"]), default="active", show_default=True)
def create(
    *,
    slug: str | None,
    tenant: str | None,
    name: str | None,
    hosts: tuple[str, ...],
    owners: tuple[str, ...],
    theme: str,
    timezone: str,
    markup: str | None,
    status: str,
) -> None:
    """A new tenant. What stands in tenants.toml is better kept there."""
    wanted = chosen(slug, tenant, "the tenant's slug")
    new = NewTenant(
        slug=wanted,
        name=name or wanted,
        hosts=hosts,
        owners=owners,
        theme=theme,
        timezone=timezone,
        status="draft" if status == "draft" else "active",
        markup=markup,
    )
    _emit(with_database(lambda db: flow.create_tenant(db, new, actor())))
    tell(f"Prices are published by the next apply. See: reseller-kit tenant doctor {wanted}")


@tenant.command()
@tenant_argument
@reason_option
def suspend(slug: str | None, tenant: str | None, reason: str) -> None:
    """Stop serving a tenant until it is resumed."""
    wanted = chosen(slug, tenant, "the tenant's slug")
    _emit(with_database(lambda db: flow.suspend_tenant(db, wanted, reason, actor())))


@tenant.command()
@tenant_argument
def resume(slug: str | None, tenant: str | None) -> None:
    """Serve a suspended tenant again."""
    wanted = chosen(slug, tenant, "the tenant's slug")
    _emit(with_database(lambda db: flow.resume_tenant(db, wanted, actor())))


@tenant.command()
@tenant_argument
def doctor(slug: str | None, tenant: str | None) -> int:
    """What keeps a tenant from selling."""
    wanted = chosen(slug, tenant, "the tenant's slug")
    detail, found = with_database(lambda db: examine_tenant(db, wanted))
    document = {**shapes.tenant(detail.view), "ok": not found, "findings": as_documents(found)}
    emit(document, *described(found))
    return FINDINGS if found else DONE


def _state(view: TenantView) -> str:
    return "suspended" if view.tenant.suspended_at is not None else view.tenant.status


async def _shown(db: Database, slug: str) -> tuple[TenantDetail, Supply]:
    return await flow.show_tenant(db, slug), await supply_of(db, slug)


def _emit(detail: TenantDetail, supply: Supply | None = None) -> None:
    row = detail.view.tenant
    pairs: list[tuple[str, object]] = [
        ("Slug", row.slug),
        ("Name", row.name),
        ("State", _state(detail.view)),
        ("Hosts", detail.view.hosts),
        ("Theme", row.theme),
        ("Time zone", row.timezone),
        ("Team", [f"{member.email} ({member.role})" for member in detail.members]),
        ("Created", shapes.short_time(row.created_at)),
    ]
    if row.suspended_at is not None:
        pairs.insert(3, ("Suspended", f"{shapes.short_time(row.suspended_at)}: {row.suspend_reason}"))
    if supply is None:
        emit(shapes.tenant_detail(detail), facts(pairs))
        return
    if supply.own_upstreams:
        pairs.append(("Own upstreams", supply.own_upstreams))
    pairs += [(f"Group {group.id}", f"{group.title}, {group.customers} customers") for group in supply.groups]
    rows = [(model, upstreams) for model, upstreams in supply.models.items()]
    document = {**shapes.tenant_detail(detail), **shapes.supply(supply)}
    emit(document, facts(pairs), table(["MODEL", "SERVED BY"], rows, empty="No model is on offer."))
