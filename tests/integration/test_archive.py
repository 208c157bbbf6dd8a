"""Old months move to files and nothing is lost: exact files, repeated, interrupted anywhere, told truthfully."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import func, select

from reseller_kit.core.errors import Conflict, InvalidRequest, NotFound
from reseller_kit.core.ids import IdSource
from reseller_kit.core.months import Month, month_of, parse_month
from reseller_kit.db import accounts, operator_archive
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import GrantCredit
from reseller_kit.db.rollups import SumFilter, sums
from reseller_kit.flows import archive as flow
from reseller_kit.flows import archive_files
from reseller_kit.flows.archive import archive, plan
from reseller_kit.flows.audit import audit
from reseller_kit.flows.explain import explain
from reseller_kit.flows.rollup import roll_up
from tests.support.commands import Cli
from tests.support.ledger import Shop, altered, deposit, grant, hold, make_shop, open_ledger, settle
from tests.support.writer import count

pytestmark = pytest.mark.thorough


OLDER, OLD, KEPT = Month(2026, 5), Month(2026, 7), Month(2026, 8)


def id_in(month: Month, ms: int = 1_000_000) -> str:
    return "req_" + IdSource().next((month.start_us + ms * 1000) * 1000)


async def make_calls(db: Database, *, open_in: Month | None = None) -> tuple[Shop, dict[Month, list[str]]]:
    """Two calls in each of three months, one charged and one not, with a limited key."""
    shop = await make_shop(db)
    made: dict[Month, list[str]] = {}
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10**9))
        await ledger.submit(deposit(shop, 10**9))
        for month in (OLDER, OLD, KEPT):
            for number, quantities in enumerate(({"input": 100, "output": 5}, {})):
                placed = hold(shop, 900, 600, request_id=id_in(month, number + 1), key_limit=10**8)
                await ledger.submit(placed)
                item = altered(settle(shop, placed, quantities), created_at=month.start_us + number)
                await ledger.submit(item)
                made.setdefault(month, []).append(placed.request.request_id)
        if open_in is not None:
            await ledger.submit(hold(shop, 900, 600, request_id=id_in(open_in, 9)))
    return shop, made


def lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


async def test_old_months_move_to_files_and_the_books_stay_right(db: Database, tmp_path: Path) -> None:
    shop, made = await make_calls(db)
    before = await everything(db, "usage_record")
    holds = await everything(db, "hold")
    plans = await plan(db, KEPT)
    assert [(each.month, each.facts.records, each.facts.holds) for each in plans] == [(OLDER, 2, 2), (OLD, 2, 2)]
    done = await archive(db, plans, tmp_path)
    assert [(each.month, each.records) for each in done] == [("2026-05", 2), ("2026-07", 2)]
    assert [row["id"] for row in await everything(db, "usage_record")] == made[KEPT]
    assert [row["request_id"] for row in await everything(db, "hold")] == made[KEPT]
    kept = [*lines(tmp_path / "usage-2026-05.jsonl.gz"), *lines(tmp_path / "usage-2026-07.jsonl.gz")]
    assert kept == [row for row in before if row["id"] not in made[KEPT]]
    kept = [*lines(tmp_path / "holds-2026-05.jsonl.gz"), *lines(tmp_path / "holds-2026-07.jsonl.gz")]
    assert kept == [row for row in holds if row["request_id"] not in made[KEPT]]
    manifest = json.loads((tmp_path / "manifest-2026-07.json").read_text())
    assert (manifest["records"], manifest["holds"], manifest["retail"]) == (2, 2, "0.00000036")
    for file in manifest["files"]:
        assert hashlib.sha256((tmp_path / file["name"]).read_bytes()).hexdigest() == file["sha256"]
        assert (tmp_path / file["name"]).stat().st_mode & 0o077 == 0
    assert await count(db, "txn") == 5
    report = await audit(db)
    assert (report.findings, report.archived_before) == ([], "2026-08")
    assert (await audit(db, tenant=shop.tenant_id)).ok
    async with db.read(EVERY_TENANT) as connection:
        [(_, total)] = await sums(connection, shop.tenant_id, SumFilter(None, 0), "model")
    assert total.calls == 6
    assert await plan(db, KEPT) == []


async def everything(db: Database, table: str) -> list[dict[str, Any]]:
    found = t.metadata.tables[table]
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(found).order_by(found.primary_key.columns[0]))
        return [dict(row) for row in rows.mappings()]


async def test_the_audit_still_finds_what_is_wrong(db: Database, tmp_path: Path) -> None:
    await make_calls(db)
    await archive(db, await plan(db, KEPT), tmp_path)
    for statement, code in (
        (
            "UPDATE archived_usage SET retail_nano = retail_nano + 1 WHERE month = '2026-07'",
            "rollup_differs_from_totals",
        ),
        ("UPDATE archived_window SET spent_nano = spent_nano - 1", "window_spent_differs"),
        ("UPDATE usage_rollup SET calls = calls + 1 WHERE customer_id <> ''", "rollup_differs_from_totals"),
    ):
        async with db.administer() as connection:
            await connection.exec_driver_sql(statement)
        assert code in {found["code"] for found in (await audit(db)).findings}
        async with db.administer() as connection:
            await connection.exec_driver_sql(
                statement.replace("+ 1", "- 2").replace("nano - 1", "nano + 1").replace("- 2", "- 1")
            )
        assert (await audit(db)).ok


POINTS = ["write_manifest", "verify", "_begin", "drop_partition", "remove_some", "end_removal"]


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_anywhere_loses_nothing(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, *, late: bool
) -> None:
    _, made = await make_calls(db)
    before = await everything(db, "usage_record")
    monkeypatch.setattr(operator_archive, "CHUNK", 1)
    owner = flow if point in {"write_manifest", "verify", "_begin"} else operator_archive
    real = getattr(owner, point)

    def dies(*arguments: Any) -> Any:
        async def die() -> None:
            if late:
                await real(*arguments)
            raise KeyboardInterrupt

        if point in {"write_manifest", "verify"}:
            if late:
                real(*arguments)
            raise KeyboardInterrupt
        return die()

    monkeypatch.setattr(owner, point, dies)
    with pytest.raises(KeyboardInterrupt):
        await archive(db, await plan(db, KEPT), tmp_path)
    monkeypatch.setattr(owner, point, real)
    assert (await audit(db)).ok
    assert await everywhere(db, tmp_path) >= {row["id"] for row in before}
    await archive(db, await plan(db, KEPT), tmp_path)
    assert [row["id"] for row in await everything(db, "usage_record")] == made[KEPT]
    assert await everywhere(db, tmp_path) == {row["id"] for row in before}
    assert (await audit(db)).ok
    assert await plan(db, KEPT) == []


async def everywhere(db: Database, folder: Path) -> set[str]:
    """The ids that are in the database or in a file that the database says is whole."""
    found = {row["id"] for row in await everything(db, "usage_record")}
    for row in await everything(db, "archive"):
        found |= {line["id"] for line in lines(folder / f"usage-{row['month']}.jsonl.gz")}
    return found


async def test_what_is_refused(db: Database, tmp_path: Path) -> None:
    await make_calls(db, open_in=OLDER)
    for month in (month_of(now_us()).later(), Month(9998, 12)):
        with pytest.raises(InvalidRequest, match="not over"):
            await plan(db, month)
    current = month_of(now_us())
    with pytest.raises(InvalidRequest, match="not over"):
        await plan(db, current, now=current.start_us + 86_399_000_000)
    assert await plan(db, current, now=current.start_us + 86_400_000_000)
    with pytest.raises(InvalidRequest, match="no folder"):
        await archive(db, await plan(db, KEPT), tmp_path / "none")
    with pytest.raises(Conflict, match="still open"):
        await archive(db, await plan(db, KEPT), tmp_path)
    assert await count(db, "archive") == 0
    assert await count(db, "usage_record") == 6


async def test_another_archive_is_not_overwritten(db: Database, tmp_path: Path) -> None:
    await make_calls(db)
    (tmp_path / "usage-2026-05.jsonl.gz").write_bytes(b"another's")
    (tmp_path / "manifest-2026-05.json").write_text("{}")
    with pytest.raises(Conflict, match="other calls"):
        await archive(db, await plan(db, KEPT), tmp_path)
    assert (tmp_path / "usage-2026-05.jsonl.gz").read_bytes() == b"another's"
    assert await count(db, "usage_record") == 6


async def test_a_file_that_the_disk_spoilt_is_noticed(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_calls(db)
    real = archive_files.write_manifest

    def spoilt(folder: Path, manifest: archive_files.Manifest) -> str:
        digest = real(folder, manifest)
        path = folder / manifest.files[0].name
        path.write_bytes(gzip.compress(b"\n".join([b"{}"] * manifest.files[0].rows + [b""])))
        return digest

    monkeypatch.setattr(flow, "write_manifest", spoilt)
    with pytest.raises(Conflict, match="not what was written"):
        await archive(db, await plan(db, KEPT), tmp_path)
    assert await count(db, "usage_record") == 6


async def test_calls_that_appear_meanwhile_stop_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, _ = await make_calls(db)
    real: Callable[..., Any] = flow._begin

    async def appears(*arguments: Any) -> None:
        async with open_ledger(db) as ledger:
            placed = hold(shop, 900, 600, request_id=id_in(OLDER, 99))
            await ledger.submit(placed)
            await ledger.submit(altered(settle(shop, placed, {"input": 1}), created_at=OLDER.start_us))
        await real(*arguments)

    monkeypatch.setattr(flow, "_begin", appears)
    with pytest.raises(Conflict, match="changed"):
        await archive(db, await plan(db, KEPT), tmp_path)
    assert await count(db, "usage_record") == 7


async def test_a_charge_beyond_its_hold_is_archived_with_it(db: Database, tmp_path: Path) -> None:
    shop, _ = await make_calls(db)
    async with open_ledger(db) as ledger:
        placed = hold(shop, 10, 10, request_id=id_in(OLDER, 9))
        await ledger.submit(placed)
        await ledger.submit(altered(settle(shop, placed, {"input": 100}), created_at=OLDER.start_us))
    assert await count(db, "overage") == 1
    await archive(db, await plan(db, KEPT), tmp_path)
    assert (await audit(db)).findings == []


async def test_a_share_of_revenue_is_proven_with_its_archived_calls(db: Database, tmp_path: Path) -> None:
    prepaid = await make_shop(db)
    async with db.administer() as connection:
        account = await accounts.reseller_accrual(connection, prepaid.tenant_id)
    shop = replace(prepaid, reseller_wallet=account.wallet_id)
    async with open_ledger(db) as ledger:
        item = grant(shop, 100_000, cash=100_000, code="order")
        await ledger.submit(GrantCredit(structs.replace(item.grant, kind="topup")))
        for month in (OLDER, OLD, KEPT):
            placed = hold(shop, 900, 600, request_id=id_in(month))
            await ledger.submit(placed)
            await ledger.submit(altered(settle(shop, placed, {"input": 100}), created_at=month.start_us))
    assert (await audit(db)).ok
    await archive(db, await plan(db, KEPT), tmp_path)
    assert (await audit(db)).findings == []
    async with db.administer() as connection:
        await connection.exec_driver_sql("UPDATE archived_usage SET wholesale_nano = wholesale_nano + 1")
    assert "share_differs" in {found["code"] for found in (await audit(db)).findings}


async def test_explain_says_where_an_archived_call_is(db: Database, tmp_path: Path) -> None:
    shop, made = await make_calls(db)
    await archive(db, await plan(db, KEPT), tmp_path)
    with pytest.raises(NotFound, match="archived") as raised:
        await explain(db, made[OLD][0])
    assert str(tmp_path) in raised.value.fix
    with pytest.raises(NotFound, match="There is no usage record"):
        await explain(db, made[OLD][0], tenant_id=shop.tenant_id)
    assert (await explain(db, made[KEPT][0]))["matches"]


def test_the_command_asks_and_repeats(cli: Cli, tmp_path: Path) -> None:
    cli.seed(make_calls)
    folder = tmp_path / "old"
    folder.mkdir()
    options = ("db", "archive", "--before", "2026-08", "--to", str(folder))
    code, error = cli.refused(*options)
    assert (code, error["code"]) == (8, "confirmation_needed")
    assert error["details"] == [
        {"month": "2026-05", "records": 2, "holds": 2},
        {"month": "2026-07", "records": 2, "holds": 2},
    ]
    assert list(folder.iterdir()) == []
    assert [row["month"] for row in cli.ask(*options, "--yes")["archives"]] == ["2026-05", "2026-07"]
    assert cli.ask(*options, "--yes") == {"archives": []}
    assert cli.ask(*options) == {"archives": []}
    assert cli.ask("ledger", "audit")["archived_before"] == "2026-08"
    for month, exit_code in (("2026-13", 2), ("08/2026", 2), ("2999-01", 2)):
        assert cli.refused("db", "archive", "--before", month, "--to", str(folder), "--yes")[0] == exit_code
    assert cli.refused("db", "archive", "--before", "2026-08", "--to", str(folder / "none"), "--yes")[0] == 2


def test_months() -> None:
    assert str(parse_month("2026-08")) == "2026-08"
    assert Month(2026, 12).later() == Month(2027, 1)
    assert Month(2026, 1).later(-1) == Month(2025, 12)
    start = Month(2026, 2).start_us
    assert start == int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert (month_of(start - 1), month_of(start)) == (Month(2026, 1), Month(2026, 2))
    source = IdSource()
    last, first = source.next((start - 1) * 1000), IdSource().next(start * 1000)
    assert "req_" + last < Month(2026, 2).first_id("req") <= "req_" + first


async def test_charts_stay_when_their_records_are_gone(db: Database, tmp_path: Path) -> None:
    shop, _ = await make_calls(db)
    await roll_up(db)
    async with db.read(EVERY_TENANT) as connection:
        before = await sums(connection, shop.tenant_id, SumFilter(shop.customer_id, 0), "quarter")
    await archive(db, await plan(db, KEPT), tmp_path)
    async with db.read(EVERY_TENANT) as connection:
        assert await sums(connection, shop.tenant_id, SumFilter(shop.customer_id, 0), "quarter") == before
        assert await connection.scalar(select(func.count()).select_from(t.usage_record)) == 2
