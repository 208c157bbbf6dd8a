"""`abuse`: what upstreams report of customers, filed and followed."""

from __future__ import annotations

import click

from ..core.abuse import CATEGORIES, STATES
from ..core.times import format_time, parse_time
from ..db.operator_abuse import Filed
from ..flows import shapes
from ..flows.abuse import decide, reports
from ..flows.abuse.decide import Decision
from ..flows.abuse.reports import NewReport
from ..flows.shapes import Document
from .invocation import actor, with_database, with_vault
from .options import TEXT, Group, any_tenant_option, page_options, window_of
from .output import emit, facts, more, table

_ID = click.argument("report_id", metavar="ID")


@click.group(cls=Group)
def abuse() -> None:
    """Reports of abuse: file, look up, restrict, close."""


@abuse.command()
@click.option("--upstream", required=True, metavar="NAME", help="Who reported it; no reseller reads this.")
@click.option("--end-user", default="", metavar="ID", help="Whom it is about, by the upstream's name (eu_…).")
@click.option("--request", "request_id", default="", metavar="ID", help="Or the call that it is about (req_…).")
@click.option("--reason", required=True, metavar="TEXT", help="Your words for the reseller; name no upstream.")
@click.option("--category", type=click.Choice(CATEGORIES), default="other", show_default=True, help="What it is.")
@click.option("--reference", default="", metavar="TEXT", help="The upstream's number; the same one is filed once.")
@click.option("--at", metavar="TIME", help="When it happened; a call's own time by default.")
def report(
    *, upstream: str, end_user: str, request_id: str, reason: str, category: str, reference: str, at: str | None
) -> None:
    """File what an upstream reported; the reseller's team is told by mail."""
    new = NewReport(
        upstream=upstream,
        body=reason,
        end_user=end_user.strip(),
        request_id=request_id.strip(),
        category=category,
        reference=reference.strip(),
        happened_at=None if at is None else parse_time(at),
    )
    _show(with_vault(lambda db, vault: reports.file_report(db, vault, new, actor())))


@abuse.command("list")
@any_tenant_option
@click.option("--status", type=click.Choice(STATES), help="Only reports in this state.")
@page_options
def list_(tenant: str | None, status: str | None, limit: int, cursor: str | None) -> None:
    """Reports, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: reports.list_filed(db, window, tenant=tenant, state=status))
    documents = [_document(row) for row in page.items]
    rows = [(d["id"], d["tenant"], d["email"], d["category"], d["status"], d["created_at"][:16]) for d in documents]
    emit(
        shapes.listing("reports", page, documents),
        table(["ID", "TENANT", "CUSTOMER", "CATEGORY", "STATUS", "FILED"], rows, empty="No reports yet."),
        more(page.next_cursor),
    )


@abuse.command()
@_ID
def show(report_id: str) -> None:
    """One report, with what became of it."""
    _show(with_database(lambda db: reports.show_filed(db, report_id)))


@abuse.command()
@_ID
@click.option("--reason", required=True, type=TEXT, help="What the customer reads.")
@click.option("--until", metavar="TIME", help="When it ends by itself; by default it does not.")
def restrict(report_id: str, reason: str, until: str | None) -> None:
    """Restrict the customer, whatever its reseller decided; only you lift it again."""
    end = None if until is None else parse_time(until)
    _overrule(report_id, Decision(move="force", words=reason, until=end))


@abuse.command()
@_ID
@click.option("--words", default="", metavar="TEXT", help="What the customer reads, if it was restricted.")
def close(report_id: str, words: str) -> None:
    """Withdraw a report; a restriction that it brought is lifted."""
    _overrule(report_id, Decision(move="withdraw", words=words))


def _overrule(report_id: str, decision: Decision) -> None:
    with_database(lambda db: decide.overrule(db, report_id, decision, actor()))
    _show(with_database(lambda db: reports.show_filed(db, report_id)))


def _show(filed: Filed) -> None:
    document = _document(filed)
    emit(
        document,
        facts(
            [
                ("Report", document["id"]),
                ("Upstream", f"{filed.upstream} {filed.reference}".strip()),
                ("Tenant", filed.tenant),
                ("Customer", f"{document['email']} ({document['customer_id']})"),
                ("Known as", filed.end_user),
                ("Category", document["category"]),
                ("Happened", (document["happened_at"] or "–")[:16].replace("T", " ")),
                ("Status", document["status"] + (", forced" if document["forced"] else "")),
                ("Until", (document["until"] or "–")[:16].replace("T", " ")),
            ]
        ),
        document["body"],
        f"Told the customer:\n{document['reason']}" if document["reason"] else "",
        f"The customer appealed:\n{document['appeal']}" if document["appeal"] else "",
        f"Answered:\n{document['answer']}" if document["answer"] else "",
    )


def _document(filed: Filed) -> Document:
    row = filed.listed.report
    return {
        "id": row.id,
        "tenant": filed.tenant,
        "customer_id": row.customer_id,
        "email": filed.listed.email,
        "upstream": filed.upstream,
        "end_user": filed.end_user,
        "reference": filed.reference,
        "request_id": row.request_id or None,
        "category": row.category,
        "body": row.body,
        "status": row.state,
        "forced": row.forced,
        "reason": row.reason,
        "appeal": row.appeal,
        "answer": row.answer,
        "happened_at": _time(row.happened_at),
        "restricted_at": _time(row.restricted_at),
        "until": _time(row.until),
        "created_at": format_time(row.created_at),
        "changed_at": format_time(row.changed_at),
    }


def _time(at: int | None) -> str | None:
    return None if at is None else format_time(at)
