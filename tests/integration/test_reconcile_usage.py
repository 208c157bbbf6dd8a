"""`reconcile --upstream`: the same on both sides agrees, and every kind of difference is told."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.core.times import format_time
from reseller_kit.db import operator_reconcile
from reseller_kit.db import tables as t
from reseller_kit.db.engine import Database, now_us
from reseller_kit.db.scope import EVERY_TENANT
from reseller_kit.flows import reconcile_usage as flow
from tests.support import factories as make
from tests.support.commands import Cli

PRICES = {"input": 275_000, "cached_input": 27_500, "output": 2_200_000}
USED = {"input": 1_000, "cached_input": 200, "output": 500}
COST = 1_255_000
"""1,000 × 0.25 + 200 × 0.025 + 500 × 2.00 USD a million, in nano-USD."""


async def _calls(db: Database) -> list[str]:
    await make.make_platform(db)
    upstream_id = await make.make_upstream(db)
    await make.make_model(db, upstream_id=upstream_id)
    made = []
    for slug in ("aurora", "boreal"):
        tenant = await make.make_tenant(db, slug)
        await make.publish(db, tenant, "gpt-5-mini", wholesale=PRICES, retail=PRICES)
        await make.deposit(db, tenant)
        customer = await make.make_customer(db, tenant)
        await make.grant(db, customer)
        key = await make.make_key(db, customer)
        made.append(await make.make_call(db, customer, key, quantities=USED))
        made.append(await make.make_call(db, customer, key, quantities=USED, usage_source="estimated"))
        await make.make_call(db, customer, key, quantities={}, status="failed", http_status=502)
    return made


@pytest.fixture
def calls(cli: Cli) -> list[str]:
    return cli.seed(_calls)


def write(cli: Cli, name: str, rows: list[dict[str, Any]]) -> str:
    path = cli.folder / name
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def line(request_id: str, **changes: Any) -> dict[str, Any]:
    figures = {"input_tokens": 1_000, "cached_input_tokens": 200, "output_tokens": 500, "cost": "0.001255"}
    return {"request_id": request_id, **figures, **changes}


def compare(cli: Cli, file: str, *more: str) -> Any:
    result = cli.run("reconcile", "--upstream", "openai", "--usage", file, *more, "--json")
    document = result.json()
    assert result.code == (0 if document["ok"] else 6)
    return document


def test_requests_that_agree_are_no_difference(cli: Cli, calls: list[str]) -> None:
    document = compare(cli, write(cli, "same.csv", [line(call) for call in calls]))
    assert (document["ok"], document["compared_by"], document["lines"]) == (True, "request", 4)
    assert (document["missing_here"], document["missing_there"], document["differences"]) == (0, 0, [])
    totals = {row["class"]: (row["ours"], row["theirs"]) for row in document["totals"]}
    assert totals["input"] == (4_000, 4_000)
    assert totals["cost"] == ("0.00502", "0.00502")


def test_differences_are_told_by_request_and_class(cli: Cli, calls: list[str]) -> None:
    rows = [line(calls[0], output_tokens=490), line(calls[1], cost="0.0013"), line(calls[3]), line("req_0UNKNOWN")]
    document = compare(cli, write(cli, "other.csv", rows))
    found = {(row["request"], row["class"]): row for row in document["differences"]}
    assert found[calls[0], "output"] == {
        "request": calls[0],
        "class": "output",
        "ours": 500,
        "theirs": 490,
        "difference": 10,
        "missing": None,
        "estimated": False,
    }
    assert found[calls[1], "cost"]["difference"] == "-0.000045"
    assert found[calls[1], "cost"]["estimated"] is True
    assert found[calls[2], "input"]["missing"] == "there"
    assert found["req_0UNKNOWN", "input"]["missing"] == "here"
    assert (document["missing_here"], document["missing_there"]) == (1, 1)
    shown = cli.run("reconcile", "--upstream", "openai", "--usage", str(cli.folder / "other.csv"))
    assert shown.code == 6
    assert "estimated" in shown.stdout
    assert "missing there" in shown.stdout


def test_a_request_that_was_tried_twice_is_added_up(cli: Cli, calls: list[str]) -> None:
    document = compare(cli, write(cli, "twice.csv", [*(line(call) for call in calls), line(calls[0])]))
    assert {(row["request"], row["class"], row["difference"]) for row in document["differences"]} == {
        (calls[0], "input", -1_000),
        (calls[0], "cached_input", -200),
        (calls[0], "output", -500),
        (calls[0], "cost", "-0.001255"),
    }


def test_tolerances_let_small_differences_pass(cli: Cli, calls: list[str]) -> None:
    rows = [line(call, output_tokens=505, cost="0.00126") for call in calls]
    file = write(cli, "near.csv", rows)
    assert compare(cli, file)["difference_count"] == 8
    assert compare(cli, file, "--tolerance", "0.9%")["difference_count"] == 4
    assert compare(cli, file, "--tolerance", "1%")["ok"] is True
    assert compare(cli, file, "--cost-tolerance", "0.000005")["difference_count"] == 4


def test_totals_of_days_in_openais_form(cli: Cli, calls: list[str]) -> None:
    today = format_time(now_us())[:10]
    result = {"model": "gpt-5-mini", "input_tokens": 4_800, "input_cached_tokens": 800, "output_tokens": 2_000}
    bucket: dict[str, Any] = {"starting_at": today, "results": [{**result, "num_model_requests": 4}]}
    path = cli.folder / "page.json"
    path.write_text(json.dumps({"object": "page", "data": [bucket], "has_more": False}))
    document = compare(cli, str(path))
    assert (document["ok"], document["compared_by"], document["records"]) == (True, "day and model", 6)
    bucket["results"].append({**result, "model": "gpt-unknown", "num_model_requests": 1})
    bucket["results"][0]["num_model_requests"] = 5
    path.write_text(json.dumps({"object": "page", "data": [bucket]}))
    document = compare(cli, str(path))
    assert document["missing_here"] == 1
    assert {(row["day"], row["model"], row["class"]) for row in document["differences"]} >= {
        (today, "gpt-5-mini", "requests"),
        (today, "gpt-unknown", "input"),
        (today, "gpt-unknown", "requests"),
    }


def test_json_lines_and_our_own_list_are_read(cli: Cli, calls: list[str]) -> None:
    records = cli.ask("usage", "list")["records"]
    path = cli.folder / "own.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records))
    assert compare(cli, str(path))["ok"] is True
    path.write_text(json.dumps({"records": records, "next_cursor": None}))
    assert compare(cli, str(path))["ok"] is True


def test_a_period_bounds_our_side(cli: Cli, calls: list[str]) -> None:
    file = write(cli, "none.csv", [line(call) for call in calls])
    later = format_time(now_us() + 60_000_000)
    assert compare(cli, file, "--since", later)["missing_here"] == 4
    assert compare(cli, file, "--until", later)["ok"] is True


def test_a_flood_of_differences_is_cut(cli: Cli, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "MAX_DIFFERENCES", 3)
    document = compare(
        cli, write(cli, "flood.csv", [line(f"req_0{number}") for number in range(5)]), "--since", "2020-01-01"
    )
    assert (len(document["differences"]), document["difference_count"]) == (3, 36)


async def test_our_side_is_read_in_the_order_of_ids_whatever_was_written_first(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _calls(db)
    async with db.administer() as connection:
        ids = [row.id for row in await connection.execute(select(t.usage_record.c.id).order_by(t.usage_record.c.id))]
        for number, request_id in enumerate(ids):
            turned = t.usage_record.update().where(t.usage_record.c.id == request_id)
            await connection.execute(turned.values(id=f"req_{len(ids) - number}"))
    monkeypatch.setattr(operator_reconcile, "_CHUNK", 2)
    async with db.read(EVERY_TENANT) as connection:
        chunks = [
            [one.id for one in chunk]
            async for chunk in operator_reconcile.served(connection, "openai", since=None, until=None)
        ]
    assert chunks == [["req_1", "req_2"], ["req_3", "req_4"], ["req_5", "req_6"]]


def test_bad_input_is_refused(cli: Cli, calls: list[str], tmp_path: Path) -> None:
    good = write(cli, "good.csv", [line(calls[0])])
    mixed = write(cli, "mixed.csv", [line(calls[0]), {**line(""), "request_id": ""}])
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"request_id,input_tokens\n\xff,1\n")
    broken = tmp_path / "broken.json"
    broken.write_text("[{")
    asked = ("reconcile", "--upstream", "openai", "--usage")
    assert cli.refused("reconcile", "--upstream", "nobody", "--usage", good)[0] == 4
    assert cli.refused(*asked, str(tmp_path / "nothing.csv"))[0] == 4
    assert cli.refused("reconcile", "--upstream", "openai")[0] == 2
    assert cli.refused(*asked, good, "--provider", "paddle")[0] == 2
    for whom in ((), ("--provider", "paddle"), ("--tenant", "aurora", "--since", "2026-01-01")):
        found = cli.ask("reconcile", *whom)
        assert (found["ok"], found["tenants"], found["findings"]) == (True, [], [])
    assert cli.refused(*asked, mixed)[0] == 2
    assert cli.refused(*asked, str(binary))[0] == 2
    assert cli.refused(*asked, str(broken))[0] == 2
    assert cli.refused(*asked, good, "--tolerance", "-1%")[0] == 2
    assert cli.refused(*asked, good, "--cost-tolerance", "-1")[0] == 2
    assert cli.refused(*asked, good, "--since", "2026-01-02", "--until", "2026-01-01")[0] == 2
