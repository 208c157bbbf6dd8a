"""What is decided on remembered figures and added to what there is, is what would be decided on what there is.

Two processes work on the same books here: one decides on what it remembers, while the other has gone on. Where the
checks of the function on PostgreSQL let the first one's differences through, they must lead to exactly the books that
deciding anew would. `write_differences` is that function in Python; `tests/integration` runs the real one.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from reseller_kit.core.ledger import (
    NO_WINDOW,
    Capture,
    Grant,
    Hold,
    HoldRequest,
    HoldTerms,
    Lot,
    TakeBack,
    WholesaleMove,
)
from reseller_kit.core.ledger.floors import Floors
from reseller_kit.core.times import DAY_US
from reseller_kit.db.ledger import (
    AccrueCash,
    ExpireLots,
    GrantCredit,
    Item,
    MoveWholesale,
    PlaceHold,
    Settle,
    TakeCredit,
    UsageRow,
)
from reseller_kit.db.ledger import differences as diff
from reseller_kit.db.ledger.batch import Batch
from reseller_kit.db.ledger.needs import needs_of
from reseller_kit.db.ledger.state import Loaded

TENANT, RESELLER, CUSTOMERS = 1, 10, (11, 12)
NOW = 10 * DAY_US
Row = list[Any]


class Books:
    """The tables that a batch works on, each row with the number of the batch that wrote it last."""

    def __init__(self, settlement: str) -> None:
        kinds = {RESELLER: settlement, **dict.fromkeys(CUSTOMERS, "customer_wallet")}
        self.accounts: dict[int, Row] = {id_: [id_, TENANT, name, 0, 0, 0] for id_, name in kinds.items()}
        self.lots: dict[str, Row] = {}
        self.days: dict[str, tuple[int, int]] = {}
        self.windows: dict[tuple[str, int], Row] = {}
        self.holds: dict[str, Row] = {}
        self.txns: list[Sequence[Any]] = []
        self.entries: list[Sequence[Any]] = []
        self.usage: list[Sequence[Any]] = []
        self.written = 0
        self.versions: dict[Any, int] = {}

    def reverse(self, number: int, most: int) -> None:
        """A charge is given back to a lot, as corrections do."""
        for row in self.lots.values():
            part = min(most, row[6])
            if row[1] == CUSTOMERS[number] and part:
                self.written += 1
                row[6] -= part
                row[4] += part
                account = self.accounts[row[1]]
                account[3] += part
                self.versions[row[1]] = self.written
                return

    def lots_of(self, wallet_id: int) -> list[Row]:
        """Those of which something remains."""
        return [row for row in self.lots.values() if row[1] == wallet_id and row[4]]

    def decide(self, items: Sequence[Item], owner: str, *, noted: bool = False) -> Batch:
        """Load all that these items need, and decide."""
        batch = Batch(items, owner=owner, epoch=1, now=NOW)
        batch.floors = Floors() if noted else None
        needs = needs_of(items, again=False)
        batch.state.versions = dict.fromkeys(needs.wallets, (0, None))
        rows = Loaded(
            accounts=[self.accounts[wallet_id] for wallet_id in needs.wallets],
            lots=[row for wallet_id in needs.wallets for row in self.lots_of(wallet_id)],
            windows=[(*self.windows[key], 0) for key in needs.windows if key in self.windows],
            holds=[self.holds[request_id] for request_id in needs.holds],
            operations=(),
            txns=(),
        )
        batch.load(rows)
        batch.state.load_days(
            [(lot_id, *self.days[lot_id]) for lot_id in batch.state.days_to_read() if lot_id in self.days]
        )
        batch.decide()
        return batch

    def write(self, batch: Batch) -> None:
        """As in steps: the new figures."""
        self.written += 1
        for balance, reserved, debt, wallet_id, _ in batch.state.account_updates():
            self.accounts[wallet_id][3:] = [balance, reserved, debt]
            self.versions[wallet_id] = self.written
        for *figures, lot_id, _ in batch.state.lot_updates():
            self._write_lot(lot_id, figures)
        for row in batch.state.lot_inserts():
            # as `columns.LOT_READ` has them
            self.lots[row[0]] = [row[0], *row[2:11], row[12], row[11], *row[13:15], *row[16:18]]
        for key_id, started_at, _, spent, reserved in batch.window_upserts():
            self._write_window((key_id, started_at), spent, reserved)
        self._write_calls(batch, {})

    def write_differences(self, batch: Batch, remembered: Books) -> bool:
        """As by the function: differences, if all that was decided depends on is still so."""
        if batch.cold.overages:
            return self._in_vain("overage")
        needs, floors = needs_of(batch.items, again=False), batch.floors
        assert floors is not None
        moved = [id_ for id_ in needs.wallets if self.versions.get(id_) != remembered.versions.get(id_)]
        shifts: dict[int, int] = {}
        for wallet_id, (balance, least) in zip(
            needs.wallets, diff.wallet_floors(batch.state, floors, needs.wallets), strict=True
        ):
            _, _, _, found, reserved, debt = self.accounts[wallet_id]
            if wallet_id in moved:
                if least is None or debt or found - reserved < least:
                    return self._in_vain("wallets")
                shifts[wallet_id] = found - balance
        known = [row for row in diff.lot_floors(batch.state, floors, needs.wallets) if row[0] in moved]
        if {row[1] for row in known} != {row[0] for id_ in moved for row in self.lots_of(id_)}:
            return self._in_vain("lots are others")
        if any(self.lots[lot_id][4] - self.lots[lot_id][5] < least for _, lot_id, least in known):
            return self._in_vain("lots")
        if any(key not in remembered.windows for key in needs.windows):
            return self._in_vain("new window")
        ceilings = diff.window_ceilings(batch.state, floors, needs.windows)
        drifted = [key for key in needs.windows if self.versions.get(key) != remembered.versions.get(key)]
        for key, most in zip(needs.windows, ceilings, strict=True):
            if key in drifted and (most is None or sum(self.windows[key][2:]) > most):
                return self._in_vain("windows")
        found = self._found(batch, needs, moved, drifted)
        self._add(batch, shifts)
        diff.learn(batch.state, found, needs.windows)
        return True

    def _in_vain(self, reason: str) -> bool:
        seen[reason] += 1
        return False

    def _found(self, batch: Batch, needs: Any, moved: list[int], drifted: list[tuple[str, int]]) -> diff.Found:
        lots = [lot for id_ in needs.wallets for lot in batch.state.lots.get(id_, ())]
        return diff.Found(
            wallets=[(place, *self.accounts[id_][3:5]) for place, id_ in enumerate(needs.wallets, 1) if id_ in moved],
            lots=[
                (place, *self.lots[lot.id][4:9], self.lots[lot.id][14])
                for place, lot in enumerate(lots, 1)
                if lot.wallet_id in moved
            ],
            windows=[(place, *self.windows[key][2:]) for place, key in enumerate(needs.windows, 1) if key in drifted],
        )

    def _add(self, batch: Batch, shifts: dict[int, int]) -> None:
        self.written += 1
        for *amounts, wallet_id, _ in diff.account_rows(batch.state):
            row = self.accounts[wallet_id]
            row[3:] = [old + more for old, more in zip(row[3:], amounts, strict=True)]
            self.versions[wallet_id] = self.written
        for *amounts, lot_id, _ in diff.lot_rows(batch.state):
            row = self.lots[lot_id]
            old = [*row[4:9], row[14]]
            self._write_lot(lot_id, [figure + more for figure, more in zip(old, amounts, strict=True)])
        for key_id, started_at, _, spent, reserved in diff.window_rows(batch):
            row = self.windows[key_id, started_at]
            self._write_window((key_id, started_at), row[2] + spent, row[3] + reserved)
        self._write_calls(batch, shifts)

    def _write_lot(self, lot_id: str, figures: Sequence[int]) -> None:
        row = self.lots[lot_id]
        row[4:9], row[14] = figures[:5], figures[5]
        assert 0 <= row[5] <= row[4] <= row[3], "bounds"
        assert row[3] == row[4] + row[6] + row[7] + row[8], "whole"

    def _write_window(self, key: tuple[str, int], spent: int, reserved: int) -> None:
        self.windows[key] = [*key, spent, reserved]
        self.versions[key] = self.written

    def _write_calls(self, batch: Batch, shifts: dict[int, int]) -> None:
        for lot_id, _, day, used in batch.state.lot_days():
            self.days[lot_id] = (day, used)
        for row in batch.hold_inserts:
            request_id, tenant_id, _, state, customer, wallet, reseller, key, started, model = row[:10]
            shown = [request_id, tenant_id, state, customer, wallet, reseller, key, started, model]
            self.holds[request_id] = [*shown, row[12], row[13], row[14], row[15], row[20], row[16], row[17]]
        for state, _, request_id, _ in batch.hold_updates:
            self.holds[request_id][2] = state
        self.txns += [
            [*row[:5], None if row[5] is None else row[5] + shifts.get(row[2], 0), *row[6:]] for row in batch.txn_rows()
        ]
        kinds = [entry.account for txn in batch.txns for entry in txn.entries]
        sinks: dict[tuple[int, str], int] = {
            (TENANT, kind): -number for number, kind in enumerate(sorted(set(kinds)), 1)
        }
        self.entries += batch.entry_rows(sinks)
        self.usage += batch.usage

    def shown(self) -> dict[str, Any]:
        """All of it but who wrote it."""
        return {name: value for name, value in vars(self).items() if name not in {"versions", "written"}}


class Script:
    """Makes items of what hypothesis draws."""

    def __init__(self, name: str) -> None:
        self._name, self._number = name, 0

    def _id(self, kind: str) -> str:
        self._number += 1
        return f"{kind}_{self._name}{self._number:03}"

    def hold(
        self, number: int, retail: int, wholesale: int, limit: int | None, least: int | None, model: str, late: int
    ) -> PlaceHold:
        """A call of up to 10 tokens; half of what it costs is fixed."""
        request = HoldRequest(
            request_id=self._id("req"),
            tenant_id=TENANT,
            customer_id=f"cus_{number}",
            wallet_id=CUSTOMERS[number],
            reseller_wallet_id=RESELLER,
            key_id=f"key_{number}",
            key_limit=limit,
            window_started_at=0 if limit is not None else NO_WINDOW,
            overdraft=5,
            model=model,
            retail_version="r",
            wholesale_version="w",
            terms=HoldTerms(
                retail_fixed=retail * 500,
                retail_per_output=retail * 50,
                wholesale_fixed=wholesale * 500,
                wholesale_per_output=wholesale * 50,
                output_limit=10,
                shrink_to=least,
            ),
            created_at=NOW + late,
        )
        return PlaceHold(request, "{}")

    def settle(self, row: Row, retail: int, wholesale: int, late: int) -> Settle:
        """The end of a held call, at some percentage of what was held."""
        request_id, _, _, customer, wallet, reseller, key, started, model = row[:9]
        charge = Capture(
            request_id=request_id,
            retail=row[10] * retail // 100,
            wholesale=row[11] * wholesale // 100,
            cost=1 if retail else 0,
            at=NOW + late,
        )
        usage = dict.fromkeys(UsageRow.__struct_fields__, None) | {
            "id": request_id,
            "tenant_id": TENANT,
            "customer_id": customer,
            "key_id": key,
            "model": model,
            "retail_nano": charge.retail,
            "wholesale_nano": charge.wholesale,
            "cost_nano": charge.cost,
            "created_at": NOW,
        }
        return Settle(
            capture=charge,
            usage=UsageRow(**usage),  # type: ignore[arg-type]
            wallet_id=wallet,
            reseller_wallet_id=reseller,
            window=None if started == NO_WINDOW else (key, started),
        )

    def grant(self, number: int, amount: int, terms: dict[str, Any]) -> GrantCredit:
        """Credit with one of `TERMS`."""
        request = Grant(
            lot_id=self._id("lot"),
            txn_id=self._id("txn"),
            tenant_id=TENANT,
            wallet_id=CUSTOMERS[number],
            amount=amount,
            at=NOW - 1,
            **terms,
        )
        return GrantCredit(request)

    def take(self, number: int, amount: int) -> TakeCredit:
        """Credit taken by hand."""
        return TakeCredit(
            TakeBack(txn_id=self._id("txn"), tenant_id=TENANT, wallet_id=CUSTOMERS[number], amount=amount, at=NOW - 1)
        )

    def deposit(self, amount: int) -> MoveWholesale:
        """Into the reseller's wallet or out of it."""
        return MoveWholesale(
            WholesaleMove(txn_id=self._id("txn"), tenant_id=TENANT, wallet_id=RESELLER, amount=amount, at=NOW - 1)
        )

    def expire(self, number: int, late: int, *, shares: bool) -> ExpireLots:
        """The sweep."""
        return ExpireLots(self._id("txn"), TENANT, CUSTOMERS[number], NOW + late, RESELLER if shares else None)

    def accrue(self, number: int, lots: Sequence[str]) -> AccrueCash:
        """Cash behind what was used up."""
        return AccrueCash(self._id("txn"), TENANT, CUSTOMERS[number], RESELLER, tuple(lots), NOW)


