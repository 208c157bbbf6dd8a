"""`key`: API keys of customers."""

from __future__ import annotations

from typing import get_args

import click
import msgspec

from ..core.money import parse_amount
from ..core.times import HOUR_US, parse_time
from ..db.keys import OwnedKey
from ..flows import keys as flow
from ..flows import shapes
from ..flows.keys import KeyTerms, LimitReset, NewKey
from .invocation import actor, with_database, with_vault
from .options import (
    TEXT,
    Group,
    any_customer_option,
    any_tenant_option,
    customer_option,
    page_options,
    patterns,
    tenant_option,
    window_of,
)
from .output import emit, facts, more, table


@click.group(cls=Group)
def key() -> None:
    """API keys: create, look up, rotate, revoke."""


@key.command()
@tenant_option
@customer_option
@click.option("--name", type=TEXT, help="What the customer calls it.")
@click.option(
    "--limit", type=parse_amount, metavar="USD", help="Most that the key may spend. Left out: no limit of its own."
)
@click.option("--reset", type=click.Choice(get_args(LimitReset)), help="The limit is per period. Left out: for ever.")
@click.option("--models", type=patterns, metavar="GLOB,…", help="Models it may use. Left out: all.")
@click.option("--expires", type=parse_time, metavar="ISO", help="When it stops to work. Left out: never.")
@click.option("--rpm", type=int, metavar="N", help="Most requests in a minute.")
@click.option("--tpm", type=int, metavar="N", help="Most tokens in a minute.")
@click.option("--concurrency", type=int, metavar="N", help="Most requests under way at once.")
@click.option(
    "--allow-ip",
    "allow_ips",
    type=TEXT,
    multiple=True,
    metavar="ADDRESS",
    help="Address or network (203.0.113.0/24) that it may be used from; may be repeated. Left out: any.",
)
def create(
    *,
    tenant: str,
    customer: str,
    name: str | None,
    limit: int | None,
    reset: str | None,
    models: tuple[str, ...] | None,
    expires: int | None,
    allow_ips: tuple[str, ...],
    **rates: int | None,
) -> None:
    """A new key. It is shown here and never again."""
    terms = KeyTerms(
        name=name or "",
        limit=limit,
        reset=msgspec.convert(reset, LimitReset | None),
        models=models or (),
        expires_at=expires,
        requests_per_minute=rates["rpm"],
        tokens_per_minute=rates["tpm"],
        concurrent_requests=rates["concurrency"],
        allow_ips=allow_ips,
    )
    new = with_vault(
        lambda db, vault: flow.create_key(db, vault, tenant_slug=tenant, customer=customer, terms=terms, actor=actor())
    )
    _emit_new(new)


@key.command("list")
@tenant_option
@any_customer_option
@page_options
def list_(tenant: str, customer: str | None, limit: int, cursor: str | None) -> None:
    """A tenant's keys, or one customer's, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_keys(db, tenant, customer, window))
    documents = [shapes.key(view.owned, use=view.use) for view in page.items]
    rows = [
        (row["id"], row["prefix"] + "…", row["customer"], row["spent"], row["limit"], row["status"])
        for row in documents
    ]
    emit(
        shapes.listing("keys", page, documents),
        table(["ID", "KEY", "CUSTOMER", "SPENT>", "LIMIT>", "STATUS"], rows, empty="No keys yet."),
        more(page.next_cursor),
    )


@key.command()
@click.argument("key_id", metavar="ID")
@any_tenant_option
def show(key_id: str, tenant: str | None) -> None:
    """One key: its terms, and what it has spent in the present period of its limit."""
    view = with_database(lambda db: flow.show_key(db, key_id, tenant))
    row = shapes.key(view.owned, use=view.use)
    spent = [] if view.use is None else [("Spent", f"{row['spent']} USD"), ("Reserved", f"{row['reserved']} USD")]
    resets = [] if view.use is None else [("Resets", shapes.short_time(view.use.resets_at) or "never")]
    emit(row, facts([*_pairs(view.owned), *spent, *resets]))


@key.command()
@click.argument("key_id", metavar="ID")
@any_tenant_option
@click.option("--overlap", type=int, default=0, metavar="HOURS", help="How long the old one works beside it.")
def rotate(key_id: str, tenant: str | None, overlap: int) -> None:
    """A new key with the same terms, in the same limit period; the old one stops to work."""
    microseconds = overlap * HOUR_US
    _emit_new(with_vault(lambda db, vault: flow.rotate_key(db, vault, key_id, tenant, actor(), overlap=microseconds)))


@key.command()
@click.argument("key_id", metavar="ID")
@any_tenant_option
def revoke(key_id: str, tenant: str | None) -> None:
    """Make a key stop to work, for good."""
    owned = with_database(lambda db: flow.revoke_key(db, key_id, tenant, actor()))
    emit(shapes.key(owned), facts(_pairs(owned)))


def _emit_new(new: NewKey) -> None:
    emit(
        shapes.key(new.owned, new.secret, new.use),
        facts(_pairs(new.owned)),
        f"The key, shown this once:\n{new.secret}",
    )


def _pairs(owned: OwnedKey) -> list[tuple[str, object]]:
    row = shapes.key(owned)
    limit = row["limit"] and f"{row['limit']} USD {row['reset'] or 'in all'}"
    return [
        ("Id", row["id"]),
        ("Key", f"{row['prefix']}…"),
        ("Name", row["name"]),
        ("Customer", row["customer"]),
        ("Limit", limit),
        ("Models", row["models"] or "all"),
        ("Requests per minute", row["rpm"]),
        ("Tokens per minute", row["tpm"]),
        ("Requests at once", row["concurrency"]),
        ("Allowed from", ", ".join(row["allow_ips"]) or "anywhere"),
        ("Last used", shapes.short_time(owned.key.last_used_at) or "never"),
        ("Expires", shapes.short_time(owned.key.expires_at)),
        ("Status", row["status"]),
    ]
