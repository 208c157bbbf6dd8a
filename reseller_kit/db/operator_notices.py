"""The balances of every reseller who is to be told when one is low. Changes nothing."""

from __future__ import annotations

from collections import defaultdict

from msgspec import Struct
from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.wholesale import WholesaleTerms, wholesale_terms
from . import tables as t
from .accounts import DRAWN_ON


class WatchedBalance(Struct, frozen=True):
    """The balance (nano-USD) that a reseller's calls draw on, and the thresholds that it was told of."""

    tenant_id: int
    slug: str
    terms: WholesaleTerms
    balance: int
    told: frozenset[int]


async def watched(connection: AsyncConnection) -> list[WatchedBalance]:
    """Every active tenant that has thresholds now, or was told of one."""
    n, a, c = t.balance_notice.c, t.account.c, t.tenant.c
    told: defaultdict[int, set[int]] = defaultdict(set)
    for row in await connection.execute(select(n.tenant_id, n.threshold_nano).where(n.lifted_at.is_(None))):
        told[row.tenant_id].add(row.threshold_nano)
    # Told by the database: most tenants have none, and there may be thousands.
    wants = c.settings["wholesale", "notify_below"].as_string().is_not(None)
    noticed = exists().where(n.tenant_id == c.id, n.lifted_at.is_(None))
    concerned = (c.status == "active", or_(wants, noticed))
    tenants = await connection.execute(select(c.id, c.slug, c.settings).where(*concerned))
    terms = {row.id: (row.slug, wholesale_terms(row.settings)) for row in tenants}
    terms = {key: value for key, value in terms.items() if value[1].notify_below or key in told}
    of_theirs = (a.tenant_id.in_(select(c.id).where(*concerned)), a.kind.in_(DRAWN_ON.values()))
    accounts = select(a.tenant_id, a.kind, a.balance_nano).where(*of_theirs)
    balances = {(row.tenant_id, row.kind): row.balance_nano for row in await connection.execute(accounts)}
    return [
        WatchedBalance(
            tenant_id, slug, found, balances[tenant_id, DRAWN_ON[found.settlement]], frozenset(told[tenant_id])
        )
        for tenant_id, (slug, found) in terms.items()
    ]