TERMS: list[dict[str, Any]] = [
    {"kind": "topup"},
    {"kind": "topup", "priority": 1},
    {"kind": "manual", "expires_at": NOW + 5},
    {"kind": "manual", "models": ("gpt-*",)},
    {"kind": "promo", "expires_at": NOW + DAY_US},
    {"kind": "package", "cash": 7},
    {"kind": "manual", "daily": 20},
]
amounts = st.integers(0, 40)
limits = st.sampled_from([None, None, 90, 150])
models = st.sampled_from(["gpt-1", "gpt-1", "other"])
late = st.sampled_from([0, 0, 0, 0, 4, 5, 6])
customers = st.sampled_from([0, 0, 0, 1])
holds = st.tuples(st.just("hold"), customers, amounts, amounts, limits, st.sampled_from([None, 2]), models, late)
percent = st.sampled_from([0, 30, 50, 80, 80, 100, 100, 100, 120])
ends = st.tuples(st.just("end"), st.integers(0, 9), percent, percent, late)
grants = st.tuples(
    st.just("grant"), customers, st.sampled_from([40, 80, 120, 300]), st.sampled_from([*TERMS[:1] * 12, *TERMS])
)
moves = st.one_of(
    grants,
    st.tuples(st.just("take"), customers, st.integers(1, 30)),
    st.tuples(st.just("deposit"), st.integers(-30, 60).filter(bool)),
    st.tuples(st.just("expire"), customers, late),
    st.tuples(st.just("accrue"), customers),
    st.tuples(st.just("reverse"), customers, st.integers(1, 30)),
)
calls = st.lists(st.one_of(holds, holds, ends), min_size=1, max_size=6)


