"""`announcement`: what a storefront tells all its customers."""

from __future__ import annotations

import click

from ..core.times import format_time, parse_time
from ..db.announcements import Announcement
from ..flows import announce as flow
from ..flows import shapes
from ..flows.announce import NewAnnouncement
from ..flows.shapes import Document, optional_time
from .invocation import actor, with_database
from .options import PROSE, TEXT, Group, page_options, tenant_option, window_of
from .output import emit, more, table

_KINDS = ("news", "maintenance", "incident")


@click.group(cls=Group)
def announcement() -> None:
    """Announcements: publish, list, end, withdraw."""


@announcement.command()
@tenant_option
@click.option("--title", required=True, type=TEXT, help="One line.")
@click.option("--body", type=PROSE, default=None, help="More of it, in Markdown.")
@click.option("--kind", type=click.Choice(_KINDS), default="news", show_default=True, help="What it is.")
@click.option("--starts", type=parse_time, metavar="ISO", help="From when it is shown. Left out: now.")
@click.option("--ends", type=parse_time, metavar="ISO", help="Until when it is shown. Left out: until you end it.")
@click.option("--mail", is_flag=True, help="Mail it too, to customers who have not unsubscribed.")
def publish(
    *, tenant: str, title: str, body: str | None, kind: str, starts: int | None, ends: int | None, mail: bool
) -> None:
    """Show something on every page of a storefront."""
    new = NewAnnouncement(
        kind=kind,  # type: ignore[arg-type]  # click has checked the choice
        title=title,
        body=body or "",
        starts_at=starts,
        ends_at=ends,
        mail=mail,
    )
    done = with_database(lambda db: flow.announce(db, tenant_slug=tenant, new=new, actor=actor()))
    document = {**_announcement(done.announcement), "mails": done.mails}
    emit(document, f"Published {document['id']}: {document['title']}" + (f" ({done.mails} mails)" if mail else ""))


@announcement.command("list")
@tenant_option
@page_options
def list_(tenant: str, limit: int, cursor: str | None) -> None:
    """A tenant's announcements, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_announcements(db, tenant, window))
    documents = [_announcement(row) for row in page.items]
    rows = [
        (row["id"], row["kind"], row["title"], row["starts_at"][:16], (row["ends_at"] or "")[:16]) for row in documents
    ]
    emit(
        shapes.listing("announcements", page, documents),
        table(["ID", "KIND", "TITLE", "FROM", "UNTIL"], rows, empty="No announcements yet."),
        more(page.next_cursor),
    )


@announcement.command()
@click.argument("announcement_id", metavar="ID")
@tenant_option
def end(announcement_id: str, tenant: str) -> None:
    """It is over: off the pages, still in the list."""
    _ended(announcement_id, tenant, withdraw=False)


@announcement.command()
@click.argument("announcement_id", metavar="ID")
@tenant_option
def withdraw(announcement_id: str, tenant: str) -> None:
    """Take it off the pages and the list."""
    _ended(announcement_id, tenant, withdraw=True)


def _ended(announcement_id: str, tenant: str, *, withdraw: bool) -> None:
    row = with_database(
        lambda db: flow.end_announcement(
            db, tenant_slug=tenant, announcement_id=announcement_id, withdraw=withdraw, actor=actor()
        )
    )
    emit(_announcement(row), f"{'Withdrawn' if withdraw else 'Ended'}: {row.title}")


def _announcement(row: Announcement) -> Document:
    return {
        "id": row.id,
        "kind": row.kind,
        "title": row.title,
        "body": row.body,
        "starts_at": format_time(row.starts_at),
        "ends_at": optional_time(row.ends_at),
        "withdrawn_at": optional_time(row.withdrawn_at),
        "created_at": format_time(row.created_at),
    }
