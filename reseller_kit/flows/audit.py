"""`ledger audit`: proves the money invariants 1 to 8 of docs/proof.md on live data. Corrects nothing.

One consistent snapshot, bounded memory: offenders are found by the database, calls are read once, in chunks. Open holds
of a process whose lease is fresh are calls in flight, not findings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from ..core.money import format_amount
from ..core.times import DAY_US
from ..db import operator_archive, operator_audit, operator_checks, operator_rollups, operator_share_checks
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.operator_audit import Connection
from ..db.operator_rollup_checks import archived_totals, rollup_chunks, totals_apart
from ..db.operator_scratch import Scratch, scratch
from ..db.operator_share_checks import Share
from ..db.schema import LEASE_SECONDS
from .audit_calls import CallPass, window_name
from .audit_days import check_days
from .audit_findings import Findings
from .audit_rollups import RollupProof

_allocations = msgspec.json.Decoder(list[tuple[str, int]]).decode


class AuditReport(Struct, frozen=True, kw_only=True):
    """What was audited and what is wrong with it. `imbalance` in nano-USD.

    Each finding has `code`, `invariant` (its number in docs/proof.md), `ref` (the id of what is wrong) and
    `message`; at most a hundred of one code, then one more without a ref that says so.
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
    found = Findings()
    async with db.read(EVERY_TENANT) as connection:
        kept = await operator_archive.horizon(connection)
        first_id = operator_archive.first_kept_id(kept)
        # A call near the end of an archived month may have been charted in the next one.
        quarter = 0 if kept is None else kept.start_us + DAY_US
        lease_us = LEASE_SECONDS * 1_000_000
        for check in operator_checks.checks(tenant, now=now_us(), lease_us=lease_us, first_id=first_id):
            await found.run(connection, check)
        await _check_allocations(connection, tenant, found)
        await check_days(connection, tenant, found, now_us())
        await _check_accrued(connection, tenant, found)
        shares = await operator_share_checks.shares(connection, tenant)
        proof = RollupProof(rolled=await operator_rollups.rolled_until(connection), first_quarter=quarter)
        with scratch() as posted, scratch() as spent:
            calls = CallPass(connection, tenant, proof, posted=posted, spent=spent)
            await calls.run(first_id, frozenset(share.account_id for share in shares), found)
            await _check_balances(connection, tenant, posted, found)
            await _check_windows(connection, tenant, spent, found)
        if calls.imbalance:
            found.add("ledger_unbalanced", 1, "", f"All entries sum to {format_amount(calls.imbalance)}, not to zero.")
        _check_shares(shares, calls, found)
        await _check_rollups(connection, tenant, proof, found)
        open_holds = await operator_audit.open_holds(connection, tenant)
    return AuditReport(
        ok=not found.rows,
        transactions=calls.transactions,
        entries=calls.entries,
        open_holds=open_holds,
        imbalance=calls.imbalance,
        findings=found.rows,
        archived_before=None if kept is None else str(kept),
    )


async def _check_balances(connection: Connection, tenant: int | None, posted: Scratch, found: Findings) -> None:
    """Each stored balance is what the entries on its account sum to."""
    async for wallets in operator_audit.wallets(connection, tenant):
        for account_id, balance in wallets:
            expected = posted.get(str(account_id)) or 0
            if balance != expected:
                amounts = f"{format_amount(balance)}, its entries sum to {format_amount(expected)}"
                found.add("balance_differs_from_entries", 2, str(account_id), f"The wallet's balance is {amounts}.")


async def _check_windows(connection: Connection, tenant: int | None, spent: Scratch, found: Findings) -> None:
    """What each period of a key has spent is what its calls were charged."""
    async for windows in operator_audit.archived_windows(connection, tenant):
        for key_id, started_at, amount in windows:
            spent.add(window_name(key_id, started_at), amount)
    async for windows in operator_audit.key_windows(connection, tenant):
        for key_id, started_at, amount in windows:
            expected = spent.get(window_name(key_id, started_at)) or 0
            if amount != expected:
                amounts = f"{format_amount(amount)} spent, its calls were charged {format_amount(expected)}"
                found.add("window_spent_differs", 3, key_id, f"The key's period has {amounts}.")


def _check_shares(shares: Iterable[Share], calls: CallPass, found: Findings) -> None:
    """A share is its lots' accrued cash less its calls' wholesale, and what was paid in or out."""
    for share in shares:
        codes, ref = calls.by_code[share.account_id], str(share.account_id)
        cash = codes["accrual"]
        others = sum(total for code, total in codes.items() if code not in {"call", "accrual"})
        if cash != share.accrued:
            message = f"credited with {format_amount(cash)} of customers' cash, the lots say"
            found.add("share_differs_from_lots", 2, ref, f"The reseller was {message} {format_amount(share.accrued)}.")
        due = share.accrued - share.archived - calls.charged[share.account_id] + others
        if share.balance != due:
            message = f"{format_amount(share.balance)}; its lots' cash, calls, deposits and payouts come to"
            found.add("share_differs", 2, ref, f"The share is {message} {format_amount(due)}.")


async def _check_allocations(connection: Connection, tenant: int | None, found: Findings) -> None:
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


def _judge_lot(lot_id: str, has: int, wanted: int, found: Findings) -> None:
    if has != wanted:
        message = f"The lot has {format_amount(has)} reserved, open holds took {format_amount(wanted)} from it."
        found.add("lot_reserved_differs", 3, lot_id, message)


async def _check_accrued(connection: Connection, tenant: int | None, found: Findings) -> None:
    """The cash behind what is used up of a lot has accrued: at once for resellers who share their revenue."""
    sharing = await operator_audit.sharing_tenants(connection)
    async for chunk in operator_audit.paid_lots(connection, tenant):
        for lot in chunk:
            due = lot.cash_nano * (lot.consumed_nano + lot.expired_nano) // lot.amount_nano
            if lot.accrued_nano > due or (lot.accrued_nano < due and lot.tenant_id in sharing):
                message = f"{format_amount(lot.accrued_nano)} of its cash accrued, due are {format_amount(due)}."
                found.add("accrued_differs", 5, lot.id, message)


async def _check_rollups(connection: Connection, tenant: int | None, proof: RollupProof, found: Findings) -> None:
    """The rest of the proof, once every usage record has gone into it."""
    async for rows in rollup_chunks(connection, tenant):
        for row in rows:
            proof.add_rollup(row)
    for tenant_id, archived in (await archived_totals(connection, tenant)).items():
        proof.add_archived(tenant_id, archived)
    for storefront in proof.totals():
        message = "The storefront's rollups are not the sum of its usage records and archives."
        found.add("rollup_differs_from_totals", 8, str(storefront), message)
    for customer in proof.customers():
        message = "A quarter of an hour of this customer's calls was not rolled up as its usage records say."
        found.add("rollup_differs_from_records", 8, customer, message)
    for storefront in proof.storefronts():
        message = "The storefront's rollups are not the sum of its customers' rollups."
        found.add("rollup_differs_within", 8, str(storefront), message)
    for customer in await totals_apart(connection, tenant):
        message = "The sums behind this customer's own charts are not those of its rollups."
        found.add("rollup_totals_differ", 8, customer, message)
