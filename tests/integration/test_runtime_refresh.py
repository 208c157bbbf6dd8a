"""What a serving process takes over, and when: prices at their moment, and no change lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from reseller_kit.core.storefront import Snapshot
from reseller_kit.db import keys, revisions
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import open_writer
from reseller_kit.flows import runtime as runtimes
from reseller_kit.flows import snapshot as snapshots
from reseller_kit.flows.runtime import Runtime
from reseller_kit.flows.unlock import unlock
from reseller_kit.telemetry.access import AccessLog
from tests.support.factories import (
    COST,
    SECRET_KEY,
    make_customer,
    make_key,
    make_model,
    make_platform,
    make_price_version,
    make_tenant,
    make_upstream,
    publish,
)

HOUR_US = 3_600_000_000


def no_upstream(_config: Any) -> Any:
    raise AssertionError("no upstream is asked")


@pytest.fixture
async def runtime(db: Database) -> AsyncIterator[Runtime]:
    await make_platform(db)
    tenant = await make_tenant(db, "aurora", hosts=["aurora.example"])
    await make_model(db, upstream_id=await make_upstream(db))
    await publish(db, tenant, "gpt-5-mini", wholesale=COST, retail=COST)
    vault = await unlock(db, SECRET_KEY)
    found = Runtime(
        db=db,
        vault=vault,
        ledger=open_writer(db),
        snapshot=await snapshots.load(db, vault),
        upstream_factory=no_upstream,
        access_log=AccessLog("json"),
        kept_bytes=1_000_000,
    )
    yield found
    await found.close()


def retail(runtime: Runtime) -> tuple[int, int]:
    """(wholesale, retail) of input as served now."""
    offered = runtime.snapshot.hosts["aurora.example"].storefront.models["gpt-5-mini"]
    return offered.wholesale.price_list.prices["input"], offered.retail.price_list.prices["input"]


async def test_prices_are_taken_over_at_their_moment_all_at_once(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await the_tenant(db)
    moment = now_us() + HOUR_US
    await make_price_version(db, "retail", "gpt-5-mini", {**COST, "input": 900_000}, tenant=tenant, at=moment)
    await make_price_version(db, "wholesale", "gpt-5-mini", {**COST, "input": 800_000}, tenant=tenant, at=moment)
    later = moment + HOUR_US
    await make_price_version(db, "retail", "gpt-5-mini", {**COST, "input": 950_000}, tenant=tenant, at=later)
    clock = [moment - 1]
    for module in (runtimes, snapshots):
        monkeypatch.setattr(module, "now_us", lambda: clock[0])
    seen = []
    for at in (moment - 1, moment, later - 1, later, later + 1):
        clock[0] = at
        await runtime.refresh()
        seen.append(retail(runtime))
    assert seen == [
        (250_000, 250_000),
        (800_000, 900_000),
        (800_000, 900_000),
        (800_000, 950_000),
        (800_000, 950_000),
    ]
    assert runtime.snapshot.good_until is None


async def test_a_key_that_is_revoked_while_a_snapshot_loads_is_forgotten(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await the_tenant(db)
    key = await make_key(db, await make_customer(db, tenant))
    await runtime.refresh()
    assert await runtime.keys.load(tenant.id, key.secret) is not None
    load = snapshots.load

    async def load_late(database: Database, vault: Any, **given: Any) -> Snapshot:
        async with database.write(EVERY_TENANT) as connection:
            await keys.revoke(connection, tenant.id, key.row.id, now_us())
            await revisions.bump(connection, "key", key.row.id)
        monkeypatch.setattr(snapshots, "load", load)
        return await load(database, vault, **given)

    monkeypatch.setattr(snapshots, "load", load_late)
    async with db.write(EVERY_TENANT) as connection:
        await revisions.bump(connection, "config")
    await runtime.refresh()
    await runtime.refresh()
    assert runtime.keys.get(tenant.id, key.secret) is None


async def the_tenant(db: Database) -> Any:
    from reseller_kit.db import tenants

    async with db.read(EVERY_TENANT) as connection:
        return await tenants.find(connection, "aurora")
