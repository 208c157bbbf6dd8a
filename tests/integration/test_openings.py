"""Where storefronts are many, a process reads each when it is first asked for, and never serves what is out of date."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from reseller_kit.core.errors import ServiceUnavailable, UnknownHost
from reseller_kit.core.storefront import HostEntry, Snapshot
from reseller_kit.db import revisions
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import open_writer
from reseller_kit.flows import runtime as runtimes
from reseller_kit.flows import snapshot as snapshots
from reseller_kit.flows import snapshot_changes
from reseller_kit.flows.runtime import Runtime
from reseller_kit.flows.snapshot_changes import load_again
from reseller_kit.flows.unlock import unlock
from reseller_kit.telemetry.access import AccessLog
from reseller_kit.web.hosts import HostTable, StorefrontUnread
from tests.support.factories import (
    COST,
    SECRET_KEY,
    make_model,
    make_platform,
    make_price_version,
    make_tenant,
    make_upstream,
    publish,
)

AURORA, BOREAL = "aurora.example", "boreal.example"
HOUR_US = 3_600_000_000


def no_upstream(_config: Any) -> Any:
    raise AssertionError("no upstream is asked")


@pytest.fixture
async def runtime(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A process on two storefronts, neither of which it has read."""
    monkeypatch.setattr(snapshots, "EAGER", 0)
    await make_platform(db)
    model = await make_model(db, upstream_id=await make_upstream(db))
    assert model is not None
    for slug in ("aurora", "boreal"):
        tenant = await make_tenant(db, slug, hosts=[f"{slug}.example"])
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


async def write(db: Database, *statements: Any, ref: str = "") -> None:
    async with db.write(EVERY_TENANT) as connection:
        for statement in statements:
            await connection.execute(statement)
        await revisions.bump(connection, "config", ref)


def rename(slug: str, name: str) -> Any:
    return update(t.tenant).where(t.tenant.c.slug == slug).values(name=name)


