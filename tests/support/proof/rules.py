"""The machine's rules: each concept is a mixin that puts operations into the queue; `Deliveries` sends the queue off.

To add a concept: what the second ledger does for it in `operations`, an action in `actions`, a mixin of rules here, and
its name in `machine.LedgerMachine`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.support.ledger import Shop
from tests.support.proof import actions as act
from tests.support.proof.actions import Action, Books, Call, Owner
from tests.support.proof.expected import expected
from tests.support.proof.model import DAY, NOBODY, Book, Hold, Outcome, Terms, charge
from tests.support.proof.world import World

SEATS = st.integers(0, 3)
KEYS = st.none() | st.sampled_from(["one", "two"])
USAGE = st.fixed_dictionaries(
    {}, optional={"input": st.integers(1, 90), "cached_input": st.integers(1, 40), "output": st.integers(1, 50)}
)
MODELS = st.sampled_from(["gpt-test", "claude-test"])
TERMS = st.builds(
    Terms,
    fixed=st.tuples(st.integers(0, 300_000), st.integers(0, 200_000)),
    each=st.tuples(st.integers(0, 9_000), st.integers(0, 6_000)),
    limit=st.integers(1, 40),
    choices=st.integers(1, 2),
    floor=st.none() | st.integers(1, 20),
)
START = 2 * DAY - 40
FAULTS = ("stumble", "stumble", "lose_answer", "lose_answer", "crash", "crash", "away", "lose_lease")


class Stage(RuleBasedStateMachine):
    """What all rules share: the real ledger, the second one, the clock, the queue and the calls so far."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.shops: list[Shop] = self.world.begin()
        self.books: Books = {shop.tenant_id: Book(sharing=self.shares_revenue(shop)) for shop in self.shops}
        self.calls: list[Call] = []
        self.queue: list[Action] = []
        self.most = 1
        """So many operations in the queue go off by themselves."""
        self.under_way = False
        """A delivery began and was not found right: what a failing step leaves behind."""

    def put(self, *actions: Action) -> None:
        """Into the queue; a full one goes off."""
        self.queue += actions
        if self.queue and len(self.queue) >= self.most:
            self.deliver(len(self.queue) % 2)

    def deliver(self, writer: int) -> None:
        """Send the queue off; see `Deliveries`."""
        raise NotImplementedError

    def shares_revenue(self, shop: Shop) -> bool:
        """Whether the operator collects this storefront's money."""
        return shop.reseller_wallet == self.share_of(shop)

    def share_of(self, shop: Shop) -> int:
        """The account of the storefront's revenue share, whether or not it is used."""
        return self.world.shares[shop.tenant_id]

    def owner(self, writer: int) -> Owner:
        """Whose holds this writer places now."""
        real = self.world.writers[writer]
        return real.owner, real.epoch

    def owners(self) -> set[Owner]:
        """Those that live."""
        return {self.owner(writer) for writer in range(2)}

    def by_tenant(self) -> dict[int, list[Shop]]:
        """Every customer's shop, by storefront."""
        return {tenant: [shop for shop in self.shops if shop.tenant_id == tenant] for tenant in self.books}

    def hold_of(self, call: Call) -> Hold | None:
        """The call's hold in the second ledger."""
        return self.books[call.shop.tenant_id].holds.get(call.name)


