"""The real ledger under proof: two writers on one database, batches that go wrong on purpose, and what is stored.

Asserts nothing; `machine` compares it with the second ledger.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import func, select, update

from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.db import leases
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.db.ledger import Item, LedgerWriter, Posted, Settled, new_owner, open_writer, postgres, sqlite
from reseller_kit.db.ledger.store import OutcomeUnknown
from reseller_kit.flows.audit import AuditReport, audit
from tests.support.databases import Databases
from tests.support.ledger import Shop, add_customer, make_shop
from tests.support.proof.model import Outcome
from tests.support.proof.prices import publish

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

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        """Let go of everything."""
        self.run(self._stack.aclose())
        self._loop.close()

    def begin(self) -> list[Shop]:
        """Two customers of one storefront and one of another, none with any money."""
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

    def lose_answer(self, writer: int, items: Sequence[Item]) -> list[Outcome]:
        """The batch is committed, the answer is lost, and the writer finds out by itself."""
        lost: list[bool] = []

        async def lose(run: Run) -> None:
            await run()
            if not lost:
                lost.append(True)
                raise OutcomeUnknown

        with self._around(writer, lose):
            return self.deliver(writer, items)

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

    def crash(self, writer: int, items: Sequence[Item], number: int) -> bool:
        """The writer's process dies at the `number`th write, or behind the commit; whether it was committed.

        Another process takes its place.
        """
        return self.run(self._crash(writer, items, number))

    def lose_lease(self, writer: int, items: Sequence[Item]) -> list[Outcome]:
        """The process is taken for dead, learns of it from its next batch, and begins its next epoch."""
        return self.run(self._lose_lease(writer, items))

    def stored(self, shop: Shop) -> dict[str, Any]:
        """What the database holds of a shop's storefront, in the second ledger's words."""
        return self.run(self._stored(shop))

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
        return [aurora, await add_customer(self.db, aurora, "lee@example.com"), boreal]

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

    async def _crash(self, writer: int, items: Sequence[Item], number: int) -> bool:
        dying = self.writers[writer]
        committed = False

        async def die_behind(run: Run) -> None:
            nonlocal committed
            await run()
            committed = True
            raise Crashed

        with self._around(writer, die_behind), _failing_write(self._backend, number, Crashed()):
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

    async def _stored(self, shop: Shop) -> dict[str, Any]:
        tenant = shop.tenant_id
        async with self.db.read(EVERY_TENANT) as connection:

            async def rows(table: str, *columns: str) -> list[tuple[Any, ...]]:
                c = t.metadata.tables[table].c
                found = await connection.execute(
                    select(*(c[name] for name in columns)).where(c.tenant_id == tenant).order_by(c[columns[0]])
                )
                return [tuple(row) for row in found]

            accounts = await rows("account", "id", "owner", "kind", "balance_nano", "reserved_nano", "debt_nano")
            e, a = t.entry.c, t.account.c
            sinks = await connection.execute(
                select(a.kind, func.sum(e.amount_nano))
                .join(t.account, a.id == e.account_id)
                .where(e.tenant_id == tenant)
                .group_by(a.kind)
            )
            sums = {kind: int(total) for kind, total in sinks}
            codes = Counter(row[1] for row in await rows("txn", "id", "code"))
            parts = (
                "amount_nano",
                "remaining_nano",
                "reserved_nano",
                "consumed_nano",
                "expired_nano",
                "clawed_back_nano",
            )
            lots = await rows("lot", "id", *parts)
            windows = await rows("key_window", "key_id", "started_at", "spent_nano", "reserved_nano")
            hold_columns = ("state", "owner", "epoch", "output_limit", "retail_nano", "wholesale_nano", "allocations")
            holds = await rows("hold", "request_id", *hold_columns)
            usage = await rows("usage_record", "id", "retail_nano", "wholesale_nano", "cost_nano")
        wallets = {row[1]: row[3:] for row in accounts if row[2] in {"customer_wallet", "reseller_wallet"}}
        return {
            "wallets": wallets,
            "sinks": {
                kind: total
                for kind, total in sums.items()
                if kind not in {"customer_wallet", "reseller_wallet"} and total
            },
            "transactions": codes,
            "lots": {row[0]: row[1:] for row in lots},
            "windows": {row[:2]: row[2:] for row in windows if any(row[2:])},
            "holds": {row[0]: (*row[1:-1], _parts(row[-1])) for row in holds},
            "usage": {row[0]: row[1:] for row in usage},
        }


def _parts(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((lot, part) for lot, part in msgspec.json.decode(text, type=list[tuple[str, int]]))


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
