"""The circuits of endpoints as all processes share them: the operator's own, written when one changes."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Select, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import revisions
from . import tables as t
from .engine import now_us

_KEY: Final = ("upstream", "upstream_model")
KIND: Final = "endpoint"
"""Of revisions that say that a circuit changed."""


class EndpointState(Struct, frozen=True, kw_only=True):
    """A circuit as it was written last. `until`, `changed_at` in µs."""

    upstream: str
    upstream_model: str
    state: str
    trips: int
    failures: int
    reason: str
    until: int
    changed_at: int


async def every(connection: AsyncConnection) -> list[EndpointState]:
    """Every circuit that ever opened, by name."""
    c = t.endpoint_state.c
    rows = await connection.execute(_stored().order_by(c.upstream, c.upstream_model))
    return [EndpointState(**row) for row in rows.mappings()]


async def find(connection: AsyncConnection, upstream: str, upstream_model: str) -> EndpointState | None:
    """One circuit; None if it never opened."""
    c = t.endpoint_state.c
    statement = _stored().where(c.upstream == upstream, c.upstream_model == upstream_model)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else EndpointState(**row)


async def put_open(connection: AsyncConnection, state: EndpointState) -> bool:
    """Open a circuit, unless another process opened it for as long already or knows newer; whether anything changed."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    c = t.endpoint_state.c
    values = {name: getattr(state, name) for name in EndpointState.__struct_fields__}
    statement = insert(t.endpoint_state).values(**values, probe_until=0)
    changed = {name: statement.excluded[name] for name in (*values, "probe_until") if name not in _KEY}
    outcome = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=_KEY,
            set_=changed,
            where=(c.changed_at <= state.changed_at)
            & ((c.state == "closed") | (c.until <= state.changed_at) | (c.trips < state.trips)),
        )
    )
    return await _announce(connection, state.upstream, outcome.rowcount)


async def put_closed(
    connection: AsyncConnection, upstream: str, upstream_model: str | None = None, *, now: int
) -> bool:
    """Close a circuit, or all of an upstream; whether anything changed."""
    c = t.endpoint_state.c
    statement = update(t.endpoint_state).where(c.upstream == upstream, c.state == "open")
    if upstream_model is not None:
        statement = statement.where(c.upstream_model == upstream_model)
    closed = statement.values(state="closed", failures=0, reason="", until=0, probe_until=0, changed_at=now)
    return await _announce(connection, upstream, (await connection.execute(closed)).rowcount)


async def claim_probe(connection: AsyncConnection, upstream: str, upstream_model: str, until: int) -> bool:
    """Whether the one probe that is due is the asker's, up to `until` (µs)."""
    c, now = t.endpoint_state.c, now_us()
    outcome = await connection.execute(
        update(t.endpoint_state)
        .where(
            c.upstream == upstream,
            c.upstream_model == upstream_model,
            c.state == "open",
            c.until <= now,
            c.probe_until <= now,
        )
        .values(probe_until=until)
    )
    return outcome.rowcount == 1


def _stored() -> Select[Any]:
    return select(*(t.endpoint_state.c[name] for name in EndpointState.__struct_fields__))


async def _announce(connection: AsyncConnection, upstream: str, changed: int) -> bool:
    if changed:
        await revisions.bump(connection, KIND, upstream)
    return bool(changed)
