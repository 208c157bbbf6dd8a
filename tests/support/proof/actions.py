"""Operations as values: each knows what to ask of the real ledger and what the second one does for it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from reseller_kit.core.ledger import (
    Capture,
    Grant,
    HoldRequest,
    HoldTerms,
    TakeBack,
    WholesaleMove,
)
from reseller_kit.db.ledger import (
    ExpireLots,
    GrantCredit,
    Idempotency,
    Item,
    MoveWholesale,
    PlaceHold,
    Settle,
    TakeCredit,
)
from tests.support.ledger import Shop, usage_row
from tests.support.proof import operations as second
from tests.support.proof import returns
from tests.support.proof.model import LEVELS, Book, Lot, Outcome, Terms, charge

Books = dict[int, Book]
"""By tenant."""
Owner = tuple[str, int]
_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    """An id that no other operation of this run has; later ones sort after earlier ones."""
    return f"{prefix}_{next(_numbers):08}"


class Action(Protocol):
    """One operation for both ledgers."""

    @property
    def shop(self) -> Shop:
        """Whose wallets it is about."""

    def item(self) -> Item:
        """What the real ledger is asked."""

    def expect(self, books: Books, actor: Owner) -> Outcome:
        """Do it in the second ledger, in the name of `actor`; the answer."""

    def again(self, books: Books, actor: Owner, first: Outcome) -> Outcome:
        """The answer when the ledger runs it again because its first answer, `first`, was lost after the commit."""


@dataclass(frozen=True)
class Call:
    """A call that asks for its hold."""

    shop: Shop
    terms: Terms
    model: str
    now: int
    key_limit: int | None = None
    period: int = 0
    overdraft: int = 0
    planned: dict[str, int] = field(default_factory=dict)
    name: str = field(default_factory=lambda: fresh("req"))

    @property
    def window(self) -> tuple[str, int] | None:
        """The key's period that it counts in."""
        return None if self.key_limit is None else (self.shop.key_id, self.period)

    def item(self) -> PlaceHold:
        terms, shop = self.terms, self.shop
        request = HoldRequest(
            request_id=self.name,
            tenant_id=shop.tenant_id,
            customer_id=shop.customer_id,
            wallet_id=shop.wallet_id,
            reseller_wallet_id=shop.reseller_wallet,
            key_id=shop.key_id,
            key_limit=self.key_limit,
            window_started_at=-1 if self.key_limit is None else self.period,
            overdraft=self.overdraft,
            model=self.model,
            retail_version=shop.retail,
            wholesale_version=shop.wholesale,
            terms=HoldTerms(
                retail_fixed=terms.fixed[0],
                retail_per_output=terms.each[0],
                wholesale_fixed=terms.fixed[1],
                wholesale_per_output=terms.each[1],
                output_limit=terms.limit,
                choices=terms.choices,
                shrink_to=terms.floor,
            ),
            created_at=self.now,
        )
        return PlaceHold(request, "{}")

    def expect(self, books: Books, actor: Owner) -> Outcome:
        return second.place(
            books[self.shop.tenant_id],
            self.name,
            self.shop.customer_id,
            terms=self.terms,
            model=self.model,
            window=self.window,
            key_limit=self.key_limit,
            overdraft=self.overdraft,
            owner=actor,
            now=self.now,
        )

    def again(self, books: Books, actor: Owner, first: Outcome) -> Outcome:
        if first[0] != "held":
            return self.expect(books, actor)
        is_open = books[self.shop.tenant_id].holds[self.name].state == "open"
        return first if is_open else second.FAULT


@dataclass(frozen=True)
class End:
    """The end of a call. `owner`: whose hold it is, where another process settles it."""

    shop: Shop
    call: Call
    used: dict[str, int]
    now: int
    owner: Owner | None = None

    def item(self) -> Settle:
        shop = self.shop
        retail, wholesale, cost = (charge(level, self.used) for level in LEVELS)
        row = replace(
            usage_row(shop, self.call.name, {}),
            model=self.call.model,
            public_model=self.call.model,
            quantities=json.dumps(self.used),
            retail_nano=retail,
            wholesale_nano=wholesale,
            cost_nano=cost,
            created_at=self.call.now,
        )
        return Settle(
            capture=Capture(request_id=self.call.name, retail=retail, wholesale=wholesale, cost=cost, at=self.now),
            usage=row,
            wallet_id=shop.wallet_id,
            reseller_wallet_id=shop.reseller_wallet,
            window=self.call.window,
            final_state="voided" if self.owner is None else "expired",
            owner=None if self.owner is None else self.owner[0],
            epoch=0 if self.owner is None else self.owner[1],
        )

    def expect(self, books: Books, actor: Owner) -> Outcome:
        book = books[self.shop.tenant_id]
        work = partial(
            second.settle,
            book,
            self.call.name,
            self.used,
            by=self.owner or actor,
            now=self.now,
            nothing="voided" if self.owner is None else "expired",
        )
        return returns.accruing(book, self.shop.customer_id, work)

    def again(self, books: Books, actor: Owner, first: Outcome) -> Outcome:
        return self.expect(books, actor)


