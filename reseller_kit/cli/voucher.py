"""`voucher`: codes that become credit."""

from __future__ import annotations

import click

from ..core.money import parse_amount
from ..core.times import parse_time
from ..db.engine import now_us
from ..flows import shapes
from ..flows import vouchers as flow
from ..flows.voucher_files import voucher_csv
from ..flows.vouchers import VoucherTerms
from .invocation import actor, with_database, with_vault
from .options import TEXT, Group, any_tenant_option, customer_option, page_options, patterns, tenant_option, window_of
from .output import csv_shown, emit, facts, more, table


@click.group(cls=Group)
def voucher() -> None:
    """Vouchers: create, list, revoke, export, redeem."""


@voucher.command()
@tenant_option
@click.option("--amount", required=True, type=parse_amount, metavar="USD", help="What each is worth, above 0.")
@click.option("--count", type=int, default=1, show_default=True, metavar="N", help="How many, up to 5000.")
@click.option("--name", type=TEXT, metavar="BATCH", help="Name of the batch. Left out: one is made up.")
@click.option(
    "--valid-days", type=int, metavar="N", help="Days that the credit lasts once redeemed. Left out: for ever."
)
@click.option("--expires", type=parse_time, metavar="ISO", help="Until when it can be redeemed. Left out: no end.")
@click.option("--models", type=patterns, metavar="GLOB,…", help="Models it can be spent on. Left out: all.")
@click.option(
    "--max-redemptions", type=int, default=1, show_default=True, metavar="N", help="How many customers may redeem each."
)
def create(
    *,
    tenant: str,
    amount: int,
    count: int,
    name: str | None,
    valid_days: int | None,
    expires: int | None,
    models: tuple[str, ...] | None,
    max_redemptions: int,
) -> None:
    """A batch of vouchers. Their codes are shown here and never again."""
    terms = VoucherTerms(
        amount=amount,
        valid_days=valid_days,
        expires_at=expires,
        models=models or (),
        max_redemptions=max_redemptions,
    )
    made = with_vault(
        lambda db, vault: flow.create_vouchers(
            db, vault, tenant_slug=tenant, terms=terms, count=count, batch=name, actor=actor()
        )
    )
    documents = [shapes.voucher(new.row, now_us(), new.code) for new in made]
    batch = documents[0]["batch"]
    emit(
        {"batch": batch, "vouchers": documents},
        f"Batch {batch}: {count} of {documents[0]['amount']} USD. The codes, shown this once:",
        "\n".join(new.code for new in made),
    )


@voucher.command("list")
@tenant_option
@click.option("--batch", type=TEXT, metavar="BATCH", help="Only this batch.")
@page_options
def list_(tenant: str, batch: str | None, limit: int, cursor: str | None) -> None:
    """A tenant's vouchers, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_vouchers(db, tenant, batch, window))
    documents = [shapes.voucher(row, now_us()) for row in page.items]
    rows = [
        (row["id"], row["prefix"] + "…", row["amount"], f"{row['redeemed']}/{row['max_redemptions']}", row["status"])
        for row in documents
    ]
    emit(
        shapes.listing("vouchers", page, documents),
        table(["ID", "CODE", "AMOUNT>", "USED>", "STATUS"], rows, empty="No vouchers yet."),
        more(page.next_cursor),
    )


@voucher.command()
@click.argument("voucher_id", metavar="ID")
@any_tenant_option
def revoke(voucher_id: str, tenant: str | None) -> None:
    """Let a voucher be redeemed no longer. What it granted stays."""
    row = shapes.voucher(with_database(lambda db: flow.revoke_voucher(db, voucher_id, tenant, actor())), now_us())
    emit(row, facts([("Id", row["id"]), ("Batch", row["batch"]), ("Status", row["status"])]))


@voucher.command()
@click.argument("batch", metavar="BATCH")
@tenant_option
def export(batch: str, tenant: str) -> None:
    """The state of every voucher of a batch, as CSV or JSON. Codes are not in it: nobody can show them again."""
    states = with_database(lambda db: flow.export_vouchers(db, tenant, batch))
    documents = [shapes.voucher_state(state, now_us()) for state in states]
    emit({"batch": batch, "vouchers": documents}, csv_shown(voucher_csv(states, now_us())))


@voucher.command()
@tenant_option
@customer_option
@click.option("--code", required=True, type=TEXT, help="The code; spaces, hyphens and case don't matter.")
def redeem(tenant: str, customer: str, code: str) -> None:
    """Redeem a voucher for a customer."""
    posted = with_vault(
        lambda db, vault: flow.redeem_voucher(
            db, vault, tenant_slug=tenant, customer=customer, code=code, actor=actor()
        )
    )
    document = shapes.posted(posted)
    emit(document, f"Redeemed {document['amount']} USD ({document['id']}). Balance: {document['balance']} USD.")
