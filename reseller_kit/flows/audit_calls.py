"""The audit's one pass over calls, transactions, entries and holds, a span of ids after the other.

Each usage record is recomputed. Of the rest a span's counts mostly prove that every row is as it should be; where they
do not, `db.operator_span_checks` and `_judge_entries` look at the span row by row. They alone find anything, so a count
that is off for a good reason costs time and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from ..core.catalog import PriceList, Tier
from ..core.ledger import call_txn_id
from ..core.money import format_amount
from ..core.pricing import charge
from ..db import operator_audit, operator_calls
from ..db.accounts import DRAWN_ON
from ..db.operator_audit import Connection, PostedEntry, UsageFacts
from ..db.operator_calls import END, CallRow, Counts, Span
from ..db.operator_scratch import Scratch
from ..db.operator_span_checks import span_checks, unknown_payouts
from .audit_findings import Findings
from .audit_rollups import RollupProof
from .recompute import LEVELS, Level, PinnedPrices, pinned_prices, recompute, version_fault, version_ids

_MAX_VERSIONS: Final = 5_000
_MAX_ACCOUNTS: Final = 100_000
_BREATH: Final = 500
_PREFIX: Final = "req_"
_DRAWN_ON: Final = frozenset(DRAWN_ON.values())
_decode = msgspec.json.Decoder(dict[str, int]).decode

_Posted = dict[tuple[str, str], int]
_Priced = tuple[int, str, str, str | None]
"""A tenant and the price versions at retail, wholesale and cost."""


class _Lists(NamedTuple):
    retail: PriceList
    wholesale: PriceList
    cost: PriceList | None


class _Due(Struct):
    """What a span's calls want to see: their transactions, the entries of these, and whether each hold is sound."""

    transactions: int = 0
    entries: int = 0
    sound: bool = True


