"""`member` and `operator`: who may log in to a reseller's console, and to the platform's own pages."""

from __future__ import annotations

from typing import Any

import click

from ..core.roles import TEAM_ROLES
from ..core.times import format_time
from ..db.members import MemberRow
from ..flows.members import team
from ..flows.members.team import Invited, Wanted
from .invocation import actor, current, with_database, with_vault
from .options import TEXT, Group, tenant_option
from .output import emit, facts, table, tell


@click.group(cls=Group)
def member() -> None:
    """The people who run a storefront: invite, list, remove."""


@click.group(cls=Group)
def operator() -> None:
    """The operator's own people."""


@member.command()
@tenant_option
@click.option("--email", required=True, metavar="EMAIL", help="Whom to invite.")
@click.option("--role", required=True, type=click.Choice(TEAM_ROLES), help="What the member may do.")
@click.option("--name", default="", help="What to call the member.")
def invite(tenant: str, email: str, role: str, name: str) -> None:
    """Mail a link that makes a log-in to the console; again for who has not accepted: a new link."""
    checked = TEXT.convert(name, None, None) if name else ""
    _emit(
        with_vault(
            lambda db, vault: team.invite(
                db, vault, tenant, Wanted(email=email, role=role, name=checked, actor=actor()), port=current().port
            )
        )
    )


@member.command("list")
@tenant_option
def list_(tenant: str) -> None:
    """A tenant's members, by address."""
    found = with_database(lambda db: team.list_members(db, tenant))
    rows = [(row.email, row.name, row.role, row.status, "yes" if row.two_factor else "no") for row in found]
    emit(
        {"members": [document(row) for row in found], "next_cursor": None},
        table(["E-MAIL", "NAME", "ROLE", "STATUS", "TWO FACTORS"], rows, empty=f"Tenant {tenant} has no members yet."),
    )


@member.command()
@tenant_option
@click.option("--email", required=True, metavar="EMAIL", help="Whose access ends.")
def remove(tenant: str, email: str) -> None:
    """End a member's access at once."""
    row = with_database(lambda db: team.remove(db, tenant_slug=tenant, email=email, actor=actor()))
    emit({**document(row), "status": "removed"}, facts([("E-mail", row.email), ("Status", "removed")]))


@operator.command("invite")
@click.option("--email", required=True, metavar="EMAIL", help="Whom to invite.")
@click.option("--name", default="", help="What to call the operator.")
def invite_operator(email: str, name: str) -> None:
    """Mail a link that makes a log-in on the platform's own hosts."""
    checked = TEXT.convert(name, None, None) if name else ""
    _emit(
        with_vault(
            lambda db, vault: team.invite_operator(
                db, vault, email=email, name=checked, actor=actor(), port=current().port
            )
        )
    )


@operator.command("list")
def list_operators() -> None:
    """The operator's own people, by address."""
    found = with_database(team.list_operators)
    rows = [(row.email, row.name, row.status, "yes" if row.two_factor else "no") for row in found]
    emit(
        {"operators": [document(row) for row in found], "next_cursor": None},
        table(["E-MAIL", "NAME", "STATUS", "TWO FACTORS"], rows, empty="There is no operator yet: operator invite."),
    )


@operator.command("remove")
@click.option("--email", required=True, metavar="EMAIL", help="Whose access ends.")
def remove_operator(email: str) -> None:
    """End an operator's access at once; who has lost the second factor is removed and invited again."""
    row = with_database(lambda db: team.remove_operator(db, email=email, actor=actor()))
    emit({**document(row), "status": "removed"}, facts([("E-mail", row.email), ("Status", "removed")]))


def document(row: MemberRow) -> dict[str, Any]:
    """A member as JSON."""
    return {
        "email": row.email,
        "name": row.name,
        "role": row.role,
        "status": row.status,
        "two_factor": row.two_factor,
        "created_at": format_time(row.created_at),
        "accepted_at": None if row.accepted_at is None else format_time(row.accepted_at),
        "seen_at": None if row.seen_at is None else format_time(row.seen_at),
    }


def _emit(invited: Invited) -> None:
    row = invited.member
    link = invited.link
    emit(
        {**document(row), "link": link},
        facts([("E-mail", row.email), ("Role", row.role), ("Status", row.status)]),
        f"The invitation is being mailed. Its link works once, within 7 days:\n{link}" if link else "",
    )
    if link is None:
        tell("There is no host for its pages yet, so there is no link, and the mail waits for one.")
