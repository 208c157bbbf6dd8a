"""An independent judge of the books after a fault: plain SQL, the upstream's journal, exact fractions.

Knows three witnesses: the database (read with SQL of its own, by no code of the product), the journal of the emulator
(what was really delivered, token by token) and the callers (what arrived). Their stories have to fit.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import asyncpg

from scripts._lib.demo.oracle import Amounts, Usage
from tests.support.crowd import Call
from tests.support.product import Customer, Shop

NANO: Final = 1_000_000_000
LAST_SECOND: Final = 1.0
"""What a stream may have delivered unpaid: the tokens of its last second (docs/faults.md)."""
SLACK_SECONDS: Final = 0.5
"""How late a checkpoint may be on a machine that does other things as well."""
JOURNAL_SECONDS: Final = 5.0
"""An answer stands in the journal once it has ended upstream, a little after its last byte."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Books:
    """The database of a shop, read with plain SQL."""

    shop: Shop

    def rows(self, sql: str) -> list[Row]:
        """What a statement finds."""
        if is_embedded(self.shop):
            path = sqlite_path(self.shop)
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute(sql)]
            finally:
                connection.close()
        with asyncio.Runner() as runner:
            url = self.shop.installation.environment["RESELLER_KIT_DATABASE_URL"]
            return runner.run(_fetch(url.replace("+asyncpg", ""), sql))

    def value(self, sql: str) -> int:
        """The one number that a statement finds; none is 0."""
        (row,) = self.rows(sql)
        return int(next(iter(row.values())) or 0)

    def open_holds(self, customers: Sequence[Customer]) -> int:
        """Holds of these customers that nobody has resolved."""
        return self.value(f"SELECT count(*) AS n FROM hold WHERE state = 'open' AND {_of(customers)}")

    def wait_until_resolved(self, customers: Sequence[Customer], since: float, within: float) -> float:
        """Wait until no hold of these customers is open; the seconds that it took since the wall clock's `since`."""
        while left := self.open_holds(customers):
            assert time.time() - since < within, f"{left} holds are open {within:g} s later:\n{self.shop.log()[-2000:]}"
            time.sleep(0.05)
        return time.time() - since


def is_embedded(shop: Shop) -> bool:
    """Whether a shop's database is a SQLite file."""
    url = shop.installation.environment.get("RESELLER_KIT_DATABASE_URL")
    return url is None or url.startswith("sqlite")


def sqlite_path(shop: Shop) -> Path:
    """The file of a shop's embedded database."""
    url = shop.installation.environment.get("RESELLER_KIT_DATABASE_URL")
    return Path(url.partition(":///")[2]) if url else shop.installation.folder / "data" / "reseller_kit.db"


def judge(
    shop: Shop,
    calls: Sequence[Call],
    *,
    granted: Fraction = Fraction(5),
    stopped_at: float | None = None,
    asked: int | None = None,
) -> dict[str, Row]:
    """Hear all witnesses about these calls, all of the calls that their customers ever made; the records by id.

    `stopped_at` is the wall clock's time at which their server died or froze; `asked` how many calls the upstream saw.
    """
    customers = list({call.customer.id: call.customer for call in calls}.values())
    books = Books(shop)
    records = {row["id"]: row for row in books.rows(f"SELECT * FROM usage_record WHERE {_of(customers)}")}
    lines = _lines_of(shop, records)
    _each_hold_ended_once(books, customers, records)
    _money_adds_up(books, customers, records, granted)
    for record in records.values():
        _charge_is_fair(shop, record, lines.get(record["id"]), stopped_at)
    for call in calls:
        _caller_was_treated_well(call, records, lines)
    if asked is not None:
        assert len([identity for identity in records if identity in lines]) == asked
    _audit_is_clean(shop)
    return records


def _each_hold_ended_once(books: Books, customers: Sequence[Customer], records: dict[str, Row]) -> None:
    holds = books.rows(f"SELECT request_id, state, resolved_at FROM hold WHERE {_of(customers)}")
    assert {hold["request_id"] for hold in holds} == records.keys()
    posted = Counter(row["ref"] for row in books.rows("SELECT ref FROM txn WHERE code = 'call'"))
    for hold in holds:
        record = records[hold["request_id"]]
        charged = bool(record["retail_nano"] or record["wholesale_nano"] or record["cost_nano"])
        assert hold["state"] in ({"captured"} if charged else {"voided", "expired"}), (hold, record)
        assert hold["resolved_at"] is not None
        assert posted[hold["request_id"]] == (1 if charged else 0), hold


def _money_adds_up(books: Books, customers: Sequence[Customer], records: dict[str, Row], granted: Fraction) -> None:
    unbalanced = "SELECT txn_id FROM entry GROUP BY txn_id HAVING sum(amount_nano) <> 0"
    assert books.rows(unbalanced) == []
    assert books.value("SELECT sum(amount_nano) AS n FROM entry") == 0
    for customer in customers:
        spent = sum(r["retail_nano"] for r in records.values() if r["customer_id"] == customer.id)
        (wallet,) = books.rows(f"SELECT * FROM account WHERE owner = '{customer.id}'")
        assert wallet["reserved_nano"] == 0
        assert Fraction(wallet["balance_nano"], NANO) == granted - Fraction(spent, NANO)
        entries = f"SELECT sum(amount_nano) AS n FROM entry WHERE account_id = {wallet['id']}"
        assert books.value(entries) == wallet["balance_nano"]
        lots = f"SELECT sum(remaining_nano) AS n FROM lot WHERE wallet_id = {wallet['id']}"
        assert books.value(lots) - wallet["debt_nano"] == wallet["balance_nano"]


