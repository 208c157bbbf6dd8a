"""`mail`: what the outbox holds for a tenant, or for the operator."""

from __future__ import annotations

from typing import Any

import click

from ..core.times import format_time
from ..db.outbox import OutboxMail
from ..flows import mails as flow
from ..flows import shapes
from .invocation import actor, with_database
from .options import Group, page_options, window_of
from .output import emit, more, table

_tenant_option = click.option(
    "--tenant", metavar="SLUG", help="The tenant, by its slug; left out: mails to the operator."
)


@click.group(cls=Group)
def mail() -> None:
    """Mails that were sent, wait, or were given up."""


@mail.command("list")
@_tenant_option
@page_options
def list_(tenant: str | None, limit: int, cursor: str | None) -> None:
    """Mails of a tenant, or to the operator, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_mails(db, tenant, window))
    rows = [
        (row.id, shapes.short_time(row.created_at), row.kind, row.recipient, row.status, row.last_error or "")
        for row in page.items
    ]
    emit(
        shapes.listing("mails", page, [_mail(row) for row in page.items]),
        table(["ID", "TIME (UTC)", "KIND", "TO", "STATUS", "LAST ERROR"], rows, empty="No mails yet."),
        more(page.next_cursor),
    )


@mail.command()
@_tenant_option
@click.argument("mail_id", metavar="[ID]", required=False)
def retry(tenant: str | None, mail_id: str | None) -> None:
    """Send the mails that were given up once more, or the one of this id."""
    who = actor()
    taken = with_database(lambda db: flow.retry_mails(db, tenant, mail_id, who))
    emit({"retried": taken}, f"{len(taken)} mails will be sent again.")


def _mail(row: OutboxMail) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": format_time(row.created_at),
        "kind": row.kind,
        "recipient": row.recipient,
        "status": row.status,
        "attempts": row.attempts,
        "due_at": format_time(row.due_at) if row.status == "waiting" else None,
        "sent_at": None if row.sent_at is None else format_time(row.sent_at),
        "last_error": row.last_error,
    }
