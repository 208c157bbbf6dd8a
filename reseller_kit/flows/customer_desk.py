"""Use cases of a reseller's team on one customer: find it, see it whole, take notes. Moves no money.

What changes a customer or its credit is `customers`, `grants` and `credits`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct

from ..core.csv_text import csv_rows
from ..core.errors import InvalidRequest, NotFound
from ..core.ids import is_public_id
from ..core.ledger import Lot, Wallet, available
from ..core.money import format_amount
from ..core.paging import Page, Window, after, page_of
from ..core.times import DAY_US, format_time
from ..db import audit_log, customer_desk, customers, keys, orders, support, usage
from ..db.credits import wallet_with_lots
from ..db.customer_desk import Found, Note, Search
from ..db.customers import Customer
from ..db.engine import Database, now_us
from ..db.keys import ApiKey
from ..db.orders import Order
from ..db.support import Case
from ..db.usage import UsageFilter, UsageRecord

MAX_NOTE: Final = 2_000
SPENT_DAYS: Final = 30
_LIST: Final = "customers"
_SHOWN: Final = 10
_EXPORTED: Final = 500
_COLUMNS: Final = ("id", "email", "name", "status", "group", "balance", "debt", "spent_30_days", "created_at")


class CustomerLine(Struct, frozen=True, kw_only=True):
    """A customer in the list; `spent`: in the last 30 days, at retail, nano-USD."""

    found: Found
    spent: int


class CustomerDetail(Struct, frozen=True, kw_only=True):
    """A customer as its team sees it: the latest of each kind, and every key that is not revoked."""

    customer: Customer
    wallet: Wallet
    lots: list[Lot]
    available: int
    spent: int
    keys: list[ApiKey]
    orders: list[Order]
    cases: list[Case]
    records: list[UsageRecord]
    notes: list[Note]


async def find_customers(db: Database, tenant_id: int, wanted: Search, window: Window) -> Page[CustomerLine]:
    """The tenant's customers that fit, newest first, each with its balance and what it spent of late."""
    key = after(window, _LIST, (str,))
    before = str(key[0]) if key else None
    async with db.read(tenant_id) as connection:
        rows = await customer_desk.page(connection, tenant_id, wanted, window.limit + 1, before)
        ids = [row.customer.id for row in rows]
        spent = await customer_desk.spent(connection, tenant_id, ids, _since()) if ids else {}
    lines = [CustomerLine(found=row, spent=spent.get(row.customer.id, 0)) for row in rows]
    return page_of(lines, window, _LIST, lambda line: (line.found.customer.id,))


async def customer_detail(db: Database, tenant_id: int, customer_id: str) -> CustomerDetail:
    """One customer of the tenant. Raises NotFound, for another tenant's as for one that is not there."""
    async with db.read(tenant_id) as connection:
        customer = await customers.find(connection, tenant_id, customer_id) if _is_id(customer_id) else None
        if customer is None or customer.status == "deleted":
            raise NotFound("There is no such customer.")
        wallet, lots = await wallet_with_lots(connection, tenant_id, customer.wallet_id)
        owned = await keys.page(connection, tenant_id, customer.id, 100, None)
        spent = await customer_desk.spent(connection, tenant_id, [customer.id], _since())
        return CustomerDetail(
            customer=customer,
            wallet=wallet,
            lots=[lot for lot in lots if lot.remaining > 0],
            available=available(wallet, lots, now_us()),
            spent=spent.get(customer.id, 0),
            keys=[one.key for one in owned if one.key.revoked_at is None],
            orders=await orders.page(connection, tenant_id, _SHOWN, None, customer_id=customer.id),
            cases=await support.page(connection, tenant_id, _SHOWN, None, customer_id=customer.id),
            records=await usage.page(connection, tenant_id, UsageFilter(customer_id=customer.id), _SHOWN),
            notes=await customer_desk.notes(connection, tenant_id, customer.id),
        )


async def note_customer(db: Database, tenant_id: int, customer_id: str, body: str, *, actor: str) -> None:
    """Note something about a customer. Raises InvalidRequest for an empty or long note, NotFound."""
    if not 0 < len(body.strip()) <= MAX_NOTE:
        raise InvalidRequest(f"A note has 1 to {MAX_NOTE} characters.", param="body")
    async with db.write(tenant_id) as connection:
        customer = await customers.find(connection, tenant_id, customer_id) if _is_id(customer_id) else None
        if customer is None:
            raise NotFound("There is no such customer.")
        author = actor.partition(":")[2]
        await customer_desk.add_note(connection, tenant_id, customer.id, author=author, body=body.strip(), now=now_us())
        await audit_log.record(connection, tenant_id, actor, "customer.note", "customer", customer.id)


async def customers_csv(db: Database, tenant_id: int, wanted: Search) -> AsyncIterator[bytes]:
    """All that fit as CSV, a page of the database at a time."""
    yield csv_rows([_COLUMNS])
    cursor: str | None = None
    while True:
        page = await find_customers(db, tenant_id, wanted, Window(_EXPORTED, cursor))
        yield csv_rows(_cells(line) for line in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


def _cells(line: CustomerLine) -> list[str]:
    one = line.found.customer
    amounts = (line.found.balance, line.found.debt, line.spent)
    figures = [format_amount(amount) for amount in amounts]
    return [one.id, one.email, one.name, one.status, one.group_id or "", *figures, format_time(one.created_at)]


def _since() -> int:
    return now_us() - SPENT_DAYS * DAY_US


def _is_id(customer_id: str) -> bool:
    return is_public_id(customer_id, "cus")