def _charge_is_fair(shop: Shop, record: Row, line: Row | None, stopped_at: float | None) -> None:
    charged = Amounts(*(Fraction(record[f"{level}_nano"], NANO) for level in ("retail", "wholesale", "cost")))
    nothing = Amounts(Fraction(0), Fraction(0), Fraction(0))
    if line is None:
        assert charged == nothing, ("charged for what no upstream was asked", record)
        return
    quantities = json.loads(record["quantities"])
    used = Usage(quantities.get("input", 0), quantities.get("cached_input", 0), quantities.get("output", 0))
    if record["upstream"] is None:
        assert charged == nothing, record
    else:
        assert charged == _amounts(shop, record, used), ("the charge is not that of its quantities", record)
    if record["status"] == "ok":
        assert charged == _amounts(shop, record, _reported(line["usage"] or line["true_usage"])), (record, line)
        return
    if not record["stream"]:
        # Who leaves it pays for what was asked, by our count (docs/decisions/015).
        assert charged == nothing or record["status"] == "cut", (
            "charged for a plain answer that was not given",
            record,
        )
        assert used.output == 0, record
        return
    true = _reported(line["true_usage"]) if line["true_usage"] else Usage(0, 0, 0)
    most = Usage(true.input, true.cached_input, line["delivered_tokens"])
    if record["upstream"] is not None:
        limit = _amounts(shop, record, most)
        assert charged.retail <= limit.retail, ("over-billed", record, line["delivered_tokens"])
        assert charged.wholesale <= limit.wholesale
        assert charged.cost <= limit.cost
    assert used.output <= line["delivered_tokens"], ("over-billed", record)
    sure = _surely_due(line, stopped_at)
    assert used.output >= sure, ("under-billed", used.output, sure, line["delivered_tokens"], record)


def _surely_due(line: Row, stopped_at: float | None) -> int:
    """The tokens that were delivered before the last second of a stream that broke off."""
    timeline: list[float] = line["timeline"]
    if not timeline:
        return 0
    last = timeline[-1] if stopped_at is None else min(stopped_at, timeline[-1])
    return sum(1 for at in timeline if at < last - LAST_SECOND - SLACK_SECONDS)


def _caller_was_treated_well(call: Call, records: dict[str, Row], lines: dict[str, Row]) -> None:
    identity = call.request_id
    if call.finished:
        assert identity is not None
        assert records[identity]["status"] == "ok", ("delivered whole, not settled as such", records[identity])
        return
    if call.status is not None and call.status != 200 and identity is not None:
        record = records.get(identity)
        assert record is None or record["retail_nano"] == 0, ("refused and charged", record)
    if call.stream and call.status == 200 and identity in lines:
        assert call.tokens <= lines[identity]["delivered_tokens"]


def _audit_is_clean(shop: Shop) -> None:
    report = shop.ask("ledger", "audit")
    assert report["ok"], report
    assert report["findings"] == []
    assert report["imbalance"] == "0.00"


def _amounts(shop: Shop, record: Row, usage: Usage) -> Amounts:
    tenant = Books(shop).rows(f"SELECT slug FROM tenant WHERE id = {record['tenant_id']}")[0]["slug"]
    return shop.oracle.amounts(tenant, record["public_model"], record["upstream"], record["upstream_model"], usage)


def _reported(usage: Row) -> Usage:
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return Usage(usage["prompt_tokens"] - cached, cached, usage["completion_tokens"])


def _lines_of(shop: Shop, records: dict[str, Row]) -> dict[str, Row]:
    """The journal by request id, once it has a line for each call that an upstream answered."""
    answered = {identity for identity, record in records.items() if record["upstream"] is not None}
    deadline = time.monotonic() + JOURNAL_SECONDS
    while True:
        lines = {line["client_request_id"]: line for line in _journal(shop)}
        if answered <= lines.keys() or time.monotonic() > deadline:
            return lines
        time.sleep(0.05)


def _journal(shop: Shop) -> list[Row]:
    found: list[Row] = []
    for upstream in (shop.mainspring, shop.sparewheel):
        text = shop.http.get(f"http://127.0.0.1:{upstream.port}/journal").text
        found += [json.loads(line) for line in text.splitlines()]
    return found


def was_asked(shop: Shop, calls: Iterable[Call]) -> list[str]:
    """The ids among these calls that an upstream was asked for, as far as it has ended."""
    seen = {line["client_request_id"] for line in _journal(shop)}
    return [identity for call in calls if (identity := call.request_id) in seen and identity is not None]


def _of(customers: Sequence[Customer]) -> str:
    return f"customer_id IN ({', '.join(repr(customer.id) for customer in customers)})"


async def _fetch(dsn: str, sql: str) -> list[Row]:
    connection = await asyncpg.connect(dsn)
    try:
        return [dict(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