class Credit(Stage):
    """Grants of every kind, corrections, and expiry."""

    @initialize(
        credit=st.tuples(*[st.integers(0, 3_000)] * 4),
        wholesale=st.tuples(*[st.integers(0, 900)] * 4),
        most=st.integers(1, 8),
    )
    def begin(self, credit: tuple[int, ...], wholesale: tuple[int, ...], most: int) -> None:
        """A first day on which money came in, as a rule."""
        self.most = most
        self.queue += [
            act.Give(shop, amount, self.now, kind="topup", cash=self.cash(shop, "topup", amount, 2))
            for shop, amount in zip(self.shops, credit, strict=True)
            if amount
        ]
        self.queue += [
            act.Move(shop, amount, self.now) for shop, amount in zip(self.shops, wholesale, strict=True) if amount
        ]

    @rule(
        seat=SEATS,
        amount=st.integers(1, 1_500),
        life=st.none() | st.integers(1, 40),
        kind=st.sampled_from(["manual", "promo", "topup"]),
        priority=st.integers(0, 1),
        scopes=st.sampled_from([(), (), ("gpt-*",), ("claude-*",)]),
        key=KEYS,
        paid=st.integers(0, 3),
        daily=st.none() | st.none() | st.integers(1, 400),
    )
    def give(self, seat: int, amount: int, life: int | None, key: str | None, paid: int, **terms: Any) -> None:
        """Credit for a customer."""
        shop, ends = self.shops[seat], None if life is None else self.now + life
        cash = self.cash(shop, terms["kind"], amount, paid)
        self.put(act.Give(shop, amount, self.now, key, ends=ends, cash=cash, **terms))

    @rule(seat=SEATS, amount=st.integers(1, 700), key=KEYS)
    def take(self, seat: int, amount: int, key: str | None) -> None:
        """A correction downwards."""
        self.put(act.Take(self.shops[seat], amount, self.now, key))

    @rule(seat=SEATS)
    def expire(self, seat: int) -> None:
        """The sweep's visit."""
        self.put(act.Expire(self.shops[seat], self.now, self.share_of(self.shops[seat])))

    @rule(step=st.integers(1, 30))
    def wait(self, step: int) -> None:
        """Time passes."""
        self.now += step

    @rule()
    def sleep(self) -> None:
        """Time passes until the allowances of a new day."""
        self.now = (self.now // DAY + 1) * DAY

    def cash(self, shop: Shop, kind: str, amount: int, thirds: int) -> int:
        """What was paid for credit through the operator's account."""
        return amount * thirds // 3 if kind == "topup" and self.shares_revenue(shop) else 0


class Wholesale(Stage):
    """The reseller's prepaid wallet."""

    @rule(seat=SEATS, amount=st.integers(-600, 2_000).filter(bool), key=KEYS)
    def move(self, seat: int, amount: int, key: str | None) -> None:
        """Money in or out."""
        self.put(act.Move(self.shops[seat], amount, self.now, key))


class Calls(Stage):
    """Holds and how they end."""

    @rule(
        asked=st.lists(
            st.tuples(SEATS, TERMS, MODELS, st.sampled_from([None, None, 600, 3_000])), min_size=1, max_size=4
        )
    )
    def call(self, asked: list[tuple[int, Terms, str, int | None]]) -> None:
        """Calls whose cost is only bounded, and that may overdraw the reseller's wallet."""
        calls = [
            self.ask(seat, terms, model, key_limit=key_limit, overdraft=400 if terms.choices > 1 else 0)
            for seat, terms, model, key_limit in asked
        ]
        self.put(*calls)

    @rule(asked=st.lists(st.tuples(SEATS, USAGE, MODELS, st.integers(-3, 3)), min_size=1, max_size=4))
    def exact_call(self, asked: list[tuple[int, dict[str, int], str, int]]) -> None:
        """Calls whose hold is what they will cost, or a hair off."""
        calls = []
        for seat, used, model, spare in asked:
            retail, wholesale = (max(0, charge(level, used) + spare) * 1000 for level in ("retail", "wholesale"))
            calls.append(self.ask(seat, Terms((retail, wholesale), (0, 0), 10), model, planned=used))
        self.put(*calls)

    @precondition(lambda self: self.calls)
    @rule(ends=st.lists(st.tuples(st.integers(0, 30), USAGE), min_size=1, max_size=5), planned=st.booleans())
    def end(self, ends: list[tuple[int, dict[str, int]]], planned: bool) -> None:  # noqa: FBT001  # hypothesis passes it by name
        """Calls end by their own process: the latest under way, whether or not they were refused."""
        unresolved = [call for call in self.calls if (hold := self.hold_of(call)) is None or hold.state == "open"]
        chosen = [(unresolved[-1 - number % len(unresolved)], used) for number, used in ends if unresolved]
        self.put(
            *(
                act.End(call.shop, call, call.planned if planned and call.planned else used, self.now)
                for call, used in chosen
            )
        )

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 30), used=USAGE)
    def end_again(self, number: int, used: dict[str, int]) -> None:
        """Any call ends, perhaps once more and with other usage."""
        call = self.calls[-1 - number % len(self.calls)]
        self.put(act.End(call.shop, call, used, self.now))

    @rule(ends=st.lists(st.tuples(st.integers(0, 30), USAGE), min_size=1, max_size=4))
    def inherit(self, ends: list[tuple[int, dict[str, int]]]) -> None:
        """Calls of dead processes are settled in those processes' names."""
        held = [(call, hold) for call in self.calls if (hold := self.hold_of(call)) is not None]
        dead = [(call, hold) for call, hold in held if hold.state == "open" and hold.owner not in self.owners()]
        chosen = [(*dead[number % len(dead)], used) for number, used in ends if dead]
        self.put(*(act.End(call.shop, call, used, self.now, hold.owner) for call, hold, used in chosen))

    def ask(self, seat: int, terms: Terms, model: str, **options: Any) -> Call:
        """A call that is made now."""
        period = self.now // 50 * 50
        call = Call(self.shops[seat], terms, model, self.now, period=period, **options)
        self.calls.append(call)
        return call


