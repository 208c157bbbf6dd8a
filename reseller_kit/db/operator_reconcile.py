"""Reads behind `reconcile` and `upstream caches`: what one upstream served, across tenants. Judges nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct
from sqlalchemy import exists, select

from . import tables as t
from .operator_audit import Connection

_CHUNK: Final = 1_000


class Served(Struct, frozen=True):
    """A usage record as these need it; `quantities` is JSON, cost in nano-USD, time in µs."""

    id: str
    upstream_model: str
    quantities: str
    usage_source: str
    cost_nano: int
    created_at: int
    cost_version: str | None = None


async def is_upstream(connection: Connection, name: str) -> bool:
    """Whether there is an upstream of this name, or was one when a call was served."""
    known = await connection.scalar(select(exists().where(t.upstream.c.name == name)))
    return bool(known) or bool(await connection.scalar(select(exists().where(t.usage_record.c.upstream == name))))


async def served(
    connection: Connection, upstream: str, *, since: int | None, until: int | None
) -> AsyncIterator[list[Served]]:
    """What an upstream served from `since` up to before `until`, in order of id, a thousand at a time."""
    u = t.usage_record.c
    columns = [u[name] for name in Served.__struct_fields__]
    statement = select(*columns).where(u.upstream == upstream)
    if since is not None:
        statement = statement.where(u.created_at >= since)
    if until is not None:
        statement = statement.where(u.created_at < until)
    last = ""
    while True:
        rows = await connection.execute(statement.where(u.id > last).order_by(u.id).limit(_CHUNK))
        chunk = [Served(*row) for row in rows]
        if chunk:
            yield chunk
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1].id
