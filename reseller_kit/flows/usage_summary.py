"""Use case of totals and charts: what a storefront's or one customer's calls came to, by day, model or key.

Whole days of the tenant's time zone, up to this moment: charts are never behind the records.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..core.days import day_of, start_of
from ..core.errors import InvalidRequest
from ..db import rollups
from ..db.engine import NO_TENANT, Database, now_us
from ..db.rollups import SumFilter, Sums
from .customers import require_customer
from .tenants import require_tenant

By = Literal["day", "model", "key"]
DEFAULT_DAYS: Final = 30


class Summary(Struct, frozen=True, kw_only=True):
    """Sums by what was asked for, days and texts in order; `since` is the first day's start in µs.

    A day without calls has no row. Amounts of all three levels: what a customer may see is its page's to choose.
    """

    tenant: str
    customer: str | None
    timezone: str
    since: int
    by: By
    rows: list[tuple[str, Sums]]
    total: Sums


async def summarize(
    db: Database, *, tenant_slug: str, customer: str | None = None, since: int | None = None, by: By = "day"
) -> Summary:
    """The sums from the day on that `since` (µs) lies in, by default the last 30 days. Raises NotFound."""
    now = now_us()
    if since is not None and since > now:
        raise InvalidRequest("The summary would begin in the future.", param="since", fix="Give a time in the past.")
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        owner = None if customer is None else await require_customer(connection, tenant, customer)
        zone = ZoneInfo(tenant.timezone)
        first = day_of(now, zone) - timedelta(days=DEFAULT_DAYS - 1) if since is None else day_of(since, zone)
        wanted = SumFilter(None if owner is None else owner.id, start_of(first, zone))
        found = await rollups.sums(connection, tenant.id, wanted, "quarter" if by == "day" else by)
    total = sum((sums for _, sums in found), Sums())
    rows = _by_day(found, zone) if by == "day" else [(str(name), sums) for name, sums in found]
    return Summary(
        tenant=tenant.slug,
        customer=None if owner is None else owner.email,
        timezone=tenant.timezone,
        since=wanted.since,
        by=by,
        rows=rows,
        total=total,
    )


def _by_day(quarters: list[tuple[int | str, Sums]], zone: ZoneInfo) -> list[tuple[str, Sums]]:
    days: dict[date, Sums] = {}
    for quarter, sums in quarters:
        day = day_of(int(quarter), zone)
        days[day] = days.get(day, Sums()) + sums
    return [(day.isoformat(), sums) for day, sums in sorted(days.items())]