class CallPass:
    """What the pass comes to: counts, sums by account in `posted`, by key and period in `spent`, and by share.

    `charged`: wholesale of the calls by the reseller's account; `by_code`: what other transactions moved on the shares,
    by account and code. Nano-USD.
    """

    def __init__(
        self, connection: Connection, tenant_id: int | None, proof: RollupProof, *, posted: Scratch, spent: Scratch
    ) -> None:
        self.transactions = self.entries = self.imbalance = 0
        self.charged: Counter[int] = Counter()
        self.by_code: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._connection, self._tenant_id, self._proof = connection, tenant_id, proof
        self._posted, self._spent = posted, spent
        self._shares: frozenset[int] = frozenset()
        self._lists: dict[_Priced, _Lists | None] = {}
        self._accounts: dict[int, tuple[int, str, str]] = {}

    async def run(self, first_id: str, shares: frozenset[int], found: Findings) -> None:
        """All of it; calls with ids before `first_id` are archived. `shares`: the accounts that are revenue shares."""
        self._shares = shares
        await operator_calls.prepare(self._connection)
        calls: Sequence[CallRow]
        if first_id:
            span = Span(after="", until=first_id, txn_after="", txn_until=call_txn_id(first_id), archived=True)
            counts, charged, calls = await self._read(span, ())
            await self._prove(span, (), _Due(), counts, charged, found)
        else:
            span = Span(after="", until="", txn_after="", txn_until="")
            calls = await operator_calls.calls_behind(self._connection, self._tenant_id, "")
        while span.until != END:
            span = _next(span, calls)
            calls = await self._take(span, calls, found)

    async def _take(self, span: Span, calls: Sequence[CallRow], found: Findings) -> Sequence[CallRow]:
        """Judge a span; the calls behind it, which the database looks up meanwhile."""
        await self._learn(calls)
        reading = asyncio.create_task(self._read(span, calls))
        try:
            due, odd = await self._judge_calls(calls)
        finally:
            counts, charged, behind = await reading
        await self._judge_records(odd, found)
        await self._prove(span, calls, due, counts, charged, found)
        return behind

    async def _read(self, span: Span, calls: Sequence[CallRow]) -> tuple[Counts, int, Sequence[CallRow]]:
        """The counts of a span, how many of its entries are as charged, and the calls behind it."""
        connection, tenant_id = self._connection, self._tenant_id
        counts = await operator_calls.counts(connection, tenant_id, span)
        charged = await operator_calls.as_charged(connection, {call.tenant_id for call in calls}, span)
        if span.until == END:
            return counts, charged, []
        return counts, charged, await operator_calls.calls_behind(connection, tenant_id, span.until)

    async def _learn(self, calls: Sequence[CallRow]) -> None:
        """Look up the price versions and accounts that calls name and that are not known yet."""
        named = {_priced(call) for call in calls}
        if len(self._lists) + len(named) > _MAX_VERSIONS:
            self._lists.clear()
        unknown = named - self._lists.keys()
        if unknown:
            versions = await self._versions({version for _, *ids in unknown for version in ids if version is not None})
            self._lists |= {priced: _price_lists(priced, versions) for priced in unknown}
        wallets = {call.wallet_id for call in calls} | {call.reseller_wallet_id for call in calls}
        if len(self._accounts) + len(wallets) > _MAX_ACCOUNTS:
            self._accounts.clear()
        wallets -= self._accounts.keys()
        if wallets:
            self._accounts |= await operator_calls.accounts(self._connection, wallets)

    async def _versions(self, ids: Iterable[str]) -> dict[str, PinnedPrices]:
        stored = await operator_audit.price_versions(self._connection, set(ids))
        return {version_id: pinned_prices(version) for version_id, version in stored.items()}

    async def _judge_calls(self, calls: Sequence[CallRow]) -> tuple[_Due, list[str]]:
        """What the calls want to see in the ledger, and the ids of those that are not as their prices say."""
        due, odd, spent = _Due(), [], Counter[tuple[str, int]]()
        for number, call in enumerate(calls):
            if number % _BREATH == 0:
                await asyncio.sleep(0)
            try:
                quantities = _decode(call.quantities)
            except msgspec.DecodeError:
                quantities = None
            self._proof.add_call(call, quantities)
            if quantities is None or not self._is_as_priced(call, quantities):
                odd.append(call.id)
            lines = 2 * ((call.retail_nano != 0) + (call.wholesale_nano != 0) + (call.cost_nano != 0))
            due.entries += lines
            due.transactions += lines > 0
            if not (call.sound and self._is_in_order(call)):
                due.sound = False
            self.charged[call.reseller_wallet_id] += call.wholesale_nano
            if call.window_key is not None:
                spent[call.window_key, call.window_at] += call.retail_nano
        for window, amount in spent.items():
            self._spent.add(window_name(*window), amount)
        return due, odd

    def _is_as_priced(self, call: CallRow, quantities: Mapping[str, int]) -> bool:
        """Whether its charges are what its prices and quantities give, and in order; no for all that is unusual."""
        lists = self._lists[_priced(call)]
        retail, wholesale, cost = call.retail_nano, call.wholesale_nano, call.cost_nano
        if lists is None or not retail >= wholesale >= cost or min(quantities.values(), default=0) < 0:
            return False
        try:
            return (
                charge(lists.retail, quantities) == retail
                and charge(lists.wholesale, quantities) == wholesale
                and (0 if lists.cost is None else charge(lists.cost, quantities)) == cost
            )
        except KeyError:
            return False

    def _is_in_order(self, call: CallRow) -> bool:
        """Whether the hold is on its customer's wallet and on an account that its tenant's calls draw on."""
        reseller = self._accounts.get(call.reseller_wallet_id)
        return (
            call.id.startswith(_PREFIX)
            and self._accounts.get(call.wallet_id) == (call.tenant_id, "customer_wallet", call.customer_id)
            and reseller is not None
            and reseller[0] == call.tenant_id
            and reseller[1] in _DRAWN_ON
        )

    async def _prove(
        self, span: Span, calls: Sequence[CallRow], due: _Due, counts: Counts, charged: int, found: Findings
    ) -> None:
        """See by its counts that a span is right, or else look at each row; sum its entries either way."""
        self.transactions += counts.transactions
        self.entries += counts.entries
        proven = await self._is_proven(span, len(calls), due, counts, charged)
        if proven:
            self._sum_calls(calls)
        else:
            for check in span_checks(self._tenant_id, span):
                await found.run(self._connection, check)
            await self._judge_entries([call.id for call in calls], found)
        if not proven or counts.transactions != due.transactions:
            await self._sum_entries(span, counts, found, of_calls=not proven)

    async def _is_proven(self, span: Span, calls: int, due: _Due, counts: Counts, charged: int) -> bool:
        """Whether the counts leave no room for a row that is wrong, missing or in excess.

        Every entry that the calls want to see is there, each hold is of a call, and what else there is are transactions
        of other kinds that sum to zero.
        """
        if not due.sound or charged != due.entries or counts.holds != calls:
            return False
        if (counts.transactions, counts.entries) == (due.transactions, due.entries):
            return True
        others = await operator_calls.others(self._connection, self._tenant_id, span)
        return (
            others.unbalanced == 0
            and counts.transactions == due.transactions + others.transactions
            and counts.entries == due.entries + others.entries
        )

    def _sum_calls(self, calls: Sequence[CallRow]) -> None:
        """The wallets' part of entries that were proven to be as charged; those on sinks add nothing to a balance."""
        sums: Counter[int] = Counter()
        for call in calls:
            sums[call.wallet_id] -= call.retail_nano
            sums[call.reseller_wallet_id] -= call.wholesale_nano
        for account_id, total in sums.items():
            self._posted.add(str(account_id), total)

    async def _sum_entries(self, span: Span, counts: Counts, found: Findings, *, of_calls: bool) -> None:
        """The sums of entries by account, those of calls among them or not."""
        paid = False
        for part in await operator_calls.parts(self._connection, span, counts):
            sums = await operator_calls.posted(self._connection, self._tenant_id, part, of_calls=of_calls)
            for account_id, code, total in sums:
                self.imbalance += total
                self._posted.add(str(account_id), total)
                paid = paid or code == "payout"
                if code is not None and account_id in self._shares:
                    self.by_code[account_id][code] += total
        if paid:
            await found.run(self._connection, unknown_payouts(self._tenant_id, span))

    async def _judge_records(self, ids: Sequence[str], found: Findings) -> None:
        """Name what is wrong with the charges of these records."""
        if not ids:
            return
        records = await operator_audit.usage_records(self._connection, ids)
        versions = await self._versions(
            version_id for record in records for version_id in version_ids(record) if version_id is not None
        )
        for record in records:
            levels = recompute(record, versions)
            for level in levels:
                _judge_level(record, level, found)
            _judge_order(record, levels, found)

    async def _judge_entries(self, ids: Sequence[str], found: Findings) -> None:
        """Name the calls whose entries are not their charges."""
        if not ids:
            return
        posted = _by_txn(await operator_audit.entries_of(self._connection, [call_txn_id(each) for each in ids]))
        drawn_on = await operator_audit.drawn_on(self._connection, ids)
        for record in await operator_audit.usage_records(self._connection, ids):
            if posted.get(call_txn_id(record.id), {}) != _due(record, drawn_on.get(record.id, "reseller_wallet")):
                message = "The ledger's entries for the call are not the charges of its usage record."
                found.add("entries_differ_from_usage", 6, record.id, message)


