"""`case`: what customers ask the team."""

from __future__ import annotations

import click

from ..core.times import format_time
from ..db.support import Case
from ..flows import shapes
from ..flows import support as flow
from ..flows.shapes import Document
from ..flows.support import CaseDetail
from .invocation import actor, with_database
from .options import PROSE, Group, page_options, tenant_option, window_of
from .output import emit, facts, more, table

_STATES = ("open", "answered", "closed")


@click.group(cls=Group)
def case() -> None:
    """Support cases: look up, answer, close."""


@case.command("list")
@tenant_option
@click.option("--status", type=click.Choice(_STATES), help="Only cases in this state; open ones wait for you.")
@page_options
def list_(tenant: str, status: str | None, limit: int, cursor: str | None) -> None:
    """A tenant's cases, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_cases(db, tenant, window, status))
    documents = [_case(row) for row in page.items]
    rows = [(row["id"], row["email"], row["subject"], row["status"], row["changed_at"][:16]) for row in documents]
    emit(
        shapes.listing("cases", page, documents),
        table(["ID", "FROM", "SUBJECT", "STATUS", "LATEST"], rows, empty="No cases yet."),
        more(page.next_cursor),
    )


@case.command()
@click.argument("case_id", metavar="ID")
@tenant_option
def show(case_id: str, tenant: str) -> None:
    """One case with its messages."""
    _show(with_database(lambda db: flow.show_case(db, tenant, case_id)))


@case.command()
@click.argument("case_id", metavar="ID")
@tenant_option
@click.option("--body", required=True, type=PROSE, help="What the customer reads, by mail and on the page.")
@click.option("--close", is_flag=True, help="Close the case with this answer.")
def answer(case_id: str, tenant: str, body: str, close: bool) -> None:  # noqa: FBT001  # click's flag
    """Answer a case."""
    _show(
        with_database(
            lambda db: flow.answer_case(db, tenant_slug=tenant, case_id=case_id, body=body, close=close, actor=actor())
        )
    )


@case.command()
@click.argument("case_id", metavar="ID")
@tenant_option
def close(case_id: str, tenant: str) -> None:
    """Close a case without a further word."""
    _show(with_database(lambda db: flow.close_case(db, tenant_slug=tenant, case_id=case_id, actor=actor())))


def _show(detail: CaseDetail) -> None:
    document = {
        **_case(detail.case),
        "messages": [
            {
                "author": message.author,
                "actor": message.actor,
                "body": message.body,
                "created_at": format_time(message.created_at),
            }
            for message in detail.messages
        ],
    }
    said = [
        f"{line['created_at'][:16].replace('T', ' ')} {line['actor'] or line['author']}:\n{line['body']}"
        for line in document["messages"]
    ]
    emit(
        document,
        facts(
            [
                ("Case", document["id"]),
                ("From", document["email"]),
                ("Subject", document["subject"]),
                ("About", document["about"] or "–"),
                ("Status", document["status"]),
            ]
        ),
        *said,
    )


def _case(row: Case) -> Document:
    return {
        "id": row.id,
        "email": row.email,
        "name": row.name,
        "customer_id": row.customer_id,
        "subject": row.subject,
        "about": row.about,
        "status": row.state,
        "created_at": format_time(row.created_at),
        "changed_at": format_time(row.changed_at),
    }
