"""The outbox: what a transaction wants sent once it is committed. Sends nothing itself.

A mail is added in the transaction of the fact that it tells of, so there is neither one without the other. The
deliverer claims it (`db.operator_outbox`), sends it with no transaction open, and says here how that ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.email import normalise_email
from ..core.errors import InvalidRequest
from ..core.ids import new_id
from . import tables as t

MAX_ATTEMPTS: Final = 12
"""With the delays between them some fifteen hours; after that a mail is parked."""
_FIRST_DELAY_US: Final = 30_000_000
_LONGEST_DELAY_US: Final = 6 * 3_600_000_000
_MAX_NAME: Final = 200
_MAX_ERROR: Final = 300


class OutboxMail(Struct, frozen=True, kw_only=True):
    """A mail as the operator sees it; its content stays in the database. Times in µs."""

    id: str
    kind: str
    recipient: str
    attempts: int
    created_at: int
    due_at: int
    sent_at: int | None
    parked_at: int | None
    last_error: str | None

    @property
    def status(self) -> str:
        """One of: sent, parked, waiting."""
        if self.sent_at is not None:
            return "sent"
        return "waiting" if self.parked_at is None else "parked"


class ParkedMail(Struct, frozen=True, kw_only=True):
    """How many of a tenant's mails were given up, and the latest reason."""

    count: int
    last_error: str


async def add(
    connection: AsyncConnection,
    tenant_id: int | None,
    *,
    kind: str,
    recipient: str,
    payload: Mapping[str, Any],
    dedupe: str,
    now: int,
    due: int | None = None,
) -> bool:
    """Put a mail into the caller's transaction; False when the tenant has one under this `dedupe` already.

    `tenant_id` None: a mail to the operator, which only `EVERY_TENANT` sees.

    `kind` names the template and what `payload` holds (`flows.deliver.KINDS`). Raises InvalidRequest for a malformed
    recipient and for names that are empty or too long.
    """
    for name, value in (("kind", kind), ("dedupe", dedupe)):
        if not value or len(value) > _MAX_NAME or not value.isprintable():
            raise InvalidRequest(f"The mail's {name} is empty, too long or not printable.")
    row = {
        "id": new_id("mail"),
        "tenant_id": tenant_id,
        "kind": kind,
        "recipient": normalise_email(recipient),
        "payload": dict(payload),
        "dedupe": dedupe,
        "created_at": now,
        "due_at": now if due is None else due,
    }
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(t.outbox).values(row).on_conflict_do_nothing()
    return (await connection.execute(statement.returning(t.outbox.c.id))).one_or_none() is not None


async def complete(connection: AsyncConnection, tenant_id: int | None, mail_id: str, claim: str, now: int) -> bool:
    """The mail was sent; False when another process has claimed it meanwhile."""
    return await _end(connection, tenant_id, mail_id, claim, {"sent_at": now, "last_error": None})


async def fail(
    connection: AsyncConnection, tenant_id: int | None, mail_id: str, claim: str, *, error: str, park: bool, now: int
) -> bool:
    """The mail was not sent: try again after a growing delay, or park it, at once or after the last attempt."""
    c = t.outbox.c
    found = select(c.attempts).where(c.tenant_id == tenant_id, c.id == mail_id, c.claim == claim)
    attempts = await connection.scalar(found) or 0
    values: dict[str, Any] = {"last_error": error[:_MAX_ERROR], "due_at": now + delay_us(attempts)}
    if park or attempts >= MAX_ATTEMPTS:
        values["parked_at"] = now
    return await _end(connection, tenant_id, mail_id, claim, values)


async def parked(connection: AsyncConnection, tenant_id: int | None, since: int) -> ParkedMail:
    """The tenant's mails that were given up since then."""
    c = t.outbox.c
    narrowed = (c.tenant_id == tenant_id, c.parked_at >= since)
    count = await connection.scalar(select(func.count()).select_from(t.outbox).where(*narrowed))
    newest = select(c.last_error).where(*narrowed).order_by(c.parked_at.desc(), c.id.desc()).limit(1)
    return ParkedMail(count=count or 0, last_error=await connection.scalar(newest) or "")


async def page(
    connection: AsyncConnection, tenant_id: int | None, limit: int, before_id: str | None
) -> list[OutboxMail]:
    """The tenant's mails, newest first; only those before the row `before_id`, if given."""
    c = t.outbox.c
    statement = select(*(c[name] for name in OutboxMail.__struct_fields__)).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [OutboxMail(**row) for row in rows.mappings()]


async def retry(connection: AsyncConnection, tenant_id: int | None, mail_id: str | None, now: int) -> list[str]:
    """Take the tenant's parked mails, or one of them, up again from the first attempt; their ids."""
    c = t.outbox.c
    parked_ones = update(t.outbox).where(c.tenant_id == tenant_id, c.parked_at.is_not(None), c.sent_at.is_(None))
    if mail_id is not None:
        parked_ones = parked_ones.where(c.id == mail_id)
    again = parked_ones.values(parked_at=None, claim=None, attempts=0, due_at=now)
    return sorted(await connection.scalars(again.returning(c.id)))


def delay_us(attempts: int) -> int:
    """How long to wait after so many attempts."""
    return int(min(_FIRST_DELAY_US << max(attempts - 1, 0), _LONGEST_DELAY_US))


async def _end(
    connection: AsyncConnection, tenant_id: int | None, mail_id: str, claim: str, values: Mapping[str, Any]
) -> bool:
    c = t.outbox.c
    held = update(t.outbox).where(c.tenant_id == tenant_id, c.id == mail_id, c.claim == claim, c.sent_at.is_(None))
    return (await connection.execute(held.values(claim=None, **values))).rowcount == 1
