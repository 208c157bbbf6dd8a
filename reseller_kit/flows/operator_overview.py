"""Use case of the operator on its own first page: tenants, money at all three levels, upstreams, what is stuck."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from ..core.times import DAY_US, HOUR_US
from ..core.wholesale import wholesale_terms
from ..db import operator, operator_overview
from ..db.accounts import DRAWN_ON
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.operator_overview import DaySums, Stuck, Wallet
from ..db.tenants import Domain, Tenant
from .circuits import Circuit, list_circuits
from .upstreams import ListedUpstream, list_upstreams

DAYS: Final = 30
_LATE_US: Final = HOUR_US // 2
_MOST_TENANTS: Final = 1_000


class Sums(Struct, frozen=True, kw_only=True):
    """Calls and what they came to at the three levels, in nano-USD."""

    calls: int = 0
    retail: int = 0
    wholesale: int = 0
    cost: int = 0

    @property
    def margin(self) -> int:
        """What the operator earned."""
        return self.wholesale - self.cost


class TenantStand(Struct, frozen=True, kw_only=True):
    """A tenant at a glance. `low`: calls are, or will soon be, refused for want of wholesale balance."""

    tenant: Tenant
    hosts: tuple[str, ...]
    settlement: str
    wallet: Wallet
    overdraft: int
    customers: int
    month: Sums
    today: Sums
    tried: int
    failed: int
    """Calls of today and yesterday, and those of them that failed."""

    @property
    def low(self) -> bool:
        """Whether a prepaid balance is used up, or holds less than a day's wholesale at the month's pace."""
        if self.settlement != "prepaid" or self.tenant.status != "active":
            return False
        left = self.wallet.balance - self.wallet.reserved + self.overdraft
        return left <= self.month.wholesale // DAYS


class Overview(Struct, frozen=True, kw_only=True):
    """All of it. `days`: the last thirty in UTC, the oldest first, as (start in µs, sums)."""

    tenants: tuple[TenantStand, ...]
    days: tuple[tuple[int, Sums], ...]
    upstreams: tuple[ListedUpstream, ...]
    circuits: Mapping[str, Sequence[Circuit]]
    stuck: Stuck

    @property
    def month(self) -> Sums:
        """The thirty days together."""
        return total(sums for _, sums in self.days)


async def look(db: Database) -> Overview:
    """The platform, as of now."""
    now = now_us()
    today = now // DAY_US * DAY_US
    first = today - (DAYS - 1) * DAY_US
    async with db.read(EVERY_TENANT) as connection:
        rows = await operator.tenants(connection, _MOST_TENANTS, None)
        domains = await operator.domains_of(connection, [row.id for row in rows])
        sums = await operator_overview.sums_by_day(connection, first)
        wallets = await operator_overview.wallets(connection)
        customers = await operator_overview.customers(connection)
        failures = await operator_overview.failures(connection, today - DAY_US)
        stuck = await operator_overview.stuck(connection, late=now - _LATE_US)
    everything = _Everything(domains, sums, wallets, customers, failures, today)
    return Overview(
        tenants=tuple(_stand(row, everything) for row in rows),
        days=tuple((at, total(_sums(one) for one in sums if one.day_at == at)) for at in range(first, now, DAY_US)),
        upstreams=tuple(await list_upstreams(db)),
        circuits=await list_circuits(db),
        stuck=stuck,
    )


class _Everything(Struct, frozen=True):
    """What was read of all tenants at once."""

    domains: Mapping[int, Sequence[Domain]]
    sums: Sequence[DaySums]
    wallets: Mapping[tuple[int, str], Wallet]
    customers: Mapping[int, int]
    failures: Mapping[int, tuple[int, int]]
    today: int


def total(several: Iterable[Sums]) -> Sums:
    """Several sums as one."""
    calls = retail = wholesale = cost = 0
    for one in several:
        calls, retail = calls + one.calls, retail + one.retail
        wholesale, cost = wholesale + one.wholesale, cost + one.cost
    return Sums(calls=calls, retail=retail, wholesale=wholesale, cost=cost)


def _stand(row: Tenant, read: _Everything) -> TenantStand:
    terms = wholesale_terms(row.settings)
    own = [one for one in read.sums if one.tenant_id == row.id]
    tried, failed = read.failures.get(row.id, (0, 0))
    return TenantStand(
        tenant=row,
        hosts=tuple(domain.host for domain in read.domains.get(row.id, ()) if domain.state == "live"),
        settlement=terms.settlement,
        wallet=read.wallets.get((row.id, DRAWN_ON[terms.settlement]), Wallet(0, 0)),
        overdraft=terms.overdraft,
        customers=read.customers.get(row.id, 0),
        month=total(_sums(one) for one in own),
        today=total(_sums(one) for one in own if one.day_at == read.today),
        tried=tried,
        failed=failed,
    )


def _sums(one: DaySums) -> Sums:
    return Sums(calls=one.calls, retail=one.retail, wholesale=one.wholesale, cost=one.cost)
