"""Storefronts with customers, prices and an open ledger, for tests. Plain factories; asserts nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from reseller_kit.core.catalog import PriceList
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Capture, Grant, Hold, HoldRequest, HoldTerms, TakeBack, WholesaleMove
from reseller_kit.core.pricing import charge
from reseller_kit.db import accounts, leases
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import (
    GrantCredit,
    Idempotency,
    LedgerWriter,
    MoveWholesale,
    PlaceHold,
    Settle,
    TakeCredit,
    UsageRow,
    new_owner,
    open_writer,
)

RETAIL = PriceList(prices={"input": 3_000, "output": 12_000})
WHOLESALE = PriceList(prices={"input": 2_000, "output": 8_000})
COST = PriceList(prices={"input": 1_000, "output": 4_000})


@dataclass(frozen=True)
class Shop:
    """One tenant with one customer, one key and one price version a level."""

    tenant_id: int
    reseller_wallet: int
    customer_id: str
    wallet_id: int
    key_id: str
    retail: str
    wholesale: str
    cost: str


async def make_shop(db: Database, slug: str = "aurora") -> Shop:
    """A storefront without money; its retail, wholesale and cost are `RETAIL`, `WHOLESALE` and `COST`."""
    async with db.write(EVERY_TENANT) as connection:
        tenant_id = await connection.scalar(
            insert(t.tenant)
            .values(slug=slug, name=slug, status="active", theme="base", timezone="UTC", settings={}, created_at=0)
            .returning(t.tenant.c.id)
        )
        assert tenant_id is not None
        await accounts.create_tenant_accounts(connection, tenant_id)
        reseller = await accounts.reseller_wallet(connection, tenant_id)
        versions = {}
        for level, prices in (("retail", RETAIL), ("wholesale", WHOLESALE), ("cost", COST)):
            versions[level] = new_id("prc")
            await connection.execute(
                insert(t.price_version).values(
                    id=versions[level],
                    tenant_id=None if level == "cost" else tenant_id,
                    level=level,
                    model="gpt-test",
                    prices={"prices": prices.prices, "tiers": []},
                    effective_from=0,
                    created_at=0,
                )
            )
        customer_id, wallet_id, key_id = await _add_customer(connection, tenant_id, f"kim@{slug}.example")
    return Shop(tenant_id, reseller.wallet_id, customer_id, wallet_id, key_id, **versions)


async def add_customer(db: Database, shop: Shop, email: str) -> Shop:
    """The same storefront with another customer and key."""
    async with db.write(EVERY_TENANT) as connection:
        customer_id, wallet_id, key_id = await _add_customer(connection, shop.tenant_id, email)
    return Shop(
        shop.tenant_id, shop.reseller_wallet, customer_id, wallet_id, key_id, shop.retail, shop.wholesale, shop.cost
    )


@asynccontextmanager
async def open_ledger(db: Database) -> AsyncIterator[LedgerWriter]:
    """A ledger writer of a process with a lease that outlasts the test."""
    owner = new_owner()
    async with db.write(EVERY_TENANT) as connection:
        await leases.take(connection, owner, 1, "test")
        await connection.execute(update(t.lease).where(t.lease.c.owner == owner).values(renewed_at=now_us() + 10**9))
    writer = open_writer(db, owner=owner, epoch=1)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.close()


def grant(shop: Shop, amount: int, *, key: str | None = None, **options: object) -> GrantCredit:
    """A grant of `amount` nano-USD; `key` makes it idempotent."""
    request = Grant(
        lot_id=new_id("lot"),
        txn_id=new_id("txn"),
        tenant_id=shop.tenant_id,
        wallet_id=shop.wallet_id,
        kind="manual",
        amount=amount,
        at=now_us(),
        **options,  # type: ignore[arg-type]
    )
    return GrantCredit(request, None if key is None else Idempotency("grant", key, f"hash of {amount}"))


def take(shop: Shop, amount: int, *, key: str | None = None) -> TakeCredit:
    """A correction that takes `amount` away."""
    request = TakeBack(
        txn_id=new_id("txn"), tenant_id=shop.tenant_id, wallet_id=shop.wallet_id, amount=amount, at=now_us()
    )
    return TakeCredit(request, None if key is None else Idempotency("adjust", key, f"hash of {amount}"))


def deposit(shop: Shop, amount: int, *, key: str | None = None) -> MoveWholesale:
    """Money into (negative: out of) the reseller's wallet."""
    request = WholesaleMove(
        txn_id=new_id("txn"), tenant_id=shop.tenant_id, wallet_id=shop.reseller_wallet, amount=amount, at=now_us()
    )
    return MoveWholesale(request, None if key is None else Idempotency("deposit", key, f"hash of {amount}"))


