"""`customer`: a tenant's customers from the operator's side."""

from __future__ import annotations

import click

from ..core.storefront import NO_GROUP
from ..db.customers import Customer
from ..flows import customers as flow
from ..flows import shapes
from ..flows.identity import invite as invitations
from .invocation import actor, current, with_database, with_vault
from .leaving import erase
from .options import TEXT, Group, chosen, customer_argument, page_options, tenant_option, window_of
from .output import emit, facts, more, table, tell


@click.group(cls=Group)
def customer() -> None:
    """Customers of a tenant."""


customer.add_command(erase)


@customer.command()
@tenant_option
@click.option("--email", required=True, metavar="EMAIL", help="Log-in and address of the customer.")
@click.option("--name", default="", help="What to call the customer.")
def create(tenant: str, email: str, name: str) -> None:
    """A verified customer, and a one-time link to set a password with."""
    checked = TEXT.convert(name, None, None) if name else ""
    new = with_vault(
        lambda db, vault: flow.create_customer(
            db, vault, tenant_slug=tenant, email=email, name=checked, actor=actor(), port=current().port
        )
    )
    emit(
        shapes.customer(new.customer, tenant, new.link),
        facts(_pairs(new.customer, tenant)),
        f"Link to set a password, once, within 7 days:\n{new.link}" if new.link else "",
    )
    if new.link is None:
        tell("The tenant has no storefront host yet, so there is no link to set a password with.")


@customer.command()
@tenant_option
@click.option("--email", required=True, metavar="EMAIL", help="Whom to invite.")
@click.option("--name", default="", help="What to call the customer.")
def invite(tenant: str, email: str, name: str) -> None:
    """Mail a link that makes an account, also where nobody can sign up."""
    checked = TEXT.convert(name, None, None) if name else ""
    new = with_vault(
        lambda db, vault: invitations.invite(
            db, vault, tenant_slug=tenant, email=email, name=checked, actor=actor(), port=current().port
        )
    )
    emit(
        shapes.customer(new.customer, tenant, new.link),
        facts(_pairs(new.customer, tenant)),
        f"The invitation is being mailed. Its link works once, within 7 days:\n{new.link}" if new.link else "",
    )
    if new.link is None:
        tell("The tenant has no storefront host yet, so there is no link, and the mail waits for one.")


@customer.command("list")
@tenant_option
@page_options
def list_(tenant: str, limit: int, cursor: str | None) -> None:
    """A tenant's customers, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_customers(db, tenant, window))
    rows = [(row.id, row.email, row.name, row.status, row.group_id) for row in page.items]
    emit(
        shapes.listing("customers", page, [shapes.customer(row, tenant) for row in page.items]),
        table(["ID", "EMAIL", "NAME", "STATUS", "GROUP"], rows, empty=f"Tenant {tenant} has no customers yet."),
        more(page.next_cursor),
    )


@customer.command()
@tenant_option
@customer_argument
def show(tenant: str, who: str | None, customer: str | None) -> None:
    """One customer."""
    wanted = chosen(who, customer, "the customer")
    _emit(with_database(lambda db: flow.show_customer(db, tenant, wanted)), tenant)


@customer.command()
@tenant_option
@customer_argument
@click.option("--group", "group", required=True, metavar="ID", help='One of the tenant\'s groups, or "none".')
def update(tenant: str, who: str | None, customer: str | None, group: str) -> None:
    """Put a customer into one of the tenant's groups, or into none."""
    wanted = chosen(who, customer, "the customer")
    group_id = None if group == NO_GROUP else group
    _emit(with_database(lambda db: flow.set_customer_group(db, tenant, wanted, group_id, actor())), tenant)


@customer.command()
@tenant_option
@customer_argument
@click.option("--reason", default="by the operator", show_default=True, type=TEXT, help="Why; kept with the change.")
def suspend(tenant: str, who: str | None, customer: str | None, reason: str) -> None:
    """Refuse a customer's calls until it is resumed."""
    wanted = chosen(who, customer, "the customer")
    _emit(with_database(lambda db: flow.suspend_customer(db, tenant, wanted, reason, actor())), tenant)


@customer.command()
@tenant_option
@customer_argument
def resume(tenant: str, who: str | None, customer: str | None) -> None:
    """Serve a suspended customer again."""
    wanted = chosen(who, customer, "the customer")
    _emit(with_database(lambda db: flow.resume_customer(db, tenant, wanted, actor())), tenant)


def _emit(row: Customer, tenant: str) -> None:
    emit(shapes.customer(row, tenant), facts(_pairs(row, tenant)))


def _pairs(row: Customer, tenant: str) -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = [
        ("Id", row.id),
        ("Tenant", tenant),
        ("E-mail", row.email),
        ("Name", row.name),
        ("Status", row.status),
        ("Group", row.group_id or NO_GROUP),
        ("Created", shapes.short_time(row.created_at)),
    ]
    if row.suspend_reason:
        pairs.insert(5, ("Reason", row.suspend_reason))
    return pairs
