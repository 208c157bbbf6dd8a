"""What is known of upstreams' keys beside that they exist: which are parked, cool or are on trial. Opens no secret.

A key without a row is simply used. Rows are written on transitions only, by whichever process saw one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.route_sets import owner_of
from ..core.upstream_keys import KeyState
from . import tables as t

States = dict[str, dict[str, KeyState]]
"""By upstream and fingerprint."""


async def states(connection: AsyncConnection, upstream: str | None = None) -> States:
    """Every state, or those of one upstream's keys."""
    c = t.upstream_key_state.c
    statement = select(t.upstream_key_state)
    if upstream is not None:
        statement = statement.where(c.upstream == upstream)
    found: States = {}
    for row in await connection.execute(statement):
        state = KeyState(standing=row.standing, reason=row.reason, since=row.since, until=row.until_at)
        found.setdefault(row.upstream, {})[row.fingerprint] = state
    return found


async def put(connection: AsyncConnection, upstream: str, fingerprint: str, state: KeyState) -> bool:
    """Note a state where it says more than what is known: parked over all others, cooling over a shorter time.

    False when nothing was changed, as when another process was first.
    """
    c = t.upstream_key_state.c
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    values: dict[str, Any] = {
        "standing": state.standing,
        "reason": state.reason,
        "since": state.since,
        "until_at": state.until,
        "checked_at": state.since,
    }
    weaker = c.standing != "parked"
    if state.standing == "cooling":
        weaker = and_(weaker, or_(c.until_at.is_(None), c.until_at < state.until))
    statement = insert(t.upstream_key_state).values(upstream=upstream, fingerprint=fingerprint, **values)
    written = statement.on_conflict_do_update(index_elements=["upstream", "fingerprint"], set_=values, where=weaker)
    return (await connection.execute(written.returning(c.upstream))).one_or_none() is not None


async def let_go(
    connection: AsyncConnection, upstream: str, fingerprint: str | None = None, *, standing: str | None = None
) -> list[str]:
    """Forget the state of a key, or of all keys of an upstream; of one standing alone, if given. Their fingerprints."""
    c = t.upstream_key_state.c
    statement = delete(t.upstream_key_state).where(c.upstream == upstream)
    if fingerprint is not None:
        statement = statement.where(c.fingerprint == fingerprint)
    if standing is not None:
        statement = statement.where(c.standing == standing)
    return sorted(await connection.scalars(statement.returning(c.fingerprint)))


async def try_again(connection: AsyncConnection, upstream: str, fingerprint: str) -> bool:
    """Put a parked key on trial; False when it is not parked."""
    c = t.upstream_key_state.c
    mine = update(t.upstream_key_state).where(c.upstream == upstream, c.fingerprint == fingerprint)
    return (await connection.execute(mine.where(c.standing == "parked").values(standing="trial"))).rowcount == 1


async def forget_strangers(connection: AsyncConnection, upstream: str) -> None:
    """Drop the states of keys that are in an upstream's pool no more: one that comes back begins anew."""
    c = t.upstream_key_state.c
    strangers = (c.upstream == upstream, c.fingerprint.not_in(_pool(upstream)))
    await connection.execute(delete(t.upstream_key_state).where(*strangers))


async def has_other_key(connection: AsyncConnection, upstream: str) -> bool:
    """Whether the upstream's pool has a key that is not parked."""
    c, pool = t.upstream_key_state.c, _pool(upstream).subquery()
    parked = select(c.fingerprint).where(c.upstream == upstream, c.standing == "parked")
    others = select(func.count()).select_from(pool).where(pool.c.fingerprint.not_in(parked))
    return bool(await connection.scalar(others))


def _pool(upstream: str) -> Select[tuple[str]]:
    """The fingerprints of an upstream's keys, the operator's or a reseller's own, by its full name."""
    kind = "upstream" if owner_of(upstream) is None else "own_upstream"
    names = t.secret.c.name.startswith(f"{kind}:{upstream}:key:", autoescape=True)
    return select(t.secret.c.fingerprint).where(names)


async def claim_check(connection: AsyncConnection, before: int, now: int) -> tuple[str, str] | None:
    """A parked key (upstream, fingerprint) that nobody looked at since `before`; now the caller does."""
    c = t.upstream_key_state.c
    due = (c.standing == "parked", c.checked_at < before)
    oldest = (
        select(c.upstream, c.fingerprint).where(*due).order_by(c.checked_at).limit(1).with_for_update(skip_locked=True)
    )
    found = (await connection.execute(oldest)).one_or_none()
    if found is None:
        return None
    mine = update(t.upstream_key_state).where(c.upstream == found.upstream, c.fingerprint == found.fingerprint, *due)
    taken = (await connection.execute(mine.values(checked_at=now))).rowcount == 1
    return (found.upstream, found.fingerprint) if taken else None


async def any_due(connection: AsyncConnection, before: int) -> bool:
    """Whether a parked key was not looked at since `before`."""
    c = t.upstream_key_state.c
    due = select(c.upstream).where(c.standing == "parked", c.checked_at < before).limit(1)
    return await connection.scalar(due) is not None
