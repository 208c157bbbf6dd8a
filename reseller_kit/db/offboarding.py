"""How a storefront leaves: closed, and after a while without anybody's personal data. Decides no date, moves no money.

Its row, ledger, usage, orders and audit log stay: they are the operator's books, too.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Table, Text, case, cast, delete, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

NOBODY: Final = "nobody@deleted.invalid"
_KEPT_SETTINGS: Final = ("wholesale", "pricing")
_GONE: Final[tuple[Table, ...]] = (
    t.member_session,
    t.member_link,
    t.member_passkey,
    t.token_answer,
    t.hook_attempt,
    t.hook_delivery,
    t.hook_endpoint,
    t.brand_image,
    t.brand_revision,
    t.domain_claim,
    t.challenge,
    t.throttle,
    t.stored_response,
)
"""Tables whose rows of a storefront go, those that refer to others first."""


async def close(connection: AsyncConnection, tenant_id: int, *, now: int, erase_at: int) -> None:
    """Archive the storefront; closing it again moves only the day on which its personal data goes."""
    c = t.tenant.c
    since = case((c.offboarded_at.is_(None), now), else_=c.offboarded_at)
    values = {"status": "archived", "offboarded_at": since, "erase_at": erase_at, "review_asked_at": None}
    await connection.execute(update(t.tenant).where(c.id == tenant_id, c.erased_at.is_(None)).values(values))


async def reopen(connection: AsyncConnection, tenant_id: int) -> bool:
    """Make it a draft again; False for one that has not left, or whose personal data is gone."""
    c = t.tenant.c
    left = (c.id == tenant_id, c.offboarded_at.is_not(None), c.erased_at.is_(None))
    values = {"status": "draft", "offboarded_at": None, "erase_at": None}
    return (await connection.execute(update(t.tenant).where(*left).values(values))).rowcount == 1


async def has_left(connection: AsyncConnection, tenant_id: int) -> bool:
    """Whether the storefront was offboarded."""
    c = t.tenant.c
    return await connection.scalar(select(c.offboarded_at).where(c.id == tenant_id)) is not None


async def due(connection: AsyncConnection, now: int) -> list[tuple[int, str]]:
    """(id, slug) of storefronts whose personal data is to go."""
    c = t.tenant.c
    rows = select(c.id, c.slug).where(c.erase_at <= now, c.erased_at.is_(None)).order_by(c.id)
    return [(row.id, row.slug) for row in await connection.execute(rows)]


async def people(connection: AsyncConnection, tenant_id: int, limit: int) -> list[str]:
    """Ids of customers that are not erased yet."""
    c = t.customer.c
    left = select(c.id).where(c.tenant_id == tenant_id, c.status != "deleted").order_by(c.id).limit(limit)
    return list(await connection.scalars(left))


async def count(connection: AsyncConnection, tenant_id: int) -> tuple[int, int]:
    """How many customers and members the storefront has."""
    c, m = t.customer.c, t.member.c
    customers = select(func.count()).where(c.tenant_id == tenant_id, c.status != "deleted")
    members = select(func.count()).where(m.tenant_id == tenant_id, m.status != "removed")
    return int(await connection.scalar(customers) or 0), int(await connection.scalar(members) or 0)


async def clear(connection: AsyncConnection, tenant_id: int, slug: str, now: int) -> dict[str, int]:
    """Once its customers are erased: take out its team, look, secrets and hosts; how many rows by table."""
    counts = {}
    for table in _GONE:
        counts[table.name] = (await connection.execute(delete(table).where(table.c.tenant_id == tenant_id))).rowcount
    own = [t.secret.c.name.startswith(prefix, autoescape=True) for prefix in _secrets_of(slug)]
    counts["secret"] = (await connection.execute(delete(t.secret).where(or_(*own)))).rowcount
    counts |= await _blank(connection, tenant_id, now)
    counts["support_message"] = await _messages(connection, tenant_id)
    counts["receipt"] = await _receipts(connection, tenant_id)
    c = t.tenant.c
    settings = await connection.scalar(select(c.settings).where(c.id == tenant_id)) or {}
    kept = {name: settings[name] for name in _KEPT_SETTINGS if name in settings}
    await connection.execute(update(t.tenant).where(c.id == tenant_id).values(settings=kept, erased_at=now))
    return {name: rows for name, rows in sorted(counts.items()) if rows}


def _secrets_of(slug: str) -> tuple[str, ...]:
    return f"tenant:{slug}:", f"own_upstream:{slug}/"


async def _blank(connection: AsyncConnection, tenant_id: int, now: int) -> dict[str, int]:
    m, o, a, d = t.member.c, t.outbox.c, t.api_token.c, t.domain.c
    nobody = literal("member-").concat(cast(m.id, Text)).concat("@deleted.invalid")
    person: dict[str, Any] = {"email": nobody, "name": "", "status": "removed", "password_hash": None}
    person |= dict.fromkeys(("password_at", "totp_key_id", "totp_sealed", "totp_at"))
    mail: dict[str, Any] = {"recipient": NOBODY, "payload": {}, "claim": None, "last_error": None}
    mail["sent_at"] = func.coalesce(o.sent_at, now)
    host = {"state": "tombstone", "is_primary": False, "challenge": None, "next_check_at": None, "released_at": now}
    blanks = [
        (t.member, person),
        (t.outbox, mail),
        (t.api_token, {"name": "", "made_by": "", "revoked_at": func.coalesce(a.revoked_at, now)}),
        (t.inbox, {"sealed": None, "key_id": None}),
        (t.support_case, {"email": NOBODY, "name": "", "subject": "", "state": "closed"}),
        (t.domain, {**host, "ended_at": func.coalesce(d.ended_at, now)}),
    ]
    counts = {}
    for table, values in blanks:
        changed = update(table).where(table.c.tenant_id == tenant_id)
        counts[table.name] = (await connection.execute(changed.values(values))).rowcount
    return counts


async def _messages(connection: AsyncConnection, tenant_id: int) -> int:
    said = t.support_message.c
    return (await connection.execute(delete(t.support_message).where(said.tenant_id == tenant_id))).rowcount


async def _receipts(connection: AsyncConnection, tenant_id: int) -> int:
    """Those of customers that were deleted before keep their buyer until now."""
    r, o = t.receipt.c, t.purchase_order.c
    joined = t.receipt.join(t.purchase_order, (o.id == r.order_id) & (o.tenant_id == r.tenant_id))
    numbered = select(r.order_id, r.content, o.customer_id).select_from(joined).where(r.tenant_id == tenant_id)
    named = [row for row in await connection.execute(numbered) if row.content.get("buyer", {}).get("email")]
    for row in named:
        content = {**row.content, "buyer": {"name": row.customer_id, "email": ""}}
        own = (r.tenant_id == tenant_id, r.order_id == row.order_id)
        await connection.execute(update(t.receipt).where(*own).values(content=content))
    return len(named)
