"""What the operator's pages show, with all three levels of money: they are on the platform's own hosts alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from msgspec import Struct

from .charts import Chart
from .forms import FormView


class LevelsRow(Struct, frozen=True, kw_only=True):
    """One day's calls at the three levels, in nano-USD."""

    day: dt.date
    calls: int
    retail: int
    wholesale: int
    cost: int

    @property
    def margin(self) -> int:
        """What the operator earned."""
        return self.wholesale - self.cost


class TenantRow(Struct, frozen=True, kw_only=True):
    """A tenant in the list; amounts of thirty days in nano-USD. `state`: active | draft | suspended | archived."""

    slug: str
    name: str
    state: str
    hosts: tuple[str, ...]
    customers: int
    settlement: str
    balance: int
    low: bool
    calls: int
    retail: int
    wholesale: int
    margin: int
    tried: int = 0
    failed: int = 0

    @property
    def failing(self) -> str:
        """How calls of today and yesterday went: ok | some (one in fifty failed) | many (one in five) | none."""
        if not self.tried:
            return "none"
        return "many" if self.failed * 5 >= self.tried else "some" if self.failed * 50 >= self.tried else "ok"


class UpstreamRow(Struct, frozen=True, kw_only=True):
    """An upstream: its keys and how many of them are parked, its worst circuit and why it is not closed."""

    name: str
    status: str
    base_url: str
    models: int
    keys: int
    parked: int
    circuit: str
    reasons: tuple[str, ...] = ()


class DriftRow(Struct, frozen=True):
    """A resource that differs from the file applied last: `action` is drift or orphan."""

    action: str
    kind: str
    id: str
    fields: tuple[str, ...]


class PlatformView(Struct, frozen=True, kw_only=True):
    """The operator's first page; amounts of thirty days in nano-USD. `stuck`: what waits, by name."""

    retail: int
    wholesale: int
    cost: int
    margin: int
    calls: int
    chart: Chart
    days: tuple[LevelsRow, ...]
    tenants: tuple[TenantRow, ...]
    upstreams: tuple[UpstreamRow, ...]
    stuck: Mapping[str, int]
    drift: tuple[DriftRow, ...]

    @property
    def waiting(self) -> tuple[tuple[str, int], ...]:
        """What is stuck at all."""
        return tuple((name, count) for name, count in self.stuck.items() if count)

    @property
    def low(self) -> tuple[TenantRow, ...]:
        """Tenants whose wholesale balance is low."""
        return tuple(row for row in self.tenants if row.low)


class FindingRow(Struct, frozen=True, kw_only=True):
    """One thing that keeps a tenant from selling, and what to do."""

    code: str
    level: str
    message: str
    fix: str


class TenantView(Struct, frozen=True, kw_only=True):
    """One tenant. `members`: (address, role, status); amounts of thirty days, and of the account, in nano-USD.

    `asked_at`: when the team of a draft asked for it to be opened.
    """

    slug: str
    name: str
    state: str
    reason: str
    theme: str
    timezone: str
    hosts: tuple[str, ...]
    url: str
    members: tuple[tuple[str, str, str], ...]
    customers: int
    settlement: str
    balance: int
    reserved: int
    overdraft: int
    low: bool
    calls: int
    retail: int
    wholesale: int
    cost: int
    findings: tuple[FindingRow, ...]
    asked_at: dt.datetime | None = None
    done: str = ""
    form: FormView = FormView()


class NewTenantView(Struct, frozen=True, kw_only=True):
    """The form that makes a tenant. `themes`: (name, title) of those to choose from."""

    themes: tuple[tuple[str, str], ...]
    form: FormView = FormView()
