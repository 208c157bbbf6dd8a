"""`upstream`: provider endpoints."""

from __future__ import annotations

import click

from ..flows import upstreams as flow
from .failures import DONE, FINDINGS
from .invocation import with_database, with_vault
from .options import Group
from .output import emit, table


@click.group(cls=Group)
def upstream() -> None:
    """Provider endpoints."""


@upstream.command("list")
def list_() -> None:
    """Every upstream with its keys' fingerprints and the models routed to it."""
    rows = with_database(flow.list_upstreams)
    documents = [
        {
            "name": row.name,
            "dialect": row.dialect,
            "base_url": row.base_url,
            "status": row.status,
            "keys": [{"reference": key.reference, "fingerprint": key.fingerprint} for key in row.keys],
            "models": row.models,
        }
        for row in rows
    ]
    shown = [
        (row.name, row.status, row.base_url, [key.fingerprint for key in row.keys], len(row.models)) for row in rows
    ]
    emit(
        {"upstreams": documents, "next_cursor": None},
        table(["NAME", "STATUS", "BASE URL", "KEYS", "MODELS>"], shown, empty="No upstreams yet."),
    )


@upstream.command()
@click.argument("name", required=False)
def check(name: str | None) -> int:
    """Ask each upstream, or one, whether it answers with every stored key; it costs nothing."""
    from ..app import make_upstream

    checks = with_vault(lambda db, vault: flow.check_upstreams(db, vault, make_upstream, name))
    documents = [
        {
            "name": row.upstream,
            "health": "ok" if row.ok else "failed",
            "status": row.status,
            "latency_ms": row.latency_ms,
            "fault": row.fault,
        }
        for row in checks
    ]
    shown = [(row["name"], row["health"], row["status"], f"{row['latency_ms']} ms", row["fault"]) for row in documents]
    emit(
        {"upstreams": documents, "next_cursor": None},
        table(["NAME", "HEALTH", "HTTP", "TOOK>", "FAULT"], shown, empty="No upstreams yet."),
    )
    return DONE if all(row.ok for row in checks) else FINDINGS
