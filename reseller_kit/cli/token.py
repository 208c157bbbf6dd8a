"""`token`: what programs of a storefront's team log in to its management API with."""

from __future__ import annotations

from typing import Any

import click

from ..core.apitoken import SCOPES
from ..core.times import parse_time
from ..db.api_tokens import ApiToken
from ..db.engine import now_us
from ..flows import api_tokens as flow
from ..flows import shapes
from ..flows.api_tokens import TokenTerms
from .invocation import actor, with_database, with_vault
from .options import TEXT, Group, page_options, patterns, tenant_option, window_of
from .output import emit, facts, more, table


@click.group(cls=Group)
def token() -> None:
    """Tokens of the management API: create, list, revoke."""


@token.command()
@tenant_option
@click.option("--name", type=TEXT, required=True, help="What it is for.")
@click.option("--scopes", type=patterns, required=True, metavar="SCOPE,…", help=f"What it may do: {', '.join(SCOPES)}.")
@click.option("--expires", type=parse_time, metavar="ISO", help="When it stops to work. Left out: never.")
def create(tenant: str, name: str, scopes: tuple[str, ...], expires: int | None) -> None:
    """A new token. It is shown here and never again."""
    terms = TokenTerms(name=name, scopes=scopes, expires_at=expires)
    new = with_vault(lambda db, vault: flow.create_token(db, vault, tenant, terms, actor=actor()))
    emit(
        shapes.token(new.token, now_us(), new.secret),
        facts(_pairs(new.token)),
        f"The token, shown this once:\n{new.secret}",
    )


@token.command("list")
@tenant_option
@page_options
def list_(tenant: str, limit: int, cursor: str | None) -> None:
    """A tenant's tokens, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_tokens(db, tenant, window))
    now = now_us()
    documents = [shapes.token(row, now) for row in page.items]
    rows = [(row["id"], row["prefix"] + "…", row["name"], ", ".join(row["scopes"]), row["status"]) for row in documents]
    emit(
        shapes.listing("tokens", page, documents),
        table(["ID", "TOKEN", "NAME", "SCOPES", "STATUS"], rows, empty="No tokens yet."),
        more(page.next_cursor),
    )


@token.command()
@tenant_option
@click.argument("token_id", metavar="ID")
def revoke(tenant: str, token_id: str) -> None:
    """Make a token stop to work, for good."""
    row = with_database(lambda db: flow.revoke_token(db, tenant, token_id, actor=actor()))
    emit(shapes.token(row, now_us()), facts(_pairs(row)))


def _pairs(row: ApiToken) -> list[tuple[str, Any]]:
    shown = shapes.token(row, now_us())
    return [
        ("Id", row.id),
        ("Token", f"{row.prefix}…"),
        ("Name", row.name),
        ("Scopes", ", ".join(row.scopes)),
        ("Made by", row.made_by or "the operator"),
        ("Last used", shapes.short_time(row.last_used_at) or "never"),
        ("Expires", shapes.short_time(row.expires_at)),
        ("Status", shown["status"]),
    ]