class Deliveries(Stage):
    """The queue goes off as one batch, and something may go wrong on the way."""

    def stored(self) -> dict[int, dict[str, Any]]:
        """What the database holds, by tenant."""
        return {tenant: self.world.stored(shops[0]) for tenant, shops in self.by_tenant().items()}

    def expected(self, books: Books) -> dict[int, dict[str, Any]]:
        """What it has to hold."""
        return {tenant: expected(books[tenant], shops) for tenant, shops in self.by_tenant().items()}

    def judge(self) -> None:
        """Every figure is the second ledger's, and the audit finds the holds of dead processes, nothing else."""
        assert self.stored() == self.expected(self.books)
        self.world.clock = self.now
        holds = [hold for book in self.books.values() for hold in book.open_holds()]
        for shop in (self.shops[0], self.shops[2]):
            report = self.world.audit(shop)
            customers = {other.customer_id for other in self.by_tenant()[shop.tenant_id]}
            mine = [hold for hold in holds if hold.customer in customers]
            found = {(finding["code"], finding["ref"], finding["message"]) for finding in report.findings}
            dead = {hold.name for hold in mine if hold.owner not in {NOBODY, *self.owners()}}
            assert {(code, ref) for code, ref, _ in found} == {("hold_of_dead_owner", name) for name in dead}, found
            assert (report.open_holds, report.imbalance) == (len(mine), 0)
        self.under_way = False

    @precondition(lambda self: self.queue)
    @rule(writer=st.integers(0, 1))
    def deliver(self, writer: int) -> None:
        """All goes well."""
        queue = self._taken()
        answers = self.world.deliver(writer, [action.item() for action in queue])
        self._judge(answers, act.expect_all(self.books, queue, self.owner(writer)))

    @precondition(lambda self: self.queue)
    @rule(writer=st.integers(0, 1), how=st.sampled_from(FAULTS), number=st.integers(1, 11))
    def go_wrong(self, writer: int, how: str, number: int) -> None:
        """Something fails on the way."""
        getattr(self, f"_{how}")(writer, self._taken(), number)

    @precondition(lambda self: len(self.queue) > 1)
    @rule(data=st.data())
    def race(self, data: st.DataObject) -> None:
        """Two processes work at once: it is as if one had been first."""
        queue = self._taken()
        cut = data.draw(st.integers(1, len(queue) - 1))
        halves = queue[:cut], queue[cut:]
        answers = self.world.race(*([action.item() for action in half] for half in halves))
        orders = []
        for order in ((0, 1), (1, 0)):
            books = copy.deepcopy(self.books)
            expected = {half: act.expect_all(books, halves[half], self.owner(half)) for half in order}
            if (expected[0], expected[1]) == answers:
                orders.append(books)
        assert orders, f"no order of the two batches gives {answers}"
        stored = self.stored()
        self.books = next((books for books in orders if self.expected(books) == stored), orders[0])
        self.judge()

    def _stumble(self, writer: int, queue: Sequence[Action], number: int) -> None:
        """A statement fails once: the batch is tried again in halves."""
        answers = self.world.stumble(writer, [action.item() for action in queue], number)
        self._judge(answers, act.expect_all(self.books, queue, self.owner(writer)))

    def _lose_answer(self, writer: int, queue: Sequence[Action], _number: int) -> None:
        """The commit's answer is lost: the batch runs again and finds what it did."""
        owner = self.owner(writer)
        answers, lost = self.world.lose_answer(writer, [action.item() for action in queue])
        behind = max((place for place, is_lost in enumerate(lost, 1) if is_lost), default=0)
        expected = act.expect_all(self.books, queue[:behind], owner)
        for place, action in enumerate(queue[:behind]):
            if lost[place]:
                expected[place] = action.again(self.books, owner, expected[place])
        self._judge(answers, expected + act.expect_all(self.books, queue[behind:], owner))

    def _crash(self, writer: int, queue: Sequence[Action], number: int) -> None:
        """The process dies at the nth write, or between the commit and its answer."""
        owner = self.owner(writer)
        committed = self.world.crash(writer, [action.item() for action in queue], number)
        act.expect_all(self.books, queue[:committed], owner)
        self.judge()

    def _away(self, writer: int, queue: Sequence[Action], _number: int) -> None:
        """The database is away: nothing happens, and everyone is told."""
        answers = self.world.away(writer, [action.item() for action in queue])
        self._judge(answers, [("error", "Overloaded")] * len(queue))

    def _lose_lease(self, writer: int, queue: Sequence[Action], _number: int) -> None:
        """The process is taken for dead: its batch changes nothing, its holds are another's to resolve."""
        answers = self.world.lose_lease(writer, [action.item() for action in queue])
        self._judge(answers, [("error", "LostLease")] * len(queue))

    def _taken(self) -> list[Action]:
        queue, self.queue = self.queue, []
        self.under_way = True
        return queue

    def _judge(self, answers: list[Outcome], expected: list[Outcome]) -> None:
        assert answers == expected
        self.judge()