def items_of(drawn: Sequence[Any], script: Script, books: Books, owner: str) -> list[Item]:
    """What one process does in a batch. It ends calls of its own alone, each once."""
    items: list[Item] = []
    mine = [row for row in books.holds.values() if row[2] == "open" and row[14] == owner]
    shares = books.accounts[RESELLER][2] == "reseller_accrual"
    for name, *values in drawn:
        if name == "end":
            if mine:
                items.append(script.settle(mine.pop(values[0] % len(mine)), *values[1:]))
        elif name == "expire":
            items.append(script.expire(*values, shares=shares))
        elif name == "accrue":
            if shares:
                lots = [row[0] for row in books.lots_of(CUSTOMERS[values[0]])]
                items.append(script.accrue(values[0], lots))
        else:
            items.append(getattr(script, name)(*values))
    return items


LIMITED = [("hold", number, 2, 0, 90, None, "gpt-1", 0) for number in (0, 1)]
"""So that both keys have a window, which is remembered."""
seen: Counter[str] = Counter()


def run(books: Books, script: Script, owner: str, drawn: Sequence[Any]) -> None:
    """A batch in steps."""
    books.write(books.decide(items_of(drawn, script, books, owner), owner))


def check(
    settlement: str,
    wholesale: int,
    wealth: Sequence[Any],
    before: Sequence[Any],
    own: Sequence[Any],
    others: Sequence[Sequence[Any]],
) -> None:
    """One process decides on what it remembers, others have gone on."""
    books = Books(settlement)
    first, second = Script("a"), Script("b")
    run(books, first, "one", [("deposit", wholesale), *wealth])
    run(books, first, "one", [*LIMITED, *before])
    run(books, second, "two", before)
    remembered = copy.deepcopy(books)
    for drawn in others:
        if drawn[0][0] == "reverse":
            books.reverse(*drawn[0][1:])
        else:
            run(books, second, "two", drawn)
    items = items_of(own, first, remembered, "one")
    if not items:
        return
    batch = remembered.decide(items, "one", noted=True)
    added = copy.deepcopy(books)
    is_new = added.versions != books.versions or books.versions != remembered.versions
    if not added.write_differences(batch, remembered):
        return
    seen["added" if is_new else "alone"] += 1
    anew = books.decide(items, "one")
    books.write(anew)
    assert [_told(outcome) for outcome in batch.outcomes] == [_told(outcome) for outcome in anew.outcomes]
    assert added.shown() == books.shown()
    _check_memory(batch, added)


