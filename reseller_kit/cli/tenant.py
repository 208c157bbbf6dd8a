"""`tenant`: storefronts from the operator's side."""

from __future__ import annotations

import click

from ..core.errors import InvalidManifest
from ..core.statement import KINDS
from ..db.engine import Database
from ..dns import Resolver
from ..flows import sales, shapes, statement_files, statements
from ..flows import tenants as flow
from ..flows.complaint import Complaint
from ..flows.doctor import examine_tenant
from ..flows.doctor_payments import about_payments
from ..flows.members.owners import invite_waiting
from ..flows.provision.edit import edit
from ..flows.tenant_supply import Supply, supply_of
from ..flows.tenants import NewTenant, TenantDetail, TenantView
from ..vault import Vault
from .doctor import as_documents, described
from .failures import DONE, FINDINGS
from .invocation import actor, current, with_database, with_vault
from .leaving import offboard
from .options import (
    TEXT,
    Group,
    any_customer_option,
    chosen,
    page_options,
    reason_option,
    tenant_argument,
    tenant_option,
    window_of,
)
from .output import csv_shown, emit, facts, more, table, tell
from .tenant_copies import clone, export, import_


@click.group(cls=Group)
def tenant() -> None:
    """Storefronts: create, look up, suspend, resume."""


for command in (clone, export, import_, offboard):
    tenant.add_command(command)


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
    _emit(with_vault(lambda db, vault: _created(db, vault, new)))
    tell(f"What it needs still: reseller-kit tenant doctor {wanted}")


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
@click.option(
    "--visit",
    is_flag=True,
    help="Also visit each storefront host (address, certificate, whose page) and ask DNS for its mail's records.",
)
def doctor(slug: str | None, tenant: str | None, visit: bool) -> int:  # noqa: FBT001  # click's flag
    """What keeps a tenant from selling."""
    wanted = chosen(slug, tenant, "the tenant's slug")
    visitor = Resolver(current().settings.dns_servers) if visit else None

    async def work(db: Database, vault: Vault) -> tuple[TenantDetail, list[Complaint]]:
        detail, found = await examine_tenant(db, wanted, visitor)
        return detail, found + await about_payments(db, vault, wanted)

    detail, found = with_vault(work)
    document = {**shapes.tenant(detail.view), "ok": not found, "findings": as_documents(found)}
    emit(document, *described(found))
    return FINDINGS if found else DONE


@tenant.command()
@tenant_option
@click.option(
    "--month", required=True, metavar="YYYY-MM", type=TEXT, help="Such as 2026-11, in the tenant's time zone."
)
@any_customer_option
@click.option("--csv", "as_csv", is_flag=True, help="For bookkeeping, instead of a table.")
def statement(tenant: str, month: str, customer: str | None, as_csv: bool) -> None:  # noqa: FBT001  # click's flag
    """A month of the reseller: sales, usage at retail and wholesale, margin; or of one customer's credit."""
    if customer is not None:
        own = with_database(lambda db: statements.statement_of(db, tenant, customer, month))
        document = statement_files.customer_document(own)
        rows = [(name, document[name]) for name in ("opening", *KINDS, "closing")]
        text = csv_shown(statement_files.customer_csv(own)) if as_csv else table(["WHAT", "USD>"], rows, empty="")
        emit(document, text)
        return
    found = with_database(lambda db: statements.reseller_statement(db, tenant, month))
    document = statement_files.reseller_document(found)
    if as_csv:
        emit(document, csv_shown(statement_files.reseller_csv(found)))
        return
    _show_statement(document)


@tenant.command("sales")
@tenant_option
@click.option(
    "--month", required=True, metavar="YYYY-MM", type=TEXT, help="Such as 2026-11, in the tenant's time zone."
)
@click.option("--csv", "as_csv", is_flag=True, help="For bookkeeping, instead of a table.")
def sold(tenant: str, month: str, as_csv: bool) -> None:  # noqa: FBT001  # click's flag
    """Each sale, refund and chargeback of a month, with its tax as the provider reported it."""
    found = with_database(lambda db: sales.month_of_sales(db, tenant, month))
    document = {"tenant": tenant, "month": str(found.month), "lines": list(found.lines)}
    names = ("date", "kind", "receipt", "customer", "net", "tax", "gross", "currency")
    rows = [tuple(line[name] for name in names) for line in found.lines]
    titles = ["DATE", "KIND", "RECEIPT", "CUSTOMER", "NET>", "TAX>", "GROSS>", ""]
    text = csv_shown(sales.sales_csv(found)) if as_csv else table(titles, rows, empty="Nothing was sold.")
    emit(document, text)


def _show_statement(document: shapes.Document) -> None:
    names = ("model", "calls", "retail", "wholesale", "margin")
    models = [tuple(one[name] for name in names) for one in document["models"]]
    calls = sum(one["calls"] for one in document["models"])
    total = ("Total", calls, document["retail"], document["wholesale"], document["margin"])
    sold, account = document["sales"], document["account"]
    moved = [("opening", account["opening"]), *account["moved"].items(), ("closing", account["closing"])]
    emit(
        document,
        table(["MODEL", "CALLS>", "RETAIL>", "WHOLESALE>", "MARGIN>"], [*models, total], empty=""),
        f"Sold: {sold['orders']} orders for {sold['price']} USD, {sold['credits']} USD credited,"
        f" {sold['refunded']} USD refunded.",
        table(["ACCOUNT WITH THE OPERATOR", "USD>"], moved, empty=""),
    )


def _state(view: TenantView) -> str:
    return "suspended" if view.tenant.suspended_at is not None else view.tenant.status


async def _created(db: Database, vault: Vault, new: NewTenant) -> TenantDetail:
    made = await flow.create_tenant(db, new, actor())
    try:
        # Nothing is changed but that its prices are published: it sells from here on.
        await edit(db, vault, tenant_slug=new.slug, edits=(), actor=actor())
    except InvalidManifest as refused:
        await invite_waiting(db, vault)
        tell(f"Its prices are not published yet. {refused.message}")
    return made


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
    if row.offboarded_at is not None:
        gone = ("Personal data goes", row.erase_at) if row.erased_at is None else ("Personal data gone", row.erased_at)
        pairs += [("Left", shapes.short_time(row.offboarded_at)), (gone[0], shapes.short_time(gone[1] or 0))]
    if supply is None:
        emit(shapes.tenant_detail(detail), facts(pairs))
        return
    if supply.own_upstreams:
        pairs.append(("Own upstreams", supply.own_upstreams))
    pairs += [(f"Group {group.id}", f"{group.title}, {group.customers} customers") for group in supply.groups]
    rows = [(model, upstreams) for model, upstreams in supply.models.items()]
    document = {**shapes.tenant_detail(detail), **shapes.supply(supply)}
    emit(document, facts(pairs), table(["MODEL", "SERVED BY"], rows, empty="No model is on offer."))