def window_name(key_id: str, started_at: int) -> str:
    """What a key's period is called where sums are kept."""
    return f"{key_id} {started_at}"


def _next(span: Span, calls: Sequence[CallRow]) -> Span:
    """The span of these calls, behind another one; the last one if there can't be more of them."""
    until = calls[-1].id if len(calls) >= operator_calls.CALLS_AT_ONCE else END
    txn_until = END if until == END else max(span.txn_until, call_txn_id(until))
    return Span(after=span.until, until=until, txn_after=span.txn_until, txn_until=txn_until)


def _priced(call: CallRow) -> _Priced:
    return call.tenant_id, call.retail_version, call.wholesale_version, call.cost_version


def _price_lists(priced: _Priced, versions: Mapping[str, PinnedPrices]) -> _Lists | None:
    """The price lists of these versions; None if one of them can't be used."""
    tenant_id, *ids = priced
    found = []
    for level, version_id in zip(LEVELS, ids, strict=True):
        version = None if version_id is None else versions.get(version_id)
        if version_fault(level, tenant_id, version_id, version) is not None:
            return None
        found.append(None if version is None else _with_request(version.price_list))
    retail, wholesale, cost = found
    return None if retail is None or wholesale is None else _Lists(retail, wholesale, cost)


def _with_request(price_list: PriceList) -> PriceList:
    """The list with a price for a request, which every call is: naming nothing is spared a look-up a call and level."""
    tiers = tuple(Tier(above_input=tier.above_input, prices={"request": 0, **tier.prices}) for tier in price_list.tiers)
    return PriceList(prices={"request": 0, **price_list.prices}, tiers=tiers)


def _judge_level(record: UsageFacts, level: Level, found: Findings) -> None:
    if level.fault is not None:
        found.add("charge_not_recomputable", 6, record.id, f"Its {level.level} can't be recomputed: {level.fault}.")
    elif not level.matches:
        message = f"Its {level.level} is {format_amount(level.stored)}, recomputed it is {format_amount(level.nano)}."
        found.add("charge_differs", 6, record.id, message)


def _judge_order(record: UsageFacts, levels: list[Level], found: Findings) -> None:
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
