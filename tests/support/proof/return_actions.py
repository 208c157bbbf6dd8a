"""More operations as values: vouchers, reversals, refunds and payouts. See `actions`."""

from __future__ import annotations

from dataclasses import dataclass, field

from reseller_kit.core.ledger import (
    CallReversal,
    Clawback,
    Redemption,
    RefundRequest,
    WholesaleMove,
    call_txn_id,
    charged_parts,
)
from reseller_kit.db.calls import CallFacts
from reseller_kit.db.ledger import ClawBack, HoldRefund, Item, PayOut, RedeemVoucher, ResolveRefund, ReverseCall
from tests.support.ledger import Shop
from tests.support.proof import returns
from tests.support.proof.actions import Books, Owner, fresh
from tests.support.proof.model import Book, Outcome


@dataclass(frozen=True)
class _Return:
    """What is about one customer's credit. `share`: the account to which its cash goes."""

    shop: Shop
    share: int
    now: int
    name: str = field(default_factory=lambda: fresh("txn_r"))
    new_lot: str = field(default_factory=lambda: fresh("lot"))

    def expect(self, books: Books, actor: Owner) -> Outcome:
        book = books[self.shop.tenant_id]
        return returns.accruing(book, self.shop.customer_id, lambda: self.work(book))

    def again(self, books: Books, actor: Owner, first: Outcome) -> Outcome:
        return self.expect(books, actor)

    def work(self, book: Book) -> Outcome:
        raise NotImplementedError

    def clawback(self, lot: str, target: int) -> Clawback:
        """What the real ledger is asked of a lot."""
        shop = self.shop
        return Clawback(
            txn_id=self.name,
            tenant_id=shop.tenant_id,
            wallet_id=shop.wallet_id,
            lot_id=lot,
            target=target,
            at=self.now,
            new_lot_id=self.new_lot,
            share_id=self.share,
        )


@dataclass(frozen=True, kw_only=True)
class Redeem(_Return):
    """A customer gives a code."""

    voucher: str

    def item(self) -> Item:
        shop = self.shop
        request = Redemption(
            voucher_id=self.voucher,
            customer_id=shop.customer_id,
            tenant_id=shop.tenant_id,
            wallet_id=shop.wallet_id,
            lot_id=self.new_lot,
            txn_id=self.name,
            at=self.now,
        )
        return RedeemVoucher(request)

    def work(self, book: Book) -> Outcome:
        return returns.redeem(book, self.voucher, self.shop.customer_id, self.new_lot, now=self.now)


@dataclass(frozen=True, kw_only=True)
class Reverse(_Return):
    """A charge is given back. `facts` are the call's, as the product keeps them."""

    call: str
    facts: CallFacts
    amount: int

    def item(self) -> Item:
        facts = self.facts
        request = CallReversal(
            request_id=self.call,
            txn_id=self.name,
            reverses=call_txn_id(self.call),
            tenant_id=self.shop.tenant_id,
            wallet_id=facts.wallet_id,
            amount=self.amount,
            charge=facts.retail,
            parts=tuple(charged_parts(facts.allocations, facts.overage or (), facts.retail)),
            entries=facts.entries,
            at=self.now,
            new_lot_id=self.new_lot,
        )
        return ReverseCall(request)

    def work(self, book: Book) -> Outcome:
        return returns.reverse(
            book, self.call, self.name, self.shop.customer_id, self.amount, self.new_lot, now=self.now
        )


@dataclass(frozen=True, kw_only=True)
class Refund(_Return):
    """Refunds of a lot's payment come to `target` of it in all."""

    lot: str
    target: int

    def again(self, books: Books, actor: Owner, first: Outcome) -> Outcome:
        """Another one of the same lot may have come behind it: what is done is not done again."""
        if first[0] != "posted":
            return self.expect(books, actor)
        return ("posted", self.name, 0, books[self.shop.tenant_id].balance(self.shop.customer_id))

    def item(self) -> Item:
        return ClawBack(self.clawback(self.lot, self.target))

    def work(self, book: Book) -> Outcome:
        return returns.claw(book, self.lot, self.shop.customer_id, self.name, self.target, self.new_lot, now=self.now)


@dataclass(frozen=True, kw_only=True)
class KeepAside(_Return):
    """A refund is asked for."""

    lot: str
    amount: int
    refund: str = field(default_factory=lambda: fresh("rfd"))

    def item(self) -> Item:
        shop = self.shop
        request = RefundRequest(
            refund_id=self.refund,
            tenant_id=shop.tenant_id,
            customer_id=shop.customer_id,
            wallet_id=shop.wallet_id,
            reseller_wallet_id=shop.reseller_wallet,
            lot_id=self.lot,
            amount=self.amount,
            at=self.now,
        )
        return HoldRefund(request)

    def work(self, book: Book) -> Outcome:
        return returns.keep_aside(book, self.refund, self.shop.customer_id, self.lot, self.amount, now=self.now)


@dataclass(frozen=True, kw_only=True)
class Answer(_Return):
    """The provider's answer to a refund that was asked for; `target` None refuses it."""

    refund: str
    lot: str
    target: int | None

    def item(self) -> Item:
        return ResolveRefund(self.refund, self.clawback(self.lot, self.target or 0), self.target is not None)

    def work(self, book: Book) -> Outcome:
        return returns.answer(
            book, self.refund, self.shop.customer_id, self.name, self.target, self.new_lot, now=self.now
        )


@dataclass(frozen=True)
class Approve:
    """A payout that was asked for is approved."""

    shop: Shop
    payout: str
    amount: int
    now: int
    name: str = field(default_factory=lambda: fresh("txn_p"))

    def item(self) -> Item:
        shop = self.shop
        body = WholesaleMove(
            txn_id=self.name,
            tenant_id=shop.tenant_id,
            wallet_id=shop.reseller_wallet,
            amount=-self.amount,
            at=self.now,
            ref=self.payout,
            code="payout",
            sink="payouts",
        )
        return PayOut(body)

    def expect(self, books: Books, actor: Owner) -> Outcome:
        return returns.pay_out(books[self.shop.tenant_id], self.payout, self.name, self.amount)

    def again(self, books: Books, actor: Owner, first: Outcome) -> Outcome:
        return first if first[0] == "posted" else self.expect(books, actor)
