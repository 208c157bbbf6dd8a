"""Ledger accounts: made with their tenant or customer, read as balances. Moves no money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

TENANT_ACCOUNTS: Final = (
    "reseller_wallet",
    "reseller_accrual",
    "credit_issued",
    "reseller_revenue",
    "breakage",
    "deposits",
    "customer_cash",
    "payouts",
    "wholesale_revenue",
    "upstream_cost",
    "upstream_payable",
)


DRAWN_ON: Final[Mapping[str, str]] = {"prepaid": "reseller_wallet", "revenue_share": "reseller_accrual"}
"""Settlement → the reseller's account that calls draw on."""


class Balance(Struct, frozen=True, kw_only=True):
    """A wallet as stored, in nano-USD."""

    wallet_id: int
    balance: int
    reserved: int
    debt: int


async def create_tenant_accounts(connection: AsyncConnection, tenant_id: int) -> None:
    """The reseller's wallet and revenue share, and the tenant's sink accounts."""
    rows = [{"tenant_id": tenant_id, "kind": kind, "owner": ""} for kind in TENANT_ACCOUNTS]
    await connection.execute(insert(t.account), rows)


async def create_customer_wallet(connection: AsyncConnection, tenant_id: int, customer_id: str) -> int:
    """A customer's empty wallet; its account id."""
    statement = insert(t.account).values(tenant_id=tenant_id, kind="customer_wallet", owner=customer_id)
    return int(await connection.scalar(statement.returning(t.account.c.id)) or 0)


async def reseller_wallet(connection: AsyncConnection, tenant_id: int) -> Balance:
    """The reseller's prepaid wallet with the operator."""
    return await _balance(connection, tenant_id, "reseller_wallet", "")


async def reseller_accrual(connection: AsyncConnection, tenant_id: int) -> Balance:
    """The reseller's share of what customers paid through the operator's account."""
    return await _balance(connection, tenant_id, "reseller_accrual", "")


async def drawn_on(connection: AsyncConnection, tenant_id: int, settlement: str) -> Balance:
    """The account that the reseller's calls draw on under this settlement."""
    return await _balance(connection, tenant_id, DRAWN_ON[settlement], "")


async def customer_wallet(connection: AsyncConnection, tenant_id: int, customer_id: str) -> Balance:
    """A customer's wallet."""
    return await _balance(connection, tenant_id, "customer_wallet", customer_id)


async def _balance(connection: AsyncConnection, tenant_id: int, kind: str, owner: str) -> Balance:
    c = t.account.c
    statement = select(c.id, c.balance_nano, c.reserved_nano, c.debt_nano)
    row = (await connection.execute(statement.where(c.tenant_id == tenant_id, c.kind == kind, c.owner == owner))).one()
    return Balance(wallet_id=row.id, balance=row.balance_nano, reserved=row.reserved_nano, debt=row.debt_nano)
