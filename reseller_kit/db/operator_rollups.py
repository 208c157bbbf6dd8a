"""Takes settled usage into the rollups, of every tenant at once and each record once. Changes no record.

What it takes in also tells when each key was last used.

A settle is stamped under the lock of its process's lease, never before the lease's `settled_from`. So once that is
raised to a moment in every lease, all settles before the moment are committed, whatever the clocks say and however
long a commit took; those are summed and the mark moves there, in one transaction.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from sqlalchemy import (
    BigInteger,
    Executable,
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
    """Sum the next records that were settled before `fence`; whether more are left. Nothing while another does it."""
    claimed = select(_m.at).where(_m.name == "rolled").with_for_update(skip_locked=True)
    rolled = await connection.scalar(claimed)
    if rolled is None or rolled >= fence:
        return False
    waiting = select(_u.settled_at).where(_u.settled_at >= rolled, _u.settled_at < fence).order_by(_u.settled_at)
    beyond = await connection.scalar(waiting.offset(AT_ONCE).limit(1))
    end = fence if beyond is None else max(int(beyond), rolled + 1)
    for statement in _statements(connection.dialect.name):
        await connection.execute(statement, {"since": rolled, "until": end})
    await connection.execute(update(t.rollup_mark).where(_m.name == "rolled").values(at=end))
    return beyond is not None


async def rolled_until(connection: Connection) -> int:
    """Settles stamped before this moment (µs) are in the rollups."""
    return int(await connection.scalar(select(_m.at).where(_m.name == "rolled")) or 0)


@cache
def _statements(dialect: str) -> tuple[Executable, ...]:
    """What takes in the records of `_SETTLED`, put together once: that takes longer than to sum up a step."""
    return _added(dialect), _totalled(dialect), _judged(dialect), _used()


def _used() -> Update:
    """Write down when these calls' keys were last used."""
    k = t.api_key.c
    latest = select(_u.key_id, func.max(_u.created_at).label("at")).where(*_SETTLED).group_by(_u.key_id).subquery()
    later = (k.id == latest.c.key_id) & (func.coalesce(k.last_used_at, 0) < latest.c.at)
    return update(t.api_key).where(later).values(last_used_at=latest.c.at)


def _totalled(dialect: str) -> Executable:
    """Put these calls into the sums of their customers' own pages."""
    rows = select(total_rows(*_SETTLED)).cte("light")
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(t.usage_total)
    grain = ("tenant_id", "customer_id", "grain", "at", "model", "key_id")
    filled = insert.from_select([*grain, *t.TOTALLED], as_totals(rows))
    stored = t.usage_total.c
    return filled.on_conflict_do_update(
        index_elements=list(grain), set_={name: stored[name] + filled.excluded[name] for name in t.TOTALLED}
    )


def _judged(dialect: str) -> Executable:
    """Put these calls into the days of their models, for the storefront's status page."""
    day = _u.created_at - _u.created_at % DAY_US
    failures = func.sum(case((_u.status == "failed", 1), else_=0))
    counted = select(
        _u.tenant_id, day.label("day_at"), _u.model, func.count().label("calls"), failures.label("failures")
    )
    rows = counted.where(*_SETTLED, _u.status != "refused").group_by(_u.tenant_id, day, _u.model)
    grain = ("tenant_id", "day_at", "model")
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(t.model_day)
    filled = insert.from_select([*grain, "calls", "failures"], rows)
    stored = t.model_day.c
    return filled.on_conflict_do_update(
        index_elements=list(grain), set_={name: stored[name] + filled.excluded[name] for name in ("calls", "failures")}
    )


def _added(dialect: str) -> Executable:
    """Put these calls into the rollups of customers and of whole storefronts, onto what is there."""
    customers = summed(record_rows(*_SETTLED)).cte("customers")
    rows = union_all(select(customers), summed(customers, whole_storefront=True))
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(t.usage_rollup)
    filled = insert.from_select([*GRAIN, *t.SUMMED], rows)
    stored = t.usage_rollup.c
    return filled.on_conflict_do_update(
        index_elements=list(GRAIN), set_={name: stored[name] + filled.excluded[name] for name in t.SUMMED}
    )
