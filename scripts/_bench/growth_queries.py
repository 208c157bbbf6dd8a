"""What pages ask of a database with a long past, timed: wall and processor time of each. Judges nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import Struct

from reseller_kit.core.ids import lowest_id
from reseller_kit.core.paging import Window, page_of, window
from reseller_kit.db import usage
from reseller_kit.db.engine import Database, now_us
from reseller_kit.flows.credits import credit_balance, credit_history
from reseller_kit.flows.customers import show_customer
from reseller_kit.flows.explain import explain
from reseller_kit.flows.usage import list_usage
from reseller_kit.flows.usage_summary import summarize
from scripts._bench import cores, targets
from scripts._bench.past import Timeline

_REPEATS: Final = 15
_DAY_US: Final = 86_400_000_000
Ask = Callable[[], Awaitable[Any]]


class Asked(Struct, frozen=True):
    """Medians of one query's time, and its mean processor time here and in the database, in ms."""

    ms: float
    cpu_ms: float
    database_cpu_ms: float


async def measure(db: Database, customer: str, line: Timeline, database_pid: int | None) -> dict[str, Asked]:
    """Each query of `customer` and its storefront: the first pages, pages far back, sums, balance, one record."""
    tenant, now = targets.TENANT, now_us()
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
    return {name: await _timed(ask, database_pid) for name, ask in asked.items()}


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
    took, used, database = [], time.process_time(), _database_seconds(database_pid)
    for _ in range(_REPEATS):
        began = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - began) * 1000)
    return Asked(
        ms=statistics.median(took),
        cpu_ms=(time.process_time() - used) * 1000 / _REPEATS,
        database_cpu_ms=(_database_seconds(database_pid) - database) * 1000 / _REPEATS,
    )


def _database_seconds(pid: int | None) -> float:
    return 0 if pid is None else cores.cpu_seconds(pid)
