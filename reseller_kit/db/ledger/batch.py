"""One group commit, decided: loaded rows and items in, outcomes and rows to write out. Talks to no database.

Both backends drive it the same way: lock and read what `needs` names, hand the rows to `load`, call `decide`, write
what the row lists hold, commit. Items are decided in arrival order on shared state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import astuple, replace

from ...core.errors import KitError, LedgerFault
from ...core.ledger import (
    Floors,
    Hold,
    HoldRefused,
    Posting,
    Txn,
    accrual,
    capture,
    expire_lots,
    grant,
    move_wholesale,
    overage_parts,
    place_hold,
    take_back,
    void,
)
from .cold import ClawBack, Cold, ColdItem
from .demands import require_present, require_same_call
from .idempotency import remember, replay
from .items import (
    AccrueCash,
    Checkpoint,
    ExpireLots,
    GrantCredit,
    Item,
    Outcome,
    PayOut,
    PlaceHold,
    Posted,
    Settle,
    Settled,
    TakeCredit,
)
from .memory import Memory, Version
from .needs import Movement, Needs, body_of, needs_of
from .rows import Row, hold_row
from .state import Loaded, State

_CALLS: Final = frozenset({PlaceHold, Settle, Checkpoint})


class Batch:
    """Items that share one transaction. After `decide`, `outcomes` has one answer or exception an item.

    `again`: these items were run before and the answer was lost, so each may be carried out already.
    `settled_from` is set by the store, under the lease's lock: no settle is stamped before it. `floors` says what was
    decided depends on, where the store has asked for it by putting one there.
    """

    def __init__(self, items: Sequence[Item], *, owner: str, epoch: int, now: int, again: bool = False) -> None:
        self.items = items
        self.again = again
        self.owner, self.epoch, self._now = owner, epoch, now
        self._calls_only = _CALLS.issuperset(map(type, items))
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was loaded and decided, of which nothing is written: the items are to be decided once more."""
        self.outcomes: list[Outcome | Exception] = []
        self.hold_inserts: list[Row] = []
        self.hold_updates: list[Row] = []
        self.checkpoints: dict[tuple[str, int], str] = {}
        self.txns: list[Txn] = []
        self.usage: list[Row] = []
        self.operations: list[Row] = []
        self.cold = Cold()
        self.payouts: list[Row] = []
        self.settled_from = 0
        self.floors: Floors | None = None
        self.state = State()
        self._known: dict[tuple[int, str, str], tuple[str, bytes | str]] = {}
        self._posted: dict[str, int] = {}

    def needs(self, memory: Memory) -> Needs:
        """What to lock and read for these items, but for the holds that are remembered."""
        needs = needs_of(self.items, again=self.again)
        return replace(needs, holds=self.state.recall_holds(memory, needs.holds, (self.owner, self.epoch)))

    def remembered(self, memory: Memory, needs: Needs) -> tuple[dict[int, Version], list[int]] | None:
        """The versions of its wallets and key windows if it is calls that are remembered all the way; else None."""
        unknown = needs.holds or needs.operations or needs.txns or needs.lots or needs.cold
        if unknown or self.again or not self.owner or not self._calls_only:
            return None
        wallets, windows = memory.versions(needs.wallets), memory.window_versions(needs.windows)
        return None if wallets is None or windows is None else (wallets, windows)

    def recall_all(self, memory: Memory, needs: Needs, versions: Mapping[int, Version]) -> None:
        """Take over all that is `remembered`."""
        self.state.recall_windows(memory, needs.windows)
        self.recall(memory, versions)

    def recall(self, memory: Memory, versions: Mapping[int, Version]) -> list[int]:
        """Take over the wallets that are remembered at these versions; those that are not.

        Only calls are decided from memory. What else moves money changes lots in ways that are not followed there.
        """
        if self._calls_only:
            return self.state.recall_wallets(memory, versions)
        memory.forget_wallets()
        return list(versions)

    def load(self, rows: Loaded) -> None:
        """Take over the rows that were read under the locks."""
        self.state.load(rows)
        for tenant_id, operation, key, request_hash, outcome in rows.operations:
            self._known[tenant_id, operation, key] = (request_hash, outcome)
        self._posted.update(rows.txns)  # type: ignore[arg-type]
        if rows.cold is not None:
            self.cold.load(rows.cold)
            self.state.load_named(rows.cold.lots)

    def decide(self) -> None:
        """Decide every item. A KitError is that item's outcome; any other exception is the batch's failure."""
        self._settled_at = (max(self._now, self.settled_from),)
        for item in self.items:
            try:
                outcome: Outcome | Exception = self._decide(item)
            except KitError as error:
                outcome = error
            self.outcomes.append(outcome)

    def keep(self, memory: Memory, written: int | None = None) -> None:
        """Let the process remember what is committed now, and let go of the rows.

        `written`: the version of what was written, if new.
        """
        self.state.keep_holds(memory, (self.owner, self.epoch))
        if self._calls_only:
            self.state.keep_wallets(memory, written)
        if written is not None:
            self.state.keep_windows(memory, written)
        self.state = State()
        self.hold_inserts, self.hold_updates, self.txns, self.usage = [], [], [], []

    def window_upserts(self) -> list[Row]:
        """(key_id, started_at, tenant_id, spent, reserved) of each key window that is new or changed."""
        changed = self.state.changed_windows()
        tenants = self.key_tenants() if changed else {}
        return [(w.key_id, w.started_at, tenants[w.key_id], w.spent, w.reserved) for w in changed]

    def key_tenants(self) -> dict[str, int]:
        """Whose the keys are that call."""
        tenants = {item.request.key_id: item.request.tenant_id for item in self.items if isinstance(item, PlaceHold)}
        return tenants | {item.usage.key_id: item.usage.tenant_id for item in self.items if isinstance(item, Settle)}

    def checkpoint_rows(self) -> list[Row]:
        """(checkpoint, request_id, tenant_id), the last of each call."""
        return [(checkpoint, *call) for call, checkpoint in self.checkpoints.items()]

    def txn_rows(self) -> list[Row]:
        """(id, tenant_id, wallet_id, code, ref, balance_after, reverses, created_at)."""
        return [(x.id, x.tenant_id, x.wallet_id, x.code, x.ref, x.balance_after, x.reverses, x.at) for x in self.txns]

    def entry_rows(self, sinks: Mapping[tuple[int, str], int]) -> list[Row]:
        """(txn_id, line, tenant_id, account_id, amount); `sinks` finds the accounts that are no wallets."""
        rows: list[Row] = []
        for txn in self.txns:
            txn_id, tenant_id = txn.id, txn.tenant_id
            for line, entry in enumerate(txn.entries):
                account_id = entry.wallet_id
                if account_id is None:
                    account_id = sinks[tenant_id, entry.account]
                rows.append((txn_id, line, tenant_id, account_id, entry.amount))
        return rows

    @property
    def settles(self) -> bool:
        """Whether any item may write a usage record."""
        return any(isinstance(item, Settle) for item in self.items)

    @property
    def touches_a_hold_twice(self) -> bool:
        """Whether it resolves a hold that it also makes or notes a checkpoint of."""
        resolved = {row[2] for row in self.hold_updates}
        return any(row[0] in resolved for row in self.hold_inserts) or any(
            request_id in resolved for request_id, _ in self.checkpoints
        )

    def _decide(self, item: Item) -> Outcome:
        if isinstance(item, PlaceHold):
            return self._place(item)
        if isinstance(item, Settle):
            return self._settle(item)
        if isinstance(item, Checkpoint):
            self.checkpoints[item.request_id, item.tenant_id] = item.checkpoint
            return None
        if isinstance(item, ExpireLots):
            return self._expire(item)
        if isinstance(item, AccrueCash):
            return self._accrue(item)
        if isinstance(item, Movement):
            return self._post_once(item)
        return self._decide_cold(item)

    def _place(self, item: PlaceHold) -> Hold | HoldRefused:
        request = item.request
        if self.again and request.request_id in self.state.holds:
            return self._placed_before(item)
        wallet = self.state.wallet(request.wallet_id, request.tenant_id)
        reseller = self.state.wallet(request.reseller_wallet_id, request.tenant_id)
        window = None
        if request.key_limit is not None:
            window = self.state.window((request.key_id, request.window_started_at))
            window.limit = request.key_limit
        lots = self.state.lots.get(wallet.id, [])
        hold = place_hold(request, wallet, lots, reseller, window)
        if self.floors is not None:
            self.floors.note_hold(request, hold, wallet, lots, reseller, window)
        if isinstance(hold, Hold):
            hold.epoch = self.epoch
            self.hold_inserts.append(hold_row(hold, self.owner, self.epoch, item.call))
            self.state.holds[hold.request_id] = (hold, self.owner, self.epoch)
        return hold

    def _placed_before(self, item: PlaceHold) -> Hold:
        request = item.request
        hold, owner, epoch = self.state.holds[request.request_id]
        if (hold.state, owner, epoch) != ("open", self.owner, self.epoch):
            raise LedgerFault(f"{request.request_id}: the hold is {hold.state} or of another process")
        hold.retail_version, hold.wholesale_version = request.retail_version, request.wholesale_version
        hold.epoch = epoch
        return hold

    def _settle(self, item: Settle) -> Settled:
        charge = item.capture
        found = self.state.holds.get(charge.request_id)
        if found is None:
            raise LedgerFault(f"{charge.request_id}: there is no hold")
        hold, owner, epoch = found
        if hold.state != "open":
            return Settled(hold.state, repeated=True)
        if (owner, epoch) != ((self.owner, self.epoch) if item.owner is None else (item.owner, item.epoch)):
            raise LedgerFault(f"{charge.request_id}: the hold belongs to another process")
        require_same_call(item, hold)
        wallet = self.state.wallet(item.wallet_id, hold.tenant_id)
        reseller = self.state.wallet(item.reseller_wallet_id, hold.tenant_id)
        lots = self.state.lots.get(wallet.id, [])
        window = None if item.window is None else self.state.window(item.window)
        consumed = {lot.id: lot.consumed for lot in lots} if charge.retail > hold.retail else None
        if self.floors is not None:
            self.floors.note_end(charge, hold, wallet, lots, reseller)
        if charge.retail or charge.wholesale or charge.cost:
            posting = capture(charge, hold, wallet, lots, reseller, window)
        else:
            posting = void(hold, wallet, lots, reseller, window, at=charge.at, state=item.final_state)
        self._post(posting)
        if consumed is not None:
            self.cold.note_overage(hold, overage_parts(hold, charge.retail, consumed, lots, charge.at))
        self.hold_updates.append((hold.state, hold.resolved_at, hold.request_id, hold.tenant_id))
        self.usage.append(astuple(item.usage) + self._settled_at)
        return Settled(hold.state)

    def _expire(self, item: ExpireLots) -> Posted:
        wallet = self.state.wallet(item.wallet_id, item.tenant_id)
        before = wallet.balance
        lots = self.state.lots.get(wallet.id, [])
        share = None if item.share_id is None else self.state.share(item.share_id, item.tenant_id)
        prefix = f"{item.txn_id}_"
        self._post(expire_lots(wallet, lots, share, txn_prefix=prefix, tenant_id=item.tenant_id, at=item.at))
        return Posted(item.txn_id, wallet.balance - before, wallet.balance)

    def _decide_cold(self, item: ColdItem) -> Posted:
        request = item.request
        require_present(request.txn_id, request.at, self._now)
        wallet = self.state.wallet(request.wallet_id, request.tenant_id)
        if isinstance(item, ClawBack) and item.request.lot_id in self._clawed_before():
            return Posted(request.txn_id, 0, wallet.balance)
        holds = {request_id: hold for request_id, (hold, _, _) in self.state.holds.items()}
        decided = self.cold.decide(item, wallet, self.state.lots.get(wallet.id, []), self.state.wallets, holds)
        self._post(decided.posting)
        if decided.placed is not None:
            hold = decided.placed
            self.hold_inserts.append(hold_row(hold, "", 0, None, kind="refund"))
            self.state.holds[hold.request_id] = (hold, "", 0)
        if decided.resolved is not None:
            hold = decided.resolved
            self.hold_updates.append((hold.state, hold.resolved_at, hold.request_id, hold.tenant_id))
        return Posted(decided.id, decided.amount, wallet.balance)

    def _clawed_before(self) -> set[str]:
        """The lots whose refunds the batch, which is run again, had committed the first time, all of them or none."""
        refunds = [item.request for item in self.items if isinstance(item, ClawBack)] if self._posted else ()
        return {request.lot_id for request in refunds if request.txn_id in self._posted}

    def _accrue(self, item: AccrueCash) -> Posted:
        share = self.state.share(item.share_id, item.tenant_id)
        before = share.balance
        lots = self.state.lots.get(self.state.wallet(item.wallet_id, item.tenant_id).id, [])
        txns = accrual(share, lots, txn_id=item.txn_id, ref=f"wallet {item.wallet_id}", at=item.at)
        self._post(Posting(txns=txns, lots=[]))
        return Posted(item.txn_id, share.balance - before, share.balance)

    def _post_once(self, item: Movement) -> Outcome:
        body = body_of(item)
        once = item.once
        if once is None:
            return self._apply(item)
        known = self._known.get((body.tenant_id, once.operation, once.key))
        if known is not None:
            return replay(once, *known)
        outcome = self._apply(item)
        stored = remember(outcome)
        self._known[body.tenant_id, once.operation, once.key] = (once.request_hash, stored)
        self.operations.append((body.tenant_id, once.operation, once.key, once.request_hash, stored, self._now))
        return outcome

    def _apply(self, item: Movement) -> Posted | HoldRefused:
        body = body_of(item)
        wallet = self.state.wallet(body.wallet_id, body.tenant_id)
        shown = item.grant.lot_id if isinstance(item, GrantCredit) else body.txn_id
        if body.txn_id in self._posted:
            return Posted(shown, body.amount, self._posted[body.txn_id])
        require_present(body.txn_id, body.at, self._now)
        if isinstance(item, GrantCredit):
            share_id = item.grant.accrual_id
            share = None if share_id is None else self.state.share(share_id, body.tenant_id)
            posting: Posting | HoldRefused = grant(item.grant, wallet, share)
        elif isinstance(item, TakeCredit):
            posting = take_back(item.take, wallet, self.state.lots.get(wallet.id, []))
        else:
            posting = move_wholesale(item.move, wallet)
        if isinstance(posting, HoldRefused):
            return posting
        self._post(posting)
        if isinstance(item, PayOut):
            self.payouts.append(("approved", body.at, body.txn_id, body.ref, body.tenant_id, -body.amount))
        return Posted(shown, body.amount, wallet.balance)

    def _post(self, posting: Posting) -> None:
        self.txns += posting.txns
        self.state.add_lots(posting.lots)
