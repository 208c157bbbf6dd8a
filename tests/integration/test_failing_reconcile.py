"""A provider that can't be asked at night: somebody hears of it once a day, and it is over once it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import ServiceUnavailable
from reseller_kit.core.payment import Fact
from reseller_kit.core.times import DAY_US
from reseller_kit.db import provisioning
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows.doctor import examine_tenant
from reseller_kit.flows.operator_overview import look
from reseller_kit.flows.payments import chores
from reseller_kit.flows.payments.findings import payment_findings
from reseller_kit.flows.payments.poll import poll_due
from tests.support.paying import PayingShop, paying_shop
from tests.support.payments import Till


class Away(Till):
    """A provider that fails as it is told to."""

    fault: Exception | None = None

    async def facts(self, since: int) -> AsyncIterator[Fact]:
        if self.fault is not None:
            raise self.fault
        async for fact in super().facts(since):
            yield fact


async def night(shop: PayingShop) -> None:
    """The night in which the provider is asked."""
    await poll_due(shop.db, shop.ledger, shop.providers)
    async with shop.db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.payment_poll).values(due_at=now_us() - 1))
    await poll_due(shop.db, shop.ledger, shop.providers)


async def mails(shop: PayingShop) -> list[tuple[str, str]]:
    async with shop.db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(t.outbox.c.recipient, t.outbox.c.kind).order_by(t.outbox.c.kind))
        return [tuple(row) for row in rows]


async def said(shop: PayingShop) -> tuple[list[Any], int, list[str]]:
    """Findings, the number on the operator's first page, the doctor's codes."""
    _, complaints = await examine_tenant(shop.db, "aurora")
    codes = [one.code for one in complaints if one.code == "DR214"]
    stuck = (await look(shop.db)).stuck.unasked_providers
    return [one.message for one in await payment_findings(shop.db, "aurora")], stuck, codes


@pytest.mark.parametrize("fault", [ServiceUnavailable("The provider is away."), RuntimeError("odd")])
async def test_a_night_that_failed_is_told_of_until_one_went_well(db: Database, fault: Exception) -> None:
    till = Away()
    async with paying_shop(db, till=till) as shop:
        async with db.write(EVERY_TENANT) as connection:
            await provisioning.put_platform(connection, {"name": "P", "alert_emails": ["ops@platform.example"]})
        await night(shop)
        assert await said(shop) == ([], 0, [])
        till.fault = fault
        await night(shop)
        await night(shop)
        told = [("owner@example.com", "payments_unasked"), ("ops@platform.example", "payments_unasked_at")]
        assert await mails(shop) == told
        (finding,), stuck, codes = await said(shop)
        assert finding.startswith("paddle can't be asked since ")
        assert ("The provider is away." if isinstance(fault, ServiceUnavailable) else "RuntimeError") in finding
        assert (stuck, codes) == (1, ["DR214"])
        # The next day it is told of again.
        async with db.write(EVERY_TENANT) as connection:
            yesterday = str((now_us() - DAY_US) // DAY_US)
            rows = await connection.execute(select(t.outbox.c.id, t.outbox.c.dedupe))
            for row in rows.all():
                key = row.dedupe.replace(str(now_us() // DAY_US), yesterday)
                await connection.execute(update(t.outbox).where(t.outbox.c.id == row.id).values(dedupe=key))
        await night(shop)
        assert len(await mails(shop)) == 4
        till.fault = None
        await night(shop)
        assert await said(shop) == ([], 0, [])


async def test_a_night_goes_on_until_every_storefront_was_asked(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, done = [0, 2, 0], asyncio.Event()

    async def ask(*_: Any) -> int | None:
        if waiting:
            return waiting.pop()
        done.set()
        return None

    monkeypatch.setattr(chores, "poll_due", ask)
    monkeypatch.setattr(chores, "_PAUSE_SECONDS", 0.01)
    async with paying_shop(db, till=Away()) as shop:
        keeping = asyncio.create_task(chores.Inbox(shop.db, shop.ledger, shop.providers).keep())
        async with asyncio.timeout(30):
            await done.wait()
        keeping.cancel()
