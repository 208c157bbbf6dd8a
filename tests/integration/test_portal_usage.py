"""A customer's own usage: exact sums in any zone, what is rare is found, and nobody sees anybody else's."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs
from sqlalchemy import Engine, delete, event, insert, update

from reseller_kit.core.days import local, start_of
from reseller_kit.core.errors import InvalidRequest, NotFound
from reseller_kit.core.ids import lowest_id, made_at, new_id
from reseller_kit.core.times import HOUR_US, SECOND_US, parse_time
from reseller_kit.db import keys as key_rows
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.usage import UsageFilter
from reseller_kit.flows import usage_export
from reseller_kit.flows.overview import overview
from reseller_kit.flows.rollup import roll_up
from reseller_kit.flows.usage_pages import (
    PAGE,
    Span,
    charts,
    days_span,
    explained,
    latest,
    named_span,
    search,
    usage_page,
)
from tests.support.ledger import Shop, add_customer, make_shop, usage_row

DAY = parse_time("2026-03-10T00:00:00Z")


def record(shop: Shop, at: int, number: int = 0, **changed: Any) -> dict[str, Any]:
    """A stored record of a call at that moment, whose id tells it too."""
    identity = f"{lowest_id('req', at)}{number:016d}"
    row = structs.asdict(usage_row(shop, identity, {"input": 100, "output": 5}))
    return {**row, "created_at": at, "settled_at": at + SECOND_US, **changed}


async def store(db: Database, *rows: dict[str, Any]) -> list[str]:
    async with db.administer() as connection:
        await connection.execute(insert(t.usage_record), list(rows))
    return [str(row["id"]) for row in rows]


async def rolled(db: Database) -> None:
    """Take all that is stored into the rollups, which begin at nothing."""
    async with db.administer() as connection:
        await connection.execute(delete(t.usage_rollup))
        await connection.execute(delete(t.usage_total))
        await connection.execute(update(t.rollup_mark).values(at=0))
    await roll_up(db)


async def test_days_of_a_zone_are_exact_before_and_after_rolling_up(db: Database) -> None:
    shop = await make_shop(db)
    zone = ZoneInfo("America/Santiago")
    # Clocks go forward at midnight of the 6th, which begins at one o'clock.
    moments = ["2026-09-06T03:59:59Z", "2026-09-06T04:00:00Z", "2026-09-07T02:59:59Z", "2026-09-07T03:00:00Z"]
    await store(db, *(record(shop, parse_time(moment)) for moment in moments))
    span = days_span(date(2026, 9, 4), date(2026, 9, 8), "America/Santiago")
    assert span.step == "day"
    for _ in range(2):
        async with db.read(shop.tenant_id) as connection:
            found = await charts(connection, shop.tenant_id, shop.customer_id, span)
        assert found.bars[2].start.tzinfo == zone
        assert [(bar.start.date().day, bar.calls) for bar in found.bars] == [(4, 0), (5, 1), (6, 2), (7, 1), (8, 0)]
        assert (found.total.calls, found.total.retail_nano) == (4, 4 * 360)
        assert (found.total.input_tokens, found.total.output_tokens) == (400, 20)
        await rolled(db)


async def test_months_and_hours_are_cut_by_the_zones_clocks(db: Database) -> None:
    shop = await make_shop(db)
    await store(db, *(record(shop, parse_time(f"2026-0{month}-01T00:00:00Z"), month) for month in (1, 2, 3)))
    async with db.read(shop.tenant_id) as connection:
        span = days_span(date(2025, 12, 1), date(2026, 3, 31), "Asia/Kathmandu")
        found = await charts(connection, shop.tenant_id, shop.customer_id, span)
    assert [(bar.start.month, bar.calls) for bar in found.bars] == [(12, 0), (1, 1), (2, 1), (3, 1)]
    async with db.read(shop.tenant_id) as connection:
        span = days_span(date(2026, 1, 1), date(2026, 1, 1), "Asia/Kathmandu")
        found = await charts(connection, shop.tenant_id, shop.customer_id, span)
    assert [bar.start.hour for bar in found.bars] == list(range(24))
    assert [bar.calls for bar in found.bars].index(1) == 5
    now = now_us()
    last_day = named_span("24h", "Asia/Kathmandu", now)
    assert (last_day.until - last_day.since, last_day.step) == (24 * HOUR_US, "hour")
    assert last_day.since <= now < last_day.until


def test_spans_that_make_no_sense_are_refused() -> None:
    for days in ((date(2026, 1, 2), date(2026, 1, 1)), (date(2024, 1, 1), date(2026, 1, 1))):
        with pytest.raises(InvalidRequest):
            days_span(*days, "UTC")
    with pytest.raises(InvalidRequest):
        named_span("5y", "UTC", now_us())
    first = named_span("12m", "Europe/Berlin", parse_time("2026-03-15T12:00:00Z")).since
    assert local(first, ZoneInfo("Europe/Berlin")) == datetime(2025, 4, 1, tzinfo=ZoneInfo("Europe/Berlin"))


async def test_what_is_rare_is_found_page_by_page(db: Database) -> None:
    shop = await make_shop(db)
    other = await add_customer(db, shop, "lee@aurora.example")
    rare = []
    for number in range(400):
        at = DAY + number * 400 * SECOND_US
        model = "rare" if number % 7 == 0 else "common"
        rows = [record(shop, at, number, model=model), record(other, at, number + 1000, model="rare")]
        if number % 50 == 0:
            rows[0] |= {"status": "failed", "http_status": 503}
        ids = await store(db, *rows)
        rare += ids[:1] if model == "rare" else []
    wanted = UsageFilter(shop.customer_id, model="rare")
    for _ in range(2):
        pages, before = [], None
        while True:
            page = await search(db, shop.tenant_id, structs.replace(wanted, before_id=before), 10)
            pages += [row.id for row in page]
            if len(page) < 10:
                break
            before = page[-1].id
        assert pages == rare[::-1]
        failed = await search(db, shop.tenant_id, UsageFilter(shop.customer_id, status="failed"), 100)
        assert [row.status for row in failed] == ["failed"] * 8
        both = await search(db, shop.tenant_id, structs.replace(wanted, status="ok"), 100)
        assert len(both) == len(rare) - 2
        keyed = await search(db, shop.tenant_id, UsageFilter(shop.customer_id, key_id=shop.key_id), 20)
        assert len(keyed) == 20
        assert await search(db, shop.tenant_id, UsageFilter(shop.customer_id, key_id=other.key_id), 20) == []
        await rolled(db)
    narrow = structs.replace(wanted, since=DAY + HOUR_US, until=DAY + 2 * HOUR_US)
    assert {row.id for row in await search(db, shop.tenant_id, narrow, 50)} == {
        row for row in rare if DAY + HOUR_US <= made_at(row) < DAY + 2 * HOUR_US
    }


async def test_a_page_asks_the_same_few_statements_whatever_it_shows(db: Database) -> None:
    shop = await make_shop(db)
    span = Span(since=DAY, until=DAY + 24 * HOUR_US, step="hour", zone="UTC")
    counts, sizes = [], []
    for size in (1, PAGE + 20):
        await store(
            db, *(record(shop, DAY + size * HOUR_US // 100, size * 1000 + n, model=f"m{n}") for n in range(size))
        )
        await rolled(db)
        asked: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_rest: object, seen: list[str] = asked) -> None:
            seen.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            page = await usage_page(db, shop.tenant_id, UsageFilter(shop.customer_id), span)
            await overview(db, shop.tenant_id, shop.customer_id, "UTC")
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        sizes.append((len(page.records), page.more))
        counts.append(
            len([statement for statement in asked if "SELECT" in statement and "set_config" not in statement])
        )
    assert sizes == [(1, False), (PAGE, True)]
    assert counts[0] == counts[1] <= 20


async def test_a_charge_is_explained_at_retail_to_its_owner_alone(db: Database) -> None:
    shop = await make_shop(db)
    lee = await add_customer(db, shop, "lee@aurora.example")
    foreign = await make_shop(db, "borealis")
    mine, theirs, strange = await store(
        db, record(shop, DAY, 1), record(lee, DAY, 2), record(foreign, DAY, 3, tenant_id=foreign.tenant_id)
    )
    found = await explained(db, shop.tenant_id, shop.customer_id, mine)
    assert [(line.usage_class, line.quantity, line.price) for line in found.retail.lines] == [
        ("input", 100, 3_000),
        ("output", 5, 12_000),
    ]
    assert found.retail.matches
    assert found.key is not None
    assert found.key.id == shop.key_id
    words = set()
    for unknown in (theirs, strange, new_id("req"), "req_", "x", "../../etc"):
        with pytest.raises(NotFound) as caught:
            await explained(db, shop.tenant_id, shop.customer_id, unknown)
        words.add(caught.value.message)
    assert len(words) == 1


async def test_the_tail_has_what_was_written_since(db: Database) -> None:
    shop = await make_shop(db)
    lee = await add_customer(db, shop, "lee@aurora.example")
    ids = await store(db, record(shop, DAY, 1), record(shop, DAY + HOUR_US, 2), record(lee, DAY + HOUR_US, 3))
    await store(db, record(shop, DAY - HOUR_US, 4, settled_at=DAY + 2 * HOUR_US))
    found = await latest(db, shop.tenant_id, shop.customer_id, DAY + HOUR_US, 100)
    assert [made_at(row.id) for row in found] == [DAY - HOUR_US, DAY + HOUR_US]
    assert found[1].id == ids[1]


async def test_exports_hold_every_record_once_and_no_formula(db: Database) -> None:
    shop = await make_shop(db)
    lee = await add_customer(db, shop, "lee@aurora.example")
    evil = '=HYPERLINK("http://evil","x")'
    ids = await store(
        db,
        *(record(shop, DAY + number * SECOND_US, number) for number in range(600)),
        record(shop, DAY - SECOND_US, 601, model=evil),
        record(lee, DAY, 700),
    )
    wanted = UsageFilter(shop.customer_id)
    text = b"".join([piece async for piece in usage_export.as_csv(db, shop.tenant_id, wanted)]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == [*ids[:600][::-1], ids[600]]
    assert rows[-1]["model"] == "'" + evil
    assert rows[0]["charge"] == "0.00000036"
    document = json.loads(b"".join([piece async for piece in usage_export.as_json(db, shop.tenant_id, wanted)]))
    assert [row["id"] for row in document["records"]] == [row["id"] for row in rows]
    assert document["records"][-1]["model"] == evil
    nothing = structs.replace(wanted, model="none")
    assert json.loads(b"".join([p async for p in usage_export.as_json(db, shop.tenant_id, nothing)])) == {"records": []}
    assert not {"wholesale", "cost", "upstream", "upstream_model", "attempts", "customer"} & set(rows[0])
    assert set(rows[0]) == set(document["records"][0])


@pytest.mark.usefixtures("one_day")
async def test_the_first_page_tells_pace_and_progress(db: Database) -> None:
    shop = await make_shop(db)
    zone = ZoneInfo("UTC")
    today = start_of(local(now_us(), zone).date(), zone)
    first = await overview(db, shop.tenant_id, shop.customer_id, "UTC")
    assert first is not None
    assert (first.steps.verified, first.steps.credited, first.steps.key_made, first.steps.called) == (
        False,
        False,
        True,
        False,
    )
    assert (first.pace.average, first.pace.lasts_days, len(first.bars)) == (0, None, 30)
    dear = 7_000_000_000
    await store(db, record(shop, today - 3 * 24 * HOUR_US, 1, retail_nano=dear), record(shop, today, 2, retail_nano=5))
    found = await overview(db, shop.tenant_id, shop.customer_id, "UTC")
    assert found is not None
    assert found.steps.called
    assert found.pace.today == 5
    assert found.pace.average == dear // 3
    assert [row.retail_nano for row in found.recent] == [5, dear]
    assert await overview(db, shop.tenant_id, new_id("cus"), "UTC") is None
    foreign = await make_shop(db, "borealis")
    assert await overview(db, foreign.tenant_id, shop.customer_id, "UTC") is None


async def test_rolling_up_notes_when_a_key_was_last_used(db: Database) -> None:
    shop = await make_shop(db)
    await store(db, record(shop, DAY + HOUR_US, 1), record(shop, DAY, 2), record(shop, DAY, 3, key_id="playground"))
    await rolled(db)
    async with db.read(shop.tenant_id) as connection:
        found = await key_rows.find(connection, shop.tenant_id, shop.key_id)
    assert found is not None
    assert found.key.last_used_at == DAY + HOUR_US
    await store(db, record(shop, DAY - HOUR_US, 4, settled_at=now_us()))
    await roll_up(db)
    async with db.read(EVERY_TENANT) as connection:
        found = await key_rows.find(connection, shop.tenant_id, shop.key_id)
    assert found is not None
    assert found.key.last_used_at == DAY + HOUR_US