def _told(outcome: object) -> object:
    """An outcome to compare; a hold without its state, which a later item may have changed."""
    return astuple(outcome) if isinstance(outcome, Hold) else repr(outcome)


def _check_memory(batch: Batch, books: Books) -> None:
    """What the process remembers now is what the database has."""
    state = batch.state
    for wallet_id, wallet in state.wallets.items():
        assert [wallet.balance, wallet.reserved, wallet.debt] == books.accounts[wallet_id][3:]
        lots = {lot.id: _figures(lot) for lot in state.lots.get(wallet_id, ()) if lot.remaining}
        assert lots == {row[0]: [*row[4:9], row[14]] for row in books.lots_of(wallet_id)}
    for key, window in state.windows.items():
        assert [window.spent, window.reserved] == books.windows[key][2:]


def _figures(lot: Lot) -> list[int]:
    return [lot.remaining, lot.reserved, lot.consumed, lot.expired, lot.clawed_back, lot.accrued]


@pytest.mark.thorough
def test_differences_lead_where_deciding_anew_would() -> None:
    seen.clear()
    settings(max_examples=3_000, deadline=None)(
        given(
            st.sampled_from(["reseller_wallet", "reseller_wallet", "reseller_wallet", "reseller_accrual"]),
            st.sampled_from([80, 120, 300]),
            st.lists(grants, min_size=1, max_size=3),
            st.lists(holds, max_size=3),
            calls,
            st.lists(st.one_of(calls, calls, st.lists(moves, min_size=1, max_size=1)), min_size=1, max_size=3),
        )(check)
    )()
    assert seen["added"] > 200, seen