def headers(host: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", host.encode())]


def entry(runtime: Runtime, host: str) -> HostEntry:
    return runtime.snapshot.hosts[host]


async def test_what_is_asked_for_is_read_and_nothing_else(runtime: Runtime) -> None:
    assert runtime.snapshot.hosts == {}
    assert {host: (place.slug, place.role) for host, place in runtime.snapshot.places.items()} == {
        AURORA: ("aurora", "storefront"),
        BOREAL: ("boreal", "storefront"),
    }
    await runtime.openings.open(AURORA)
    assert list(runtime.snapshot.hosts) == [AURORA]
    assert "gpt-5-mini" in entry(runtime, AURORA).storefront.models


async def test_it_is_the_same_as_one_that_was_read_with_all_others(runtime: Runtime) -> None:
    await runtime.openings.open(AURORA)
    whole = await snapshots.load(runtime.db, runtime.vault, most=10)
    assert set(whole.hosts) == {AURORA, BOREAL}
    assert entry(runtime, AURORA) == whole.hosts[AURORA]
    assert whole.places == runtime.snapshot.places


async def test_a_host_that_is_live_and_unread_is_told_from_one_that_is_unknown(runtime: Runtime) -> None:
    with pytest.raises(StorefrontUnread) as unread:
        HostTable(runtime.snapshot).find(headers(AURORA), dict(headers(AURORA)))
    assert unread.value.host == AURORA
    with pytest.raises(UnknownHost):
        HostTable(runtime.snapshot).find(headers("nobody.example"), dict(headers("nobody.example")))
    before = runtime.snapshot
    await runtime.openings.open("nobody.example")
    assert runtime.snapshot is before
    await runtime.openings.open(AURORA)
    site = HostTable(runtime.snapshot).find(headers(AURORA), dict(headers(AURORA)))
    assert site.entry is entry(runtime, AURORA)


async def test_many_who_ask_at_once_wait_for_one_read(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    load, seen = snapshots.load_storefront, []

    async def counted(db: Database, shared: snapshots.Shared, tenant_id: int) -> tuple[int, Mapping[str, HostEntry]]:
        seen.append(tenant_id)
        return await load(db, shared, tenant_id)

    monkeypatch.setattr(snapshots, "load_storefront", counted)
    await asyncio.gather(*(runtime.openings.open(host) for host in (AURORA, BOREAL) * 5))
    assert len(seen) == len(set(seen)) == 2
    assert set(runtime.snapshot.hosts) == {AURORA, BOREAL}


async def test_a_change_is_taken_over_for_what_is_open_and_read_anew_by_what_is_not(
    db: Database, runtime: Runtime
) -> None:
    await runtime.openings.open(AURORA)
    await write(db, rename("aurora", "Second"), rename("boreal", "Third"))
    await runtime.refresh()
    assert list(runtime.snapshot.hosts) == [AURORA]
    assert entry(runtime, AURORA).storefront.name == "Second"
    await runtime.openings.open(BOREAL)
    assert entry(runtime, BOREAL).storefront.name == "Third"


async def test_what_changes_while_it_is_read_is_read_again(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = snapshots.load_storefront

    async def load_early(db: Database, shared: snapshots.Shared, tenant_id: int) -> tuple[int, dict[str, HostEntry]]:
        monkeypatch.setattr(snapshots, "load_storefront", load)
        found = await load(db, shared, tenant_id)
        await write(db, rename("aurora", "Changed"))
        await runtime.refresh()
        return found

    monkeypatch.setattr(snapshots, "load_storefront", load_early)
    await runtime.openings.open(AURORA)
    assert entry(runtime, AURORA).storefront.name == "Changed"


async def test_what_is_newer_than_the_snapshot_waits_for_it(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storefront may name an upstream that the snapshot does not have yet."""
    await write(db, rename("aurora", "Newer"))
    watching = asyncio.create_task(runtime.watch())
    try:
        await runtime.openings.open(AURORA)
    finally:
        watching.cancel()
    assert entry(runtime, AURORA).storefront.name == "Newer"
    assert runtime.snapshot.read_at <= runtime.snapshot.revision


async def test_a_host_that_goes_away_while_it_is_read_is_unknown(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = snapshots.load_storefront

    async def load_late(db: Database, shared: snapshots.Shared, tenant_id: int) -> tuple[int, dict[str, HostEntry]]:
        monkeypatch.setattr(snapshots, "load_storefront", load)
        await write(db, update(t.domain).where(t.domain.c.host == AURORA).values(state="detached"))
        await runtime.refresh()
        return await load(db, shared, tenant_id)

    monkeypatch.setattr(snapshots, "load_storefront", load_late)
    await runtime.openings.open(AURORA)
    with pytest.raises(UnknownHost):
        HostTable(runtime.snapshot).find(headers(AURORA), dict(headers(AURORA)))


async def test_a_price_whose_moment_passes_while_it_is_read_is_not_missed(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.read(EVERY_TENANT) as connection:
        from reseller_kit.db import tenants

        tenant = await tenants.find(connection, "aurora")
    assert tenant is not None
    moment = now_us() + HOUR_US
    await make_price_version(db, "retail", "gpt-5-mini", {**COST, "input": 900_000}, tenant=tenant, at=moment)
    await write(db)
    await runtime.refresh()
    assert runtime.snapshot.good_until == moment
    clock = [moment - 1]
    for module in (runtimes, snapshots):
        monkeypatch.setattr(module, "now_us", lambda: clock[0])
    load = snapshots.load_storefront

    async def load_early(db: Database, shared: snapshots.Shared, tenant_id: int) -> tuple[int, dict[str, HostEntry]]:
        monkeypatch.setattr(snapshots, "load_storefront", load)
        found = await load(db, shared, tenant_id)
        clock[0] = moment
        await runtime.refresh()
        return found

    monkeypatch.setattr(snapshots, "load_storefront", load_early)
    await runtime.openings.open(AURORA)
    assert entry(runtime, AURORA).storefront.models["gpt-5-mini"].retail.price_list.prices["input"] == 900_000


async def test_a_database_that_does_not_answer_is_said_and_asked_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = snapshots.load_storefront

    async def refused(*_given: Any) -> Any:
        raise OSError("the database is away")

    monkeypatch.setattr(snapshots, "load_storefront", refused)
    with pytest.raises(ServiceUnavailable):
        await runtime.openings.open(AURORA)
    monkeypatch.setattr(snapshots, "load_storefront", load)
    await runtime.openings.open(AURORA)
    assert AURORA in runtime.snapshot.hosts


async def test_a_new_snapshot_begins_with_the_latest_of_those_that_were_open(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await runtime.openings.open(AURORA)
    await runtime.openings.open(BOREAL)
    boreal = entry(runtime, BOREAL).storefront.tenant_id
    assert runtime.openings.worth_keeping() == [entry(runtime, AURORA).storefront.tenant_id, boreal]
    monkeypatch.setattr("reseller_kit.flows.openings._KEPT", 1)
    assert runtime.openings.worth_keeping() == [boreal]


async def opened(runtime: Runtime) -> tuple[HostEntry, HostEntry]:
    """Both storefronts, as read one by one."""
    await runtime.openings.open(AURORA)
    await runtime.openings.open(BOREAL)
    return entry(runtime, AURORA), entry(runtime, BOREAL)


async def test_what_changed_of_one_tenant_leaves_the_storefronts_of_others_as_they_are(
    db: Database, runtime: Runtime
) -> None:
    aurora, boreal = await opened(runtime)
    await write(db, rename("aurora", "Second"), ref=str(aurora.storefront.tenant_id))
    await runtime.refresh()
    assert entry(runtime, AURORA).storefront.name == "Second"
    assert entry(runtime, BOREAL) is boreal
    assert runtime.snapshot == msgspec.structs.replace(
        await snapshots.load(db, runtime.vault, most=10), hosts=runtime.snapshot.hosts
    )
    await write(db, rename("boreal", "Third"), update(t.platform).values(settings={"name": "Anew"}))
    await runtime.refresh()
    assert entry(runtime, BOREAL).storefront.name == "Third"
    assert runtime.snapshot.platform_name == "Anew"


async def test_a_change_of_one_that_nobody_opened_opens_nothing(db: Database, runtime: Runtime) -> None:
    await runtime.openings.open(BOREAL)
    aurora = runtime.snapshot.places[AURORA].tenant_id
    await write(db, rename("aurora", "Second"), ref=str(aurora))
    await runtime.refresh()
    assert list(runtime.snapshot.hosts) == [BOREAL]
    await runtime.openings.open(AURORA)
    assert entry(runtime, AURORA).storefront.name == "Second"


@pytest.mark.parametrize("change", [{"tenant": {"suspended_at": 1}}, {"domain": {"state": "detached"}}])
async def test_what_is_kept_is_where_it_was_and_open_as_it_was(
    db: Database, runtime: Runtime, change: dict[str, dict[str, Any]]
) -> None:
    aurora, boreal = await opened(runtime)
    ((name, values),) = change.items()
    c = getattr(t, name).c
    own = (c.id if name == "tenant" else c.tenant_id) == boreal.storefront.tenant_id
    await write(db, update(getattr(t, name)).where(own).values(values), ref=str(aurora.storefront.tenant_id))
    await runtime.refresh()
    assert list(runtime.snapshot.hosts) == [AURORA]


async def test_behind_the_moment_of_a_price_all_are_read_again(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    aurora, boreal = await opened(runtime)
    moment = now_us() + HOUR_US
    before = msgspec.structs.replace(runtime.snapshot, good_until=moment)
    changed = [aurora.storefront.tenant_id]
    kept = await load_again(db, runtime.vault, before, changed)
    assert kept is not None
    assert kept.hosts[BOREAL] is boreal
    monkeypatch.setattr(snapshot_changes, "now_us", lambda: moment)
    assert await load_again(db, runtime.vault, before, changed) is None


async def test_of_too_much_that_is_open_the_first_goes(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_changes, "MOST_OFFERED", 1)
    await runtime.openings.open(AURORA)
    await runtime.openings.open(BOREAL)
    assert list(runtime.snapshot.hosts) == [BOREAL]


def test_a_snapshot_keeps_when_it_was_read(runtime: Runtime) -> None:
    later: Snapshot = snapshots.at_revision(runtime.snapshot, runtime.snapshot.revision + 5)
    assert later.read_at == runtime.snapshot.read_at < later.revision
