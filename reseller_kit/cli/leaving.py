"""`customer erase` and `tenant offboard`: how customers and storefronts leave. Knows no rule of its own."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..core.errors import ConfirmationNeeded
from ..core.money import format_amount
from ..core.times import format_time
from ..db.engine import Database, now_us
from ..flows import erasure, offboarding, shapes
from ..flows.erasure import Erased
from ..flows.offboarding import Leaving
from ..flows.providers import Providers
from ..vault import Vault
from .invocation import actor, current, with_database, with_vault
from .options import TEXT, Command, chosen, customer_argument, tenant_argument, tenant_option
from .output import emit, facts, tell


@click.command(cls=Command)
@tenant_option
@customer_argument
@click.option("--keep-receipts", is_flag=True, help="Receipts keep name and address, where the law wants the buyer.")
@click.option("--leave-credit", is_flag=True, help="Unspent credit stays in the books, and nobody can spend it.")
@click.option("--dry-run", is_flag=True, help="Try all of it, tell what would go, and take it back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    *,
    tenant: str,
    who: str | None,
    customer: str | None,
    keep_receipts: bool,
    leave_credit: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Take a customer's personal data out of everything, for good; ledger, usage and receipts' numbers stay."""
    reference = chosen(who, customer, "the customer")

    def run(*, trying: bool) -> Erased:
        wanted = erasure.Wanted(keep_receipts=keep_receipts, leave_credit=leave_credit, dry_run=trying)
        return with_database(lambda db: erasure.erase_customer(db, tenant, reference, wanted, actor=actor()))

    if dry_run:
        _emit_erased(tenant, run(trying=True))
        return
    if not yes and not _agreed_to_erase(tenant, run(trying=True)):
        raise click.Abort
    _emit_erased(tenant, run(trying=False))


def _agreed_to_erase(tenant: str, found: Erased) -> bool:
    """Show what would go and ask. Raises ConfirmationNeeded where nobody can be asked."""
    if current().as_json or not sys.stdin.isatty():
        raise ConfirmationNeeded(
            "Personal data would be erased for good and nobody can be asked. Nothing was changed.",
            fix="Run it again with --yes.",
            details=[_erased(tenant, found)],
        )
    tell(f"{found.customer_id} of {tenant}: {_counted(found.rows)}")
    return click.confirm("\nErase this customer's personal data for good?", default=False)


def _emit_erased(tenant: str, found: Erased) -> None:
    emit(
        _erased(tenant, found),
        facts(
            [
                ("Customer", found.customer_id),
                ("Tenant", tenant),
                ("Rows", _counted(found.rows)),
                ("Still named in", _counted(found.left) if found.left else "nowhere"),
                ("Credit left", f"{format_amount(found.credit)} USD"),
            ]
        ),
    )
    if found.left:
        tell("What is still named stands in texts of the books, such as the reason of a grant, which never change.")
    if found.dry_run:
        tell("A dry run: nothing was changed.")
        return
    tell("Not reached from here: backups, log files, mails already sent, and what the payment provider keeps.")


def _erased(tenant: str, found: Erased) -> dict[str, Any]:
    return {
        "customer": found.customer_id,
        "tenant": tenant,
        "dry_run": found.dry_run,
        "rows": found.rows,
        "left": found.left,
        "credit": format_amount(found.credit),
    }


def _counted(rows: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in rows.items()) or "nothing"


@click.command(cls=Command)
@tenant_argument
@click.option("--reason", type=TEXT, help="Why; kept with the change. Needed unless --undo.")
@click.option(
    "--keep-days",
    type=int,
    default=offboarding.KEEP_DAYS,
    show_default=True,
    help="How long until its personal data goes; it can be taken back until then.",
)
@click.option("--leave-balances", is_flag=True, help="What its accounts hold stays in the books.")
@click.option("--undo", is_flag=True, help="Take it back, as a draft.")
@click.option("--dry-run", is_flag=True, help="Tell what would happen, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def offboard(
    *,
    slug: str | None,
    tenant: str | None,
    reason: str | None,
    keep_days: int,
    leave_balances: bool,
    undo: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """End a storefront: closed at once, without personal data after a while; the books stay."""
    wanted_slug = chosen(slug, tenant, "the tenant's slug")
    if undo:
        detail = with_database(lambda db: offboarding.take_back(db, wanted_slug, actor()))
        emit(shapes.tenant_detail(detail), f"{wanted_slug} is a draft again. Cancelled subscriptions stay so.")
        return
    if reason is None:
        raise click.UsageError("Missing option '--reason'.", ctx=click.get_current_context())
    wanted = offboarding.Wanted(reason=reason, keep_days=keep_days, leave_balances=leave_balances)
    if dry_run or not yes:
        found = with_database(lambda db: offboarding.look(db, wanted_slug, wanted))
        if dry_run:
            _emit_leaving(found, dry_run=True)
            return
        if not _agreed_to_leave(found):
            raise click.Abort

    async def work(db: Database, vault: Vault) -> Leaving:
        providers = Providers(db, vault)
        try:
            done = await offboarding.offboard(db, providers, wanted_slug, wanted, actor=actor())
        finally:
            providers.close()
        if done.erase_at <= now_us():
            await offboarding.erase_due(db)
        return done

    _emit_leaving(with_vault(work), dry_run=False)


def _agreed_to_leave(found: Leaving) -> bool:
    """Show what would happen and ask. Raises ConfirmationNeeded where nobody can be asked."""
    if current().as_json or not sys.stdin.isatty():
        raise ConfirmationNeeded(
            f"The storefront {found.slug} would be closed and nobody can be asked. Nothing was changed.",
            fix="Run it again with --yes.",
            details=[_leaving(found, dry_run=True)],
        )
    tell(f"{found.slug}: {found.customers} customers, {found.members} members of its team")
    tell(f"Personal data would go at {format_time(found.erase_at)}.")
    return click.confirm("\nClose this storefront?", default=False)


def _emit_leaving(found: Leaving, *, dry_run: bool) -> None:
    held = ", ".join(f"{kind} {format_amount(amount)} USD" for kind, amount in sorted(found.held.items()))
    emit(
        _leaving(found, dry_run=dry_run),
        facts(
            [
                ("Tenant", found.slug),
                ("Customers", found.customers),
                ("Team", found.members),
                ("Subscriptions cancelled", len(found.subscriptions)),
                ("Stays in the books", held or "nothing"),
                ("Personal data goes", shapes.short_time(found.erase_at)),
            ]
        ),
    )
    if dry_run:
        tell("A dry run: nothing was changed.")
        return
    tell(f"Take its table out of tenants.toml. Until its data goes: tenant export {found.slug}, or offboard --undo.")


def _leaving(found: Leaving, *, dry_run: bool) -> dict[str, Any]:
    return {
        "slug": found.slug,
        "dry_run": dry_run,
        "erase_at": format_time(found.erase_at),
        "customers": found.customers,
        "members": found.members,
        "held": {kind: format_amount(amount) for kind, amount in sorted(found.held.items())},
        "subscriptions": found.subscriptions,
    }
