"""`ledger audit`: proves the money invariants 1 to 8 of docs/money.md on live data. Corrects nothing.

One consistent snapshot, bounded memory: offenders are found by the database, usage records are recomputed in
chunks. Open holds of a process whose lease is fresh are calls in flight, not findings.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.ledger import call_txn_id
from ..core.money import format_amount
from ..core.times import DAY_US
from ..db import operator_archive, operator_audit, operator_checks, operator_rollups
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.operator_audit import Connection, PostedEntry, UsageFacts
from ..db.operator_rollup_checks import rollup_chunks, rollup_totals_check
from ..db.operator_scratch import scratch
from ..db.schema import LEASE_SECONDS
from .audit_rollups import RollupProof
from .recompute import Level, PinnedPrices, pinned_prices, recompute, version_ids

MAX_FINDINGS_PER_CHECK: Final = 100
_MAX_VERSIONS: Final = 5_000
_allocations = msgspec.json.Decoder(list[tuple[str, int]]).decode

_Posted = dict[tuple[str, str], int]


class AuditReport(Struct, frozen=True, kw_only=True):
    """What was audited and what is wrong with it. `imbalance` in nano-USD.

    Each finding has `code`, `invariant` (its number in docs/money.md), `ref` (the id of what is wrong) and
    `message`; at most `MAX_FINDINGS_PER_CHECK` of one code, then one more without a ref that says so.
    `archived_before`: calls of earlier months are in files; of these only their sums were checked.
    """

    ok: bool
    transactions: int
    entries: int
    open_holds: int
    imbalance: int
    findings: list[dict[str, Any]]
    archived_before: str | None = None


async def audit(db: Database, *, tenant: int | None = None) -> AuditReport:
    """Check every invariant that stored data can show, of all tenants or of one."""
    found = _Findings()
    async with db.read(EVERY_TENANT) as connection:
        totals = await operator_audit.totals(connection, tenant)
        if totals.imbalance:
            amount = format_amount(totals.imbalance)
            found.add("ledger_unbalanced", 1, "", f"All entries sum to {amount}, not to zero.")
        kept = await operator_archive.horizon(connection)
        first_id = operator_archive.first_kept_id(kept)
        # A call near the end of an archived month may have been charted in the next one.
        quarter = 0 if kept is None else kept.start_us + DAY_US
        for check in (
            *operator_checks.checks(tenant, now=now_us(), lease_us=LEASE_SECONDS * 1_000_000, first_id=first_id),
            rollup_totals_check(tenant, first_id=first_id),
        ):
            await _run(connection, check, found)
        await _check_balances(connection, tenant, found)
        await _check_allocations(connection, tenant, found)
        await _check_accrued(connection, tenant, found)
        proof = RollupProof(rolled=await operator_rollups.rolled_until(connection), first_quarter=quarter)
        await _check_usage(connection, tenant, first_id, proof, found)
        await _check_rollups(connection, tenant, proof, found)
    return AuditReport(
        ok=not found.rows,
        transactions=totals.transactions,
        entries=totals.entries,
        open_holds=totals.open_holds,
        imbalance=totals.imbalance,
        findings=found.rows,
        archived_before=None if kept is None else str(kept),
    )


class _Findings:
    """Collects findings, a bounded number of each code."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._counts: Counter[str] = Counter()

    def add(self, code: str, invariant: int, ref: str, message: str) -> None:
        self._counts[code] += 1
        if self._counts[code] > MAX_FINDINGS_PER_CHECK:
            if self._counts[code] > MAX_FINDINGS_PER_CHECK + 1:
                return
            ref, message = "", "There are more of these."
        self.rows.append({"code": code, "invariant": invariant, "ref": ref, "message": message})


async def _run(connection: Connection, check: operator_audit.Check, found: _Findings) -> None:
    for row in await operator_audit.offenders(connection, check.statement, MAX_FINDINGS_PER_CHECK + 1):
        amounts = {name: format_amount(int(row[name])) for name in ("found", "expected") if name in row}
        found.add(check.code, check.invariant, str(row["ref"]), check.message.format(**amounts))


async def _check_balances(connection: Connection, tenant: int | None, found: _Findings) -> None:
    """Each stored balance is what the entries on its account sum to."""
    with scratch() as posted:
        async for sums in operator_audit.entry_sums(connection, tenant):
            for account_id, total in sums:
                posted.add(str(account_id), total)
        async for wallets in operator_audit.wallets(connection, tenant):
            for account_id, balance in wallets:
                expected = posted.get(str(account_id)) or 0
                if balance != expected:
                    amounts = f"{format_amount(balance)}, its entries sum to {format_amount(expected)}"
                    found.add("balance_differs_from_entries", 2, str(account_id), f"The wallet's balance is {amounts}.")


async def _check_allocations(connection: Connection, tenant: int | None, found: _Findings) -> None:
    """Each lot's reserved part is what the open holds took from it; a hold's parts sum to what it reserves."""
    with scratch() as allocated:
        async for holds in operator_audit.open_allocations(connection, tenant):
            for request_id, retail, text in holds:
                parts = _parts(text)
                for lot_id, amount in parts:
                    allocated.add(lot_id, amount)
                if sum(amount for _, amount in parts) != retail:
                    message = f"It reserves {format_amount(retail)}, which is not the sum of its lots' parts."
                    found.add("hold_parts_differ", 3, request_id, message)
        async for lots in operator_audit.reserved_lots(connection, tenant):
            taken = allocated.take([lot_id for lot_id, _ in lots])
            for lot_id, has in lots:
                _judge_lot(lot_id, has, taken.get(lot_id, 0), found)
        for lot_id, wanted in allocated.unseen():
            _judge_lot(lot_id, 0, wanted, found)