@dataclass(frozen=True)
class _Posting:
    """A movement of money that may bear an idempotency key. `body` is what the key stands for."""

    shop: Shop
    amount: int
    now: int
    key: str | None = None
    name: str = field(default_factory=lambda: fresh("txn_p"))

    operation = ""

    @property
    def body(self) -> Any:
        return (self.shop.wallet_id, self.amount)

    def idempotency(self) -> Idempotency | None:
        return None if self.key is None else Idempotency(self.operation, self.key, repr(self.body))

    def expect(self, books: Books, actor: Owner) -> Outcome:
        book = books[self.shop.tenant_id]
        if self.key is None:
            return self.work(book)
        return second.once(book, self.operation, self.key, self.body, lambda: self.work(book))

    def again(self, books: Books, actor: Owner, first: Outcome) -> Outcome:
        return first if first[0] == "posted" else self.expect(books, actor)

    def work(self, book: Book) -> Outcome:
        raise NotImplementedError


@dataclass(frozen=True)
class Give(_Posting):
    """A grant: one lot."""

    kind: str = "manual"
    priority: int = 0
    ends: int | None = None
    scopes: tuple[str, ...] = ()
    daily: int | None = None
    cash: int = 0
    """What was paid for it; only where the reseller's account is a revenue share."""
    lot: str = field(default_factory=lambda: fresh("lot"))

    operation = "grant"

    def item(self) -> GrantCredit:
        grant = Grant(
            lot_id=self.lot,
            txn_id=self.name,
            tenant_id=self.shop.tenant_id,
            wallet_id=self.shop.wallet_id,
            kind=self.kind,
            amount=self.amount,
            at=self.now,
            priority=self.priority,
            expires_at=self.ends,
            models=self.scopes,
            cash=self.cash,
            daily=self.daily,
            accrual_id=self.shop.reseller_wallet if self.cash else None,
        )
        return GrantCredit(grant, self.idempotency())

    def work(self, book: Book) -> Outcome:
        lot = Lot(
            name=self.lot,
            customer=self.shop.customer_id,
            kind=self.kind,
            given=self.amount,
            priority=self.priority,
            ends=self.ends,
            scopes=self.scopes,
            born=self.now,
            cash=self.cash,
            daily=self.daily,
        )
        return returns.accruing(book, lot.customer, lambda: second.give(book, lot, now=self.now))


@dataclass(frozen=True)
class Take(_Posting):
    """A correction downwards."""

    operation = "adjust"

    def item(self) -> TakeCredit:
        shop = self.shop
        body = TakeBack(
            txn_id=self.name, tenant_id=shop.tenant_id, wallet_id=shop.wallet_id, amount=self.amount, at=self.now
        )
        return TakeCredit(body, self.idempotency())

    def work(self, book: Book) -> Outcome:
        return second.take(book, self.name, self.shop.customer_id, self.amount, now=self.now)


@dataclass(frozen=True)
class Move(_Posting):
    """Money into or out of the reseller's wallet."""

    operation = "deposit"

    @property
    def body(self) -> Any:
        return (self.shop.reseller_wallet, self.amount)

    def item(self) -> MoveWholesale:
        shop = self.shop
        body = WholesaleMove(
            txn_id=self.name, tenant_id=shop.tenant_id, wallet_id=shop.reseller_wallet, amount=self.amount, at=self.now
        )
        return MoveWholesale(body, self.idempotency())

    def work(self, book: Book) -> Outcome:
        return second.move(book, self.name, self.amount)


@dataclass(frozen=True)
class Expire:
    """The sweep's visit to one wallet."""

    shop: Shop
    now: int
    share: int
    name: str = field(default_factory=lambda: fresh("txn_x"))

    def item(self) -> ExpireLots:
        return ExpireLots(self.name, self.shop.tenant_id, self.shop.wallet_id, self.now, self.share)

    def expect(self, books: Books, actor: Owner) -> Outcome:
        book, customer = books[self.shop.tenant_id], self.shop.customer_id
        return returns.accruing(book, customer, lambda: second.expire(book, self.name, customer, now=self.now))

    def again(self, books: Books, actor: Owner, first: Outcome) -> Outcome:
        return self.expect(books, actor)


def expect_all(books: Books, actions: Sequence[Action], actor: Owner) -> list[Outcome]:
    """Do them in order; the answers."""
    return [action.expect(books, actor) for action in actions]
