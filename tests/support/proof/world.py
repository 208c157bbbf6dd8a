"""The real ledger under proof: two writers on one database, batches that go wrong on purpose, and what is stored.

Asserts nothing; `machine` compares it with the second ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.db import accounts, leases, payouts, vouchers
from reseller_kit.db import tables as t
from reseller_kit.db.calls import CallFacts, find_call
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.db.ledger import Item, LedgerWriter, Posted, Settled, new_owner, open_writer, postgres, sqlite
from reseller_kit.db.ledger.batch import Batch
from reseller_kit.db.ledger.store import OutcomeUnknown
from reseller_kit.db.vouchers import VoucherRow
from reseller_kit.flows.audit import AuditReport, audit
from tests.support.databases import Databases
from tests.support.ledger import Shop, add_customer, make_shop
from tests.support.proof.model import Outcome, Voucher
from tests.support.proof.prices import publish
from tests.support.proof.stored import stored

T = TypeVar("T")
Run = Callable[[], Awaitable[None]]
EXAMPLES_OF_A_DATABASE = 25
FAR_FUTURE = 1 << 60


class Crashed(BaseException):
    """The process died here: nothing of it runs on."""


class World:
    """A database that is made anew now and then, with storefronts of an example's own and two ledger writers."""

    def __init__(self, databases: Databases, backend: str) -> None:
        self._databases, self._backend = databases, backend
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._examples = 0
        self.clock = 0
        """What the machine takes for now; the audit must think so too."""
        self.db: Database
        self.writers: list[LedgerWriter] = []
        self.shares: dict[int, int] = {}
        """The account of each storefront's revenue share."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        """Let go of everything."""
        self.run(self._stack.aclose())
        self._loop.close()

    def begin(self) -> list[Shop]:
        """Two customers of a prepaid storefront and two of one that shares revenue, none with any money."""
        return self.run(self._begin())

    def deliver(self, writer: int, items: Sequence[Item]) -> list[Outcome]:
        """Submit all at once to one writer; the answers."""
        return self.run(_answers(self.writers[writer], items))

    def race(self, first: Sequence[Item], second: Sequence[Item]) -> tuple[list[Outcome], list[Outcome]]:
        """Submit to both writers at the same time."""

        async def both() -> tuple[list[Outcome], list[Outcome]]:
            one, other = await asyncio.gather(_answers(self.writers[0], first), _answers(self.writers[1], second))
            return one, other

        return self.run(both())

    def lose_answer(self, writer: int, items: Sequence[Item]) -> tuple[list[Outcome], list[bool]]:
        """The batch is committed, the answer is lost, and the writer finds out by itself: answers, and which were lost.

        Those are all, or a part of a batch that the database refused: the first that it took.
        """
        lost: list[int] = []
        store = self.writers[writer]._store
        run = store.run

        async def lose(batch: Batch) -> None:
            await run(batch)
            if not lost:
                lost.extend(map(id, batch.items))
                raise OutcomeUnknown

        store.run = lose  # type: ignore[method-assign]
        try:
            answers = self.deliver(writer, items)
        finally:
            store.run = run  # type: ignore[method-assign]
        return answers, [id(item) in lost for item in items]

    def stumble(self, writer: int, items: Sequence[Item], number: int) -> list[Outcome]:
        """The `number`th write of the batch fails, once."""
        with _failing_write(self._backend, number, RuntimeError("the statement failed")):
            return self.deliver(writer, items)

    def away(self, writer: int, items: Sequence[Item]) -> list[Outcome]:
        """The database can't be reached meanwhile."""

        async def refuse(run: Run) -> None:
            raise ConnectionRefusedError

        with self._around(writer, refuse):
            return self.deliver(writer, items)

    def crash(self, writer: int, items: Sequence[Item], number: int) -> int:
        """The writer's process dies at the `number`th write, or behind the commit; how many items were committed.

        Those are all, none, or the first half of a batch that the database refused. Another process takes its place.
        """
        return self.run(self._crash(writer, items, number))

    def lose_lease(self, writer: int, items: Sequence[Item]) -> list[Outcome]:
        """The process is taken for dead, learns of it from its next batch, and begins its next epoch."""
        return self.run(self._lose_lease(writer, items))

    def stored(self, shop: Shop) -> dict[str, Any]:
        """What the database holds of a shop's storefront, in the second ledger's words."""

        async def read() -> dict[str, Any]:
            async with self.db.read(EVERY_TENANT) as connection:
                return await stored(connection, shop.tenant_id)

        return self.run(read())

    def issue(self, shop: Shop, name: str, voucher: Voucher, *, at: int) -> None:
        """A new voucher of the shop's storefront."""
        row = VoucherRow(
            id=name,
            tenant_id=shop.tenant_id,
            batch="proof",
            prefix="ABCD",
            amount_nano=voucher.worth,
            models=voucher.scopes,
            valid_days=voucher.days,
            expires_at=voucher.ends,
            max_redemptions=voucher.times,
            redeemed=0,
            revoked_at=None,
            created_at=at,
        )
        self.run(self._write(shop, lambda it: vouchers.add(it, shop.tenant_id, [row], [name.encode()])))

    def revoke(self, shop: Shop, name: str, *, at: int) -> None:
        """The voucher is worth nothing from here on."""
        self.run(self._write(shop, lambda it: vouchers.revoke(it, shop.tenant_id, name, at)))

    def ask_payout(self, shop: Shop, name: str, amount: int, *, at: int) -> None:
        """The reseller asks for money."""
        self.run(self._write(shop, lambda it: payouts.add(it, shop.tenant_id, name, amount, at)))

    def facts(self, shop: Shop, call: str) -> CallFacts:
        """What the product keeps of an ended call."""

        async def read() -> CallFacts | None:
            async with self.db.read(shop.tenant_id) as connection:
                return await find_call(connection, shop.tenant_id, call)

        found = self.run(read())
        assert found is not None
        return found

    def audit(self, shop: Shop | None = None) -> AuditReport:
        """`ledger audit` of the shop's storefront, or of everything."""
        return self.run(audit(self.db, tenant=None if shop is None else shop.tenant_id))

    async def _begin(self) -> list[Shop]:
        if self._examples % EXAMPLES_OF_A_DATABASE == 0:
            await self._stack.aclose()
            url = await self._stack.enter_async_context(self._databases.ready(self._backend))
            self.db = Database(url)
            self._stack.push_async_callback(self.db.close)
            self._stack.push_async_callback(self._close_writers)
            self.writers = [await self._new_writer(), await self._new_writer()]
        self._examples += 1
        aurora, boreal = [
            await publish(self.db, await make_shop(self.db, f"{slug}{self._examples}"), at=self._examples)
            for slug in ("aurora", "boreal")
        ]
        async with self.db.read(EVERY_TENANT) as connection:
            self.shares = {
                shop.tenant_id: (await accounts.reseller_accrual(connection, shop.tenant_id)).wallet_id
                for shop in (aurora, boreal)
            }
        boreal = replace(boreal, reseller_wallet=self.shares[boreal.tenant_id])
        others = [await add_customer(self.db, shop, "lee@example.com") for shop in (aurora, boreal)]
        return [aurora, others[0], boreal, others[1]]

    async def _write(self, shop: Shop, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        async with self.db.write(shop.tenant_id) as connection:
            await work(connection)

    async def _new_writer(self) -> LedgerWriter:
        owner = new_owner()
        async with self.db.write(EVERY_TENANT) as connection:
            await leases.take(connection, owner, 1, "test")
            await connection.execute(update(t.lease).where(t.lease.c.owner == owner).values(renewed_at=FAR_FUTURE))
        writer = open_writer(self.db, owner=owner, epoch=1)
        await writer.start()
        return writer

    async def _close_writers(self) -> None:
        for writer in self.writers:
            await writer.close()

    @contextmanager
    def _around(self, writer: int, fault: Callable[[Run], Awaitable[None]]) -> Iterator[None]:
        store = self.writers[writer]._store
        run = store.run
        store.run = lambda batch: fault(lambda: run(batch))  # type: ignore[assignment, method-assign, return-value]
        try:
            yield
        finally:
            store.run = run  # type: ignore[method-assign]

    async def _crash(self, writer: int, items: Sequence[Item], number: int) -> int:
        dying = self.writers[writer]
        committed = 0
        run = dying._store.run

        async def die_behind(batch: Batch) -> None:
            nonlocal committed
            await run(batch)
            committed = len(batch.items)
            raise Crashed

        dying._store.run = die_behind  # type: ignore[method-assign]
        with _failing_write(self._backend, number, Crashed()):
            for item in items:
                dying.submit(item)
            assert dying._task is not None
            await asyncio.wait([dying._task])
        assert isinstance(dying._task.exception(), Crashed)
        await dying._store.close()
        async with self.db.write(EVERY_TENANT) as connection:
            await leases.release(connection, dying.owner)
        self.writers[writer] = await self._new_writer()
        return committed

    async def _lose_lease(self, writer: int, items: Sequence[Item]) -> list[Outcome]:
        losing = self.writers[writer]
        async with self.db.write(EVERY_TENANT) as connection:
            await connection.execute(
                update(t.lease).where(t.lease.c.owner == losing.owner).values(epoch=losing.epoch + 1)
            )
        answers = await _answers(losing, items)
        losing.epoch += 1
        return answers


async def _answers(writer: LedgerWriter, items: Sequence[Item]) -> list[Outcome]:
    found = await asyncio.gather(*(writer.submit(item) for item in items), return_exceptions=True)
    return [_in_words(outcome) for outcome in found]


def _in_words(outcome: object) -> Outcome:
    """A real answer in the second ledger's words."""
    match outcome:
        case Hold():
            return ("held", outcome.output_limit, outcome.retail, outcome.wholesale, tuple(outcome.allocations))
        case HoldRefused():
            return ("refused", outcome.reason, outcome.required, outcome.available, outcome.affordable_output)
        case Settled():
            return ("settled", outcome.state, outcome.repeated)
        case Posted():
            return ("posted", outcome.id, outcome.amount, outcome.balance)
        case Exception():
            return ("error", type(outcome).__name__)
        case _:
            raise AssertionError(outcome)


@contextmanager
def _failing_write(backend: str, number: int, error: BaseException) -> Iterator[None]:
    """The `number`th write of rows raises `error`; later ones work again.

    PostgreSQL is written to in two round trips: there every third number is beyond them.
    """
    module: Any = sqlite if backend == "sqlite" else postgres
    name = "_many" if backend == "sqlite" else "_write_parts"
    wanted = number if backend == "sqlite" else (number - 1) % 3 + 1
    write = getattr(module, name)
    seen = 0

    def counted(connection: Any, *asked: Any, **options: Any) -> Any:
        nonlocal seen
        seen += any(asked[-1])
        if any(asked[-1]) and seen == wanted:
            raise error
        return write(connection, *asked, **options)

    setattr(module, name, counted)
    try:
        yield
    finally:
        setattr(module, name, write)