def _parts(text: str) -> list[tuple[str, int]]:
    """A hold's parts; none when they can't be read, which then differs from what it reserves."""
    try:
        return _allocations(text)
    except msgspec.DecodeError:
        return []


def _judge_lot(lot_id: str, has: int, wanted: int, found: _Findings) -> None:
    if has != wanted:
        message = f"The lot has {format_amount(has)} reserved, open holds took {format_amount(wanted)} from it."
        found.add("lot_reserved_differs", 3, lot_id, message)


async def _check_accrued(connection: Connection, tenant: int | None, found: _Findings) -> None:
    """The cash behind what is used up of a lot has accrued: at once for resellers who share their revenue."""
    sharing = await operator_audit.sharing_tenants(connection)
    async for chunk in operator_audit.paid_lots(connection, tenant):
        for lot in chunk:
            due = lot.cash_nano * (lot.consumed_nano + lot.expired_nano) // lot.amount_nano
            if lot.accrued_nano > due or (lot.accrued_nano < due and lot.tenant_id in sharing):
                message = f"{format_amount(lot.accrued_nano)} of its cash accrued, due are {format_amount(due)}."
                found.add("accrued_differs", 5, lot.id, message)


async def _check_usage(
    connection: Connection, tenant: int | None, first_id: str, proof: RollupProof, found: _Findings
) -> None:
    versions: dict[str, PinnedPrices] = {}
    async for chunk in operator_audit.usage_chunks(connection, tenant, first_id):
        await _load_versions(connection, chunk, versions)
        posted = _by_txn(await operator_audit.entries_of(connection, [call_txn_id(record.id) for record in chunk]))
        drawn_on = await operator_audit.drawn_on(connection, [record.id for record in chunk])
        for record in chunk:
            proof.add_record(record)
            levels = recompute(record, versions)
            for level in levels:
                _judge_level(record, level, found)
            _judge_order(record, levels, found)
            if posted.get(call_txn_id(record.id), {}) != _due(record, drawn_on.get(record.id, "reseller_wallet")):
                message = "The ledger's entries for the call are not the charges of its usage record."
                found.add("entries_differ_from_usage", 6, record.id, message)


async def _check_rollups(connection: Connection, tenant: int | None, proof: RollupProof, found: _Findings) -> None:
    """The rest of the proof, once every usage record has gone into it."""
    async for rows in rollup_chunks(connection, tenant):
        for row in rows:
            proof.add_rollup(row)
    for customer in proof.customers():
        message = "A quarter of an hour of this customer's calls was not rolled up as its usage records say."
        found.add("rollup_differs_from_records", 8, customer, message)
    for storefront in proof.storefronts():
        message = "The storefront's rollups are not the sum of its customers' rollups."
        found.add("rollup_differs_within", 8, str(storefront), message)


async def _load_versions(
    connection: Connection, chunk: Iterable[UsageFacts], versions: dict[str, PinnedPrices]
) -> None:
    named = {version_id for record in chunk for version_id in version_ids(record) if version_id is not None}
    missing = named - versions.keys()
    if len(versions) + len(missing) > _MAX_VERSIONS:
        versions.clear()
        missing = named
    if missing:
        stored = await operator_audit.price_versions(connection, missing)
        versions |= {version_id: pinned_prices(version) for version_id, version in stored.items()}


def _judge_level(record: UsageFacts, level: Level, found: _Findings) -> None:
    if level.fault is not None:
        found.add("charge_not_recomputable", 6, record.id, f"Its {level.level} can't be recomputed: {level.fault}.")
    elif not level.matches:
        message = f"Its {level.level} is {format_amount(level.stored)}, recomputed it is {format_amount(level.nano)}."
        found.add("charge_differs", 6, record.id, message)


def _judge_order(record: UsageFacts, levels: list[Level], found: _Findings) -> None:
    for upper, lower in pairwise(levels):
        if upper.stored < lower.stored and _is_ordered(upper, lower):
            message = f"Its {upper.level} is below its {lower.level} although the prices are not."
            found.add("levels_out_of_order", 7, record.id, message)


def _is_ordered(upper: Level, lower: Level) -> bool:
    """Whether each of the upper prices that applied is at least the lower one."""
    if upper.fault is not None or lower.fault is not None:
        return False
    prices = {line.usage_class: line.price for line in upper.lines}
    return all(prices.get(line.usage_class, 0) >= line.price for line in lower.lines)


def _by_txn(entries: Iterable[PostedEntry]) -> Mapping[str, _Posted]:
    posted: defaultdict[str, _Posted] = defaultdict(dict)
    for entry in entries:
        lines = posted[entry.txn_id]
        line = (entry.kind, entry.owner)
        lines[line] = lines.get(line, 0) + entry.amount_nano
    return posted


def _due(record: UsageFacts, drawn_on: str) -> _Posted:
    """The entries that the record's charges call for, by account; the hold says which of the reseller's accounts."""
    pairs = (
        (record.retail_nano, ("customer_wallet", record.customer_id), ("reseller_revenue", "")),
        (record.wholesale_nano, (drawn_on, ""), ("wholesale_revenue", "")),
        (record.cost_nano, ("upstream_cost", ""), ("upstream_payable", "")),
    )
    due: _Posted = {}
    for amount, debit, credit in pairs:
        if amount:
            due |= {debit: -amount, credit: amount}
    return due