def hold(
    shop: Shop,
    retail: int,
    wholesale: int = 0,
    *,
    request_id: str | None = None,
    key_limit: int | None = None,
    overdraft: int = 0,
    terms: HoldTerms | None = None,
) -> PlaceHold:
    """A call that reserves exactly these amounts, unless `terms` says otherwise."""
    fixed = HoldTerms(
        retail_fixed=retail * 1000,
        retail_per_output=0,
        wholesale_fixed=wholesale * 1000,
        wholesale_per_output=0,
        output_limit=100,
    )
    request = HoldRequest(
        request_id=request_id or new_id("req"),
        tenant_id=shop.tenant_id,
        customer_id=shop.customer_id,
        wallet_id=shop.wallet_id,
        reseller_wallet_id=shop.reseller_wallet,
        key_id=shop.key_id,
        key_limit=key_limit,
        window_started_at=0,
        overdraft=overdraft,
        model="gpt-test",
        retail_version=shop.retail,
        wholesale_version=shop.wholesale,
        terms=terms or fixed,
        created_at=now_us(),
    )
    return PlaceHold(request, "{}")


def settle(shop: Shop, placed: PlaceHold | Hold, quantities: dict[str, int], **options: object) -> Settle:
    """The end of a held call that used `quantities`, charged at the shop's prices."""
    request_id = placed.request.request_id if isinstance(placed, PlaceHold) else placed.request_id
    limited = isinstance(placed, PlaceHold) and placed.request.key_limit is not None
    usage = usage_row(shop, request_id, quantities)
    retail, wholesale, cost = usage.retail_nano, usage.wholesale_nano, usage.cost_nano
    return Settle(
        capture=Capture(request_id=request_id, retail=retail, wholesale=wholesale, cost=cost, at=usage.created_at),
        usage=usage,
        wallet_id=shop.wallet_id,
        reseller_wallet_id=shop.reseller_wallet,
        window=(shop.key_id, 0) if limited else None,
        **options,  # type: ignore[arg-type]
    )


def altered(item: Settle, **changed: object) -> Settle:
    """The same settle with other fields of its usage record."""
    fields = {name: getattr(item.usage, name) for name in item.usage.__struct_fields__} | changed
    others = {name: getattr(item, name) for name in item.__struct_fields__ if name != "usage"}
    return Settle(usage=type(item.usage)(**fields), **others)


def usage_row(shop: Shop, request_id: str, quantities: dict[str, int]) -> UsageRow:
    """A usage record of a plain call that went well, charged at the shop's prices."""
    retail, wholesale, cost = (charge(prices, quantities) for prices in (RETAIL, WHOLESALE, COST))
    return UsageRow(
        id=request_id,
        tenant_id=shop.tenant_id,
        customer_id=shop.customer_id,
        key_id=shop.key_id,
        model="gpt-test",
        public_model="gpt-test",
        upstream="emulator",
        upstream_model="gpt-test",
        dialect="openai",
        stream=False,
        status="ok",
        http_status=200,
        quantities=json.dumps(quantities),
        reasoning_tokens=0,
        usage_source="upstream",
        usage_capped=False,
        retail_nano=retail,
        wholesale_nano=wholesale,
        cost_nano=cost,
        retail_version=shop.retail,
        wholesale_version=shop.wholesale,
        cost_version=shop.cost,
        attempts=1,
        latency_ms=12,
        first_byte_ms=None,
        delivered_characters=None,
        tokenizer=None,
        created_at=now_us(),
    )


async def wallet(db: Database, wallet_id: int) -> tuple[int, int, int]:
    """(balance, reserved, debt) as stored."""
    c = t.account.c
    async with db.read(EVERY_TENANT) as connection:
        row = (
            await connection.execute(select(c.balance_nano, c.reserved_nano, c.debt_nano).where(c.id == wallet_id))
        ).one()
    return row.balance_nano, row.reserved_nano, row.debt_nano


async def _add_customer(connection: AsyncConnection, tenant_id: int, email: str) -> tuple[str, int, str]:
    customer_id, key_id = new_id("cus"), new_id("key")
    wallet_id = await accounts.create_customer_wallet(connection, tenant_id, customer_id)
    await connection.execute(
        insert(t.customer).values(
            id=customer_id, tenant_id=tenant_id, email=email, status="active", wallet_id=wallet_id, created_at=now_us()
        )
    )
    await connection.execute(
        insert(t.api_key).values(
            id=key_id,
            tenant_id=tenant_id,
            customer_id=customer_id,
            digest=key_id.encode(),
            prefix="sk_abcdef",
            models=[],
            created_at=now_us(),
        )
    )
    return customer_id, wallet_id, key_id
