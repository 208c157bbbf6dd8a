"""What pages ask of a database with a long past, timed: wall and processor time of each. Judges nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from msgspec import Struct

from reseller_kit.core.ids import lowest_id
from reseller_kit.core.months import month_of
from reseller_kit.core.paging import Window, page_of, window
from reseller_kit.core.storefront import Storefront
from reseller_kit.db import usage
from reseller_kit.db.customer_desk import Search
from reseller_kit.db.engine import Database, now_us
from reseller_kit.db.usage import UsageFilter
from reseller_kit.flows import doctor, operator_overview, standing
from reseller_kit.flows.credits import credit_balance, credit_history
from reseller_kit.flows.customer_desk import customer_detail, find_customers
from reseller_kit.flows.customers import show_customer
from reseller_kit.flows.explain import explain
from reseller_kit.flows.insights import insights
from reseller_kit.flows.statements import customer_statement, reseller_statement
from reseller_kit.flows.usage import list_usage
from reseller_kit.flows.usage_export import as_csv
from reseller_kit.flows.usage_pages import named_span, usage_page
from reseller_kit.flows.usage_summary import summarize
from reseller_kit.flows.wholesale import list_margins
from scripts._bench import cores, targets
from scripts._bench.past import Timeline

_REPEATS: Final = 15
_FEWEST: Final = 3
_ENOUGH_MS: Final = 3_000
"""What takes long is asked three times."""
_DAY_US: Final = 86_400_000_000
Ask = Callable[[], Awaitable[Any]]


class Asked(Struct, frozen=True):
    """Medians of one query's time, and its mean processor time here and in the database, in ms."""

    ms: float
    cpu_ms: float
    database_cpu_ms: float


async def measure(
    db: Database, front: Storefront, customer: str, line: Timeline, database_pid: int | None
) -> dict[str, Asked]:
    """Each query of `customer`, of its storefront's team and of the operator: lists, sums, single records, months."""
    tenant, now = front.slug, now_us()
    month, old = now - 30 * _DAY_US, line.start_us + 10 * _DAY_US
    first, far = window(50), Window(50, _cursor("records", lowest_id("req", old)))
    far_history = Window(50, _cursor("entries", old, lowest_id("txn", old)))
    found = await list_usage(db, tenant_slug=tenant, customer=customer, since=None, window=Window(1, far.cursor))
    record, owner = found.items[0].id, await show_customer(db, tenant, customer)
    asked: dict[str, Ask] = {
        "storefront's records, first page": lambda: _page(db, None, first),
        "storefront's records, page far back": lambda: _page(db, None, far),
        "customer's records, first page": lambda: _page(db, customer, first),
        "customer's records, page far back": lambda: _page(db, customer, far),
        "customer's export, first 1,000": lambda: _page(db, customer, window(1000), since=line.start_us),
        "one record by its id": lambda: _one(db, owner.tenant_id, record),
        "one record explained": lambda: explain(db, record),
        "customer's month by day": lambda: summarize(db, tenant_slug=tenant, customer=customer, since=month),
        "customer's month by model": lambda: summarize(
            db, tenant_slug=tenant, customer=customer, since=month, by="model"
        ),
        "customer's month by key": lambda: summarize(db, tenant_slug=tenant, customer=customer, since=month, by="key"),
        "storefront's month by day": lambda: summarize(db, tenant_slug=tenant, since=month),
        "storefront's month by key": lambda: summarize(db, tenant_slug=tenant, since=month, by="key"),
        "customer's balance": lambda: credit_balance(db, tenant, customer),
        "customer's history, first page": lambda: credit_history(db, tenant, customer, first),
        "customer's history, page far back": lambda: credit_history(db, tenant, customer, far_history),
    }
    asked |= _portal(db, front, customer, now) | _console(db, front, customer, now)
    return {name: await _timed(ask, database_pid) for name, ask in asked.items()}


def _portal(db: Database, front: Storefront, customer: str, now: int) -> dict[str, Ask]:
    """What a customer's own pages ask."""
    wanted, tenant, last = UsageFilter(customer), front.tenant_id, month_of(now).later(-1)
    spans = {name: named_span(name, front.timezone, now) for name in ("24h", "30d", "12m")}
    pages: dict[str, Ask] = {
        f"portal, usage, {name}": partial(usage_page, db, tenant, wanted, span) for name, span in spans.items()
    }
    recent = UsageFilter(customer, since=now - 3 * _DAY_US)
    return pages | {
        "portal, export of three days as CSV": lambda: _whole(as_csv(db, tenant, recent)),
        "portal, statement of a month": lambda: customer_statement(db, tenant, customer, str(last)),
    }


def _console(db: Database, front: Storefront, customer: str, now: int) -> dict[str, Ask]:
    """What pages of a storefront's team and of the operator ask."""
    tenant, month = front.tenant_id, now - 30 * _DAY_US
    today = datetime.fromtimestamp(now / 1e6, UTC).date()
    return {
        "team, first page": lambda: standing.look(db, front),
        "team, insights of 30 days": lambda: insights(db, tenant, front.timezone, today - timedelta(days=29), today),
        "team, list of customers": lambda: find_customers(db, tenant, Search(), window(50)),
        "team, one customer": lambda: customer_detail(db, tenant, customer),
        "team, statement of a month": lambda: reseller_statement(db, front.slug, str(month_of(now).later(-1))),
        "operator, overview": lambda: operator_overview.look(db),
        "operator, margins of 30 days": lambda: list_margins(db, front.slug, month),
        "operator, doctor": lambda: doctor.examine(db),
    }


async def _whole(pieces: AsyncIterator[bytes]) -> int:
    return sum([len(piece) async for piece in pieces])


def _cursor(name: str, *key: int | str) -> str | None:
    return page_of([key, key], Window(1), name, lambda row: row).next_cursor


async def _page(db: Database, customer: str | None, asked: Window, since: int | None = None) -> None:
    await list_usage(db, tenant_slug=targets.TENANT, customer=customer, since=since, window=asked)


async def _one(db: Database, tenant_id: int, record: str) -> None:
    async with db.read(tenant_id) as connection:
        if await usage.find(connection, tenant_id, record) is None:
            raise targets.WrongBooks(f"{record} is not found")


async def _timed(ask: Ask, database_pid: int | None) -> Asked:
    await ask()
    took: list[float] = []
    used, database = time.process_time(), _database_seconds(database_pid)
    while len(took) < _FEWEST or (len(took) < _REPEATS and sum(took) < _ENOUGH_MS):
        began = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - began) * 1000)
    return Asked(
        ms=statistics.median(took),
        cpu_ms=(time.process_time() - used) * 1000 / len(took),
        database_cpu_ms=(_database_seconds(database_pid) - database) * 1000 / len(took),
    )


def _database_seconds(pid: int | None) -> float:
    return 0 if pid is None else cores.cpu_seconds(pid)
