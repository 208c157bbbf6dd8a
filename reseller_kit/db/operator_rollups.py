"""Takes settled usage into the rollups, of every tenant at once and each record once. Changes no record.

What it takes in also tells when each key was last used.

A settle is stamped under the lock of its process's lease, never before the lease's `settled_from`. So once that is
raised to a moment in every lease, all settles before the moment are committed, whatever the clocks say and however
long a commit took; those are summed and the mark moves there, in one transaction.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Executable,
    FromClause,
    Select,
    Table,
    Update,
    bindparam,
    case,
    func,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection as Connection

from ..core.times import DAY_US
from . import tables as t
from .rollup_sums import GRAIN, as_totals, record_rows, summed, total_rows

AT_ONCE: Final = 500
_LOCK_WAIT: Final = "1s"

_u, _m, _lease = t.usage_record.c, t.rollup_mark.c, t.lease.c
_SETTLED: Final = (
    _u.settled_at >= bindparam("since", type_=BigInteger),
    _u.settled_at < bindparam("until", type_=BigInteger),
)
MOVE_MARK: Final = update(t.rollup_mark).where(_m.name == "rolled").values(at=bindparam("until", type_=BigInteger))
"""What was settled before `until` (µs) is summed up."""


async def announce_fence(connection: Connection, at: int) -> int:
    """The moment (µs) before which no lease taken from now on lets a settle be stamped: `at`, or a later one."""
    later = case((_m.at > at, _m.at), else_=at)
    statement = update(t.rollup_mark).where(_m.name == "fence").values(at=later).returning(_m.at)
    return int((await connection.execute(statement)).scalar_one())


async def lease_owners(connection: Connection) -> list[str]:
    """The processes that may be settling."""
    return list(await connection.scalars(select(_lease.owner).order_by(_lease.owner)))


async def fence_off(connection: Connection, owner: str, fence: int) -> None:
    """Let a process stamp no settle before `fence`; waits for the batch that it is committing."""
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
    await connection.execute(
        update(t.lease).where(_lease.owner == owner, _lease.settled_from < fence).values(settled_from=fence)
    )


async def roll(connection: Connection, fence: int) -> bool:
    """Sum the next records that were settled before `fence`; whether more are left. Nothing while another does it.

    The embedded database has one writer at a time, and steps of its own: see `operator_rollups_sqlite`.
    """
    claimed = select(_m.at).where(_m.name == "rolled").with_for_update(skip_locked=True)
    rolled = await connection.scalar(claimed)
    if rolled is None or rolled >= fence:
        return False
    waiting = select(_u.settled_at).where(_u.settled_at >= rolled, _u.settled_at < fence).order_by(_u.settled_at)
    beyond = await connection.scalar(waiting.offset(AT_ONCE).limit(1))
    span = {"since": rolled, "until": fence if beyond is None else max(int(beyond), rolled + 1)}
    for statement in _statements():
        await connection.execute(statement, span)
    await connection.execute(MOVE_MARK, span)
    return beyond is not None


async def rolled_until(connection: Connection) -> int:
    """Settles stamped before this moment (µs) are in the rollups."""
    return int(await connection.scalar(select(_m.at).where(_m.name == "rolled")) or 0)


class Part(NamedTuple):
    """One of the tables that calls are summed up in: what they add to which of its columns, by its key's columns."""

    table: Table
    key: tuple[str, ...]
    sums: tuple[str, ...]
    rows: Select[Any] | CompoundSelect[Any]

    def added(self, insert: type[sqlite.Insert | postgresql.Insert], rows: Any) -> sqlite.Insert | postgresql.Insert:
        """Put such rows onto what is there, by the database's own kind of insert."""
        filled = insert(self.table).from_select([*self.key, *self.sums], rows)
        stored = self.table.c
        changed = {name: stored[name] + filled.excluded[name] for name in self.sums}
        return filled.on_conflict_do_update(index_elements=list(self.key), set_=changed)


@cache
def parts() -> tuple[Part, ...]:
    """What takes in the records that were settled from `since` (µs) until before `until`."""
    return _rollups(), _totals(), _days()


def used(latest: FromClause) -> Update:
    """Write down when keys were last used, by rows of `key_id` and `at`."""
    k = t.api_key.c
    later = (k.id == latest.c.key_id) & (func.coalesce(k.last_used_at, 0) < latest.c.at)
    return update(t.api_key).where(later).values(last_used_at=latest.c.at)


def latest_uses() -> Select[Any]:
    """When each key of those records was last used."""
    return select(_u.key_id, func.max(_u.created_at).label("at")).where(*_SETTLED).group_by(_u.key_id)


@cache
def _statements() -> tuple[Executable, ...]:
    """Put together once: that takes longer than to sum up a step."""
    return (*(part.added(postgresql.Insert, part.rows) for part in parts()), used(latest_uses().subquery()))


def _rollups() -> Part:
    """The rollups of customers and of whole storefronts."""
    customers = summed(record_rows(*_SETTLED)).cte("customers")
    rows = union_all(select(customers), summed(customers, whole_storefront=True))
    return Part(t.usage_rollup, GRAIN, t.SUMMED, rows)


def _totals() -> Part:
    """The sums of customers' own pages."""
    key = ("tenant_id", "customer_id", "grain", "at", "model", "key_id")
    return Part(t.usage_total, key, t.TOTALLED, as_totals(select(total_rows(*_SETTLED)).cte("light")))


def _days() -> Part:
    """The days of models, for the storefront's status page."""
    day = _u.created_at - _u.created_at % DAY_US
    failures = func.sum(case((_u.status == "failed", 1), else_=0))
    counted = select(
        _u.tenant_id, day.label("day_at"), _u.model, func.count().label("calls"), failures.label("failures")
    )
    rows = counted.where(*_SETTLED, _u.status != "refused").group_by(_u.tenant_id, day, _u.model)
    return Part(t.model_day, ("tenant_id", "day_at", "model"), ("calls", "failures"), rows)
