"""The machine's rules for credit that comes by a code or goes back, and for payouts of revenue shares. See `rules`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.support.ledger import Shop
from tests.support.proof import return_actions as act
from tests.support.proof.actions import End, Give, Move, fresh
from tests.support.proof.model import NOBODY, Hold, Lot, Terms, Voucher, charge
from tests.support.proof.returns import DAY
from tests.support.proof.rules import SEATS, USAGE, Calls, Credit, Stage

NUMBERS = st.integers(0, 30)
SHARES = st.integers(0, 6)
"""Of something, in fifths: sometimes more than there is."""
AMOUNTS = st.lists(st.integers(1, 500), min_size=1, max_size=3)
SPARE = st.integers(-200, 50)
LIFE = st.none() | st.integers(1, 9)


class Vouchers(Stage):
    """Codes: as many win as there are to win, each at most once."""

    def __init__(self) -> None:
        super().__init__()
        self.vouchers: list[str] = []
        self.attempts: list[act.Redeem] = []

    @rule(
        seat=SEATS,
        worth=st.integers(1, 900),
        times=st.integers(1, 2),
        days=st.none() | st.just(1),
        life=st.none() | st.integers(1, 60),
        scopes=st.sampled_from([(), (), ("gpt-*",)]),
        takers=st.lists(SEATS, max_size=3),
    )
    def issue(self, seat: int, life: int | None, takers: list[int], **terms: Any) -> None:
        """A new code, and a run on it."""
        shop, name = self.shops[seat], fresh("vch")
        voucher = Voucher(ends=None if life is None else self.now + life, **terms)
        self.world.issue(shop, name, voucher, at=self.now)
        self.books[shop.tenant_id].vouchers[name] = voucher
        self.vouchers.append(name)
        # The storefront's other customer is the next seat, or the one before.
        self._redeem(name, [seat, seat ^ 1, *takers])

    @precondition(lambda self: self.vouchers)
    @rule(number=NUMBERS, seats=st.lists(SEATS, min_size=1, max_size=4))
    def redeem(self, number: int, seats: list[int]) -> None:
        """Several give one code, the same customer twice and those of another storefront among them."""
        self._redeem(self.vouchers[-1 - number % len(self.vouchers)], seats)

    def _redeem(self, name: str, seats: list[int]) -> None:
        shops = [self.shops[seat] for seat in seats]
        made = [act.Redeem(shop, self.share_of(shop), self.now, voucher=name) for shop in shops]
        self.attempts += made
        self.put(*made)

    @precondition(lambda self: self.attempts)
    @rule(number=NUMBERS)
    def redeem_again(self, number: int) -> None:
        """One attempt is made again, perhaps by a client that did not see the answer."""
        self.put(self.attempts[-1 - number % len(self.attempts)])

    @precondition(lambda self: self.vouchers)
    @rule(number=NUMBERS)
    def revoke(self, number: int) -> None:
        """A code is worth nothing any more."""
        name = self.vouchers[-1 - number % len(self.vouchers)]
        shop = next(shop for shop in self.shops if name in self.books[shop.tenant_id].vouchers)
        self.world.revoke(shop, name, at=self.now)
        self.books[shop.tenant_id].vouchers[name].revoked = True

    @rule()
    def sleep(self) -> None:
        """A day passes: what was to last for one has run out."""
        self.now += DAY


class Spending(Calls, Credit):
    """Credit that is given and spent at once, as what goes back must have been before."""

    def spend(
        self, seat: int, amounts: list[int], used: dict[str, int], spare: int, life: int | None
    ) -> tuple[str, list[str]]:
        """Lots of these amounts, a call that used so much and whose hold was `spare` off; the call and the lots."""
        shop, ends = self.shops[seat], None if life is None else self.now + life
        given = [
            Give(shop, amount, self.now, ends=ends, kind="topup", priority=-1, cash=self.cash(shop, "topup", amount, 2))
            for amount in amounts
        ]
        self.put(Move(shop, 2_000, self.now), *given)
        retail, wholesale = (max(0, charge(level, used) + spare) * 1000 for level in ("retail", "wholesale"))
        call = self.ask(seat, Terms((retail, wholesale), (0, 0), 10), "gpt-test")
        self.put(call)
        self.put(End(shop, call, used, self.now))
        if self.queue:
            self.deliver(0)
        return call.name, [one.lot for one in given]


class Reversals(Spending):
    """Charges that are given back, whole or in part."""

    def __init__(self) -> None:
        super().__init__()
        self.reversals: list[act.Reverse] = []

    @precondition(lambda self: self._charged())
    @rule(number=NUMBERS, fifths=SHARES)
    def reverse(self, number: int, fifths: int) -> None:
        """A charge goes back, perhaps one that went back before."""
        charged = self._charged()
        self._reverse(*charged[-1 - number % len(charged)], fifths)

    def _reverse(self, shop: Shop, name: str, fifths: int) -> None:
        facts = self.world.facts(shop, name)
        amount = max(1, min(facts.retail, facts.retail * fifths // 5))
        made = act.Reverse(shop, self.share_of(shop), self.now, call=name, facts=facts, amount=amount)
        self.reversals.append(made)
        self.put(made)

    @rule(seat=SEATS, amounts=AMOUNTS, used=USAGE, spare=SPARE, life=LIFE, fifths=SHARES)
    def spend_and_reverse(self, seat: int, fifths: int, **terms: Any) -> None:
        """A call on several lots, of which a part goes back, perhaps when they have run out."""
        name, _ = self.spend(seat, **terms)
        self.now += 5
        if self.books[self.shops[seat].tenant_id].charges.get(name, (0, 0, 0))[0]:
            self._reverse(self.shops[seat], name, fifths)

    @precondition(lambda self: self.reversals)
    @rule(number=NUMBERS)
    def reverse_again(self, number: int) -> None:
        """The same once more."""
        self.put(self.reversals[-1 - number % len(self.reversals)])

    def _charged(self) -> list[tuple[Shop, str]]:
        return [
            (call.shop, call.name)
            for call in self.calls
            if self.books[call.shop.tenant_id].charges.get(call.name, (0, 0, 0))[0]
        ]


class Refunds(Spending):
    """Refunds and chargebacks of any credit, and what is kept aside while one is pending."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[act.Answer] = []

    @precondition(lambda self: self._lots())
    @rule(number=NUMBERS, fifths=SHARES)
    def refund(self, number: int, fifths: int) -> None:
        """Refunds come to another part of the credit: more than before, or less."""
        shop, lot = self._lot(number)
        share = self.share_of(shop)
        self.put(act.Refund(shop, share, self.now, lot=lot.name, target=lot.given * fifths // 5))

    @rule(
        seat=SEATS,
        amounts=AMOUNTS,
        used=USAGE,
        spare=SPARE,
        life=LIFE,
        parts=st.lists(SHARES, min_size=1, max_size=3),
    )
    def spend_and_refund(self, seat: int, parts: list[int], **terms: Any) -> None:
        """Credit of which a part is spent is refunded, more and less of it, perhaps when it has run out."""
        _, lots = self.spend(seat, **terms)
        self.now += 5
        shop = self.shops[seat]
        for fifths in parts if lots[0] in self.books[shop.tenant_id].lots else ():
            target = self.books[shop.tenant_id].lots[lots[0]].given * fifths // 5
            self.put(act.Refund(shop, self.share_of(shop), self.now, lot=lots[0], target=target))

    @precondition(lambda self: self._lots())
    @rule(number=NUMBERS, fifths=st.integers(1, 6))
    def ask_refund(self, number: int, fifths: int) -> None:
        """A refund is asked for."""
        shop, lot = self._lot(number)
        amount = max(1, lot.given * fifths // 5)
        self.put(act.KeepAside(shop, self.share_of(shop), self.now, lot=lot.name, amount=amount))

    @precondition(lambda self: self.asked_refunds())
    @rule(number=NUMBERS, fifths=st.none() | SHARES)
    def answer_refund(self, number: int, fifths: int | None) -> None:
        """The provider answers one that is pending, or another time one that is not."""
        asked = self.asked_refunds()
        shop, hold = asked[-1 - number % len(asked)]
        lot = self.books[shop.tenant_id].lots[hold.parts[0][0]]
        made = self.answer(shop, hold, None if fifths is None else lot.given * fifths // 5)
        self.answers.append(made)
        self.put(made)

    @precondition(lambda self: self.answers)
    @rule(number=NUMBERS, seat=st.none() | SEATS)
    def answer_again(self, number: int, seat: int | None) -> None:
        """The same answer once more, or for somebody else's refund."""
        made = self.answers[-1 - number % len(self.answers)]
        if seat is not None:
            shop = self.shops[seat]
            made = replace(made, shop=shop, share=self.share_of(shop), name=fresh("txn_r"))
        self.put(made)

    def asked_refunds(self) -> list[tuple[Shop, Hold]]:
        """Every refund that was asked for, with whom it is about."""
        return [
            (shop, hold)
            for shop in self.shops
            for hold in self.books[shop.tenant_id].holds.values()
            if hold.owner == NOBODY and hold.customer == shop.customer_id
        ]

    def answer(self, shop: Shop, hold: Hold, target: int | None) -> act.Answer:
        """The provider's answer to a refund."""
        return act.Answer(shop, self.share_of(shop), self.now, refund=hold.name, lot=hold.parts[0][0], target=target)

    def _lots(self) -> list[tuple[Shop, Lot]]:
        return [(shop, lot) for shop in self.shops for lot in self.books[shop.tenant_id].lots_of(shop.customer_id)]

    def _lot(self, number: int) -> tuple[Shop, Lot]:
        lots = self._lots()
        return lots[number % len(lots)]


class Payouts(Stage):
    """Money that a reseller asks for and gets, once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Shop, str, int]] = []

    @rule(seat=st.integers(2, 3), amount=st.integers(1, 900))
    def ask_payout(self, seat: int, amount: int) -> None:
        """The reseller asks."""
        shop, name = self.shops[seat], fresh("payout")
        self.world.ask_payout(shop, name, amount, at=self.now)
        self.books[shop.tenant_id].payouts[name] = "requested"
        self.asked.append((shop, name, amount))

    @precondition(lambda self: self.asked)
    @rule(numbers=st.lists(NUMBERS, min_size=1, max_size=2))
    def approve(self, numbers: list[int]) -> None:
        """Somebody approves, perhaps twice."""
        chosen = [self.asked[-1 - number % len(self.asked)] for number in numbers]
        self.put(*(act.Approve(shop, name, amount, self.now) for shop, name, amount in chosen))
