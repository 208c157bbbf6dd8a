"""The team's part of the isolation walk: a member with a session and links, and every query of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from reseller_kit.db import members, standing
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection
from reseller_kit.db.sessions import SessionRow

Query = Callable[[Connection, int, Any], Awaitable[Any]]
FAR = 1 << 62
EMAIL = "walker@ours.example"
SESSION = "ses_of_walker"


def digest(x: Any) -> Any:
    """What all of the member's tokens are stored under."""
    return b"walker of " + x.customer.id.encode()


async def number(connection: Connection, x: Any) -> int:
    """The member's; of nobody where everything that is asked for is somebody else's."""
    found = await connection.scalar(select(t.member.c.id).where(t.member.c.email == EMAIL))
    return int(found or 0) if x.member == "owner@ours.example" else 0


def session() -> SessionRow:
    return SessionRow(id=SESSION, agent="", place="", created_at=1, seen_at=5, expires_at=FAR)


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """A member with one of everything."""
    x = SimpleNamespace(customer=customer, member="owner@ours.example")
    row = await members.put(connection, tenant_id, EMAIL, name="", role="admin", now=1)
    assert row is not None
    await members.change(connection, tenant_id, row.id, status="active")
    await members.open_session(connection, tenant_id, row.id, digest=digest(x), session=session())
    await members.add_link(connection, tenant_id, row.id, digest=digest(x), purpose="reset", expires_at=FAR)


READS: dict[str, Query] = {
    "members.by_id": lambda c, tenant, x: _with_number(members.by_id, c, tenant, x),
    "members.count_links": lambda c, tenant, x: _with_number(members.count_links, c, tenant, x, "reset"),
    "members.find": lambda c, tenant, x: members.find(c, tenant, EMAIL if x.member == "owner@ours.example" else "-"),
    "members.find_link": lambda c, tenant, x: members.find_link(c, tenant, digest=digest(x), purpose="reset", now=5),
    "members.live": lambda c, tenant, x: members.live(c, tenant, digest(x), now=5, idle_since=1),
    "members.sessions_of": lambda c, tenant, x: _with_number(members.sessions_of, c, tenant, x, now=5, idle_since=1),
    "members.team": lambda c, tenant, _: members.team(c, tenant),
    "standing.standing": lambda c, tenant, _: standing.standing(c, tenant, since=0),
    "standing.steps": lambda c, tenant, _: standing.steps(c, tenant),
}
WRITES: dict[str, Query] = {
    "members.add_link": lambda c, tenant, x: _with_number(
        members.add_link, c, tenant, x, digest=digest(x), purpose="reset", expires_at=9
    ),
    "members.add_links": lambda c, tenant, x: _with_number(
        members.add_links, c, tenant, x, [digest(x)], purpose="recovery", expires_at=9
    ),
    "members.change": lambda c, tenant, x: _with_number(members.change, c, tenant, x, role="owner"),
    "members.note_invited": lambda c, tenant, x: _with_number(members.note_invited, c, tenant, x, 9),
    "members.drop_links": lambda c, tenant, x: _with_number(members.drop_links, c, tenant, x, "reset"),
    "members.end_session": lambda c, tenant, x: members.end_session(c, tenant, digest(x)),
    "members.end_sessions": lambda c, tenant, x: _with_number(members.end_sessions, c, tenant, x),
    "members.hold": lambda c, tenant, x: _with_number(members.hold, c, tenant, x),
    "members.lock": lambda c, tenant, _: members.lock(c, tenant),
    "members.open_session": lambda c, tenant, x: _with_number(
        members.open_session, c, tenant, x, digest=b"another", session=session()
    ),
    "members.put": lambda c, tenant, _: members.put(c, tenant, EMAIL, name="Eve", role="owner", now=9),
    "members.touch": lambda c, tenant, x: _with_number(_touch, c, tenant, x, digest(x)),
    "members.use_link": lambda c, tenant, x: members.use_link(c, tenant, digest=digest(x), purpose="reset", now=5),
    "members.use_step": lambda c, tenant, x: _with_number(members.use_step, c, tenant, x, 5),
}


async def _touch(connection: Connection, tenant_id: int, member_id: int, found: bytes) -> None:
    await members.touch(connection, tenant_id, found, member_id, 9)


async def _with_number(query: Any, connection: Connection, tenant_id: int, x: Any, *rest: Any, **named: Any) -> Any:
    return await query(connection, tenant_id, await number(connection, x), *rest, **named)
