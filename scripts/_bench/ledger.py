"""Measures the ledger writer alone: pairs of hold and settle, with every row that a call writes. Asks no upstream.

Each pair is two durable transactions of the product's own group-committing writer. Afterwards every wallet is
compared with the sum of what was charged, worked out here, and the product's audit must have no findings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from reseller_kit.app import settle_memory
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import NO_WINDOW, Capture, Hold, HoldRequest, HoldTerms
from reseller_kit.core.storefront import Storefront
from reseller_kit.db import leases, schema
from reseller_kit.db.engine import NO_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, PlaceHold, Settle, UsageRow, new_owner, open_writer
from reseller_kit.flows import audit, customers, snapshot, unlock
from reseller_kit.flows.credits import credit_balance
from reseller_kit.flows.grants import grant_credit
from reseller_kit.vault import Vault
from scripts._bench import cores, report, targets

CUSTOMERS: Final = 256
_CREDIT: Final = 10**15
_INPUT_TOKENS: Final = 120
_OUTPUT_TOKENS: Final = 42
_QUANTITIES: Final = json.dumps({"input": _INPUT_TOKENS, "output": _OUTPUT_TOKENS, "request": 1})
_CALL: Final = json.dumps({"model": targets.MODEL, "public_model": targets.MODEL, "dialect": "openai", "stream": False})


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement; latencies are of single operations, a hold or a settle, from submission to durability."""

    backend: str
    customers: int
    concurrency: int
    pairs: int
    pairs_per_second: float
    cpu_us_per_pair: float
    database_cpu_us_per_pair: float | None
    p50_ms: float
    p99_ms: float


class Payer(msgspec.Struct, frozen=True):
    """A customer with credit, and how many calls it paid for."""

    id: str
    wallet_id: int
    key_id: str


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when the books are wrong."""
    chosen = cores.choose()
    figures: list[Figures] = []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory)))
        for backend in arguments.backends:
            place = stack.enter_context(targets.provisioned(scratch, chosen, backend))
            try:
                figures += uvloop.run(_measure(place, backend, arguments))
            except targets.WrongBooks as error:
                print(f"bench: {error}", file=sys.stderr)
                return 1
    print(json.dumps([msgspec.to_builtins(each) for each in figures], indent=2) if arguments.json else _table(figures))
    return 0


async def _measure(place: targets.Provisioned, backend: str, arguments: argparse.Namespace) -> list[Figures]:
    db = Database(place.database_url)
    try:
        vault = await unlock.unlock(db, place.secret_key)
        storefront = next(iter((await snapshot.load(db, vault)).hosts.values())).storefront
        payers = [await payer(db, vault, storefront, number) for number in range(CUSTOMERS)]
        writer = open_writer(db, owner=new_owner(), epoch=1)
        async with db.write(NO_TENANT) as connection:
            await leases.take(connection, writer.owner, writer.epoch, schema.head())
        await writer.start()
        settle_memory()
        found = []
        spent = dict.fromkeys((payer.id for payer in payers), 0)
        for among in (payers, payers[:1]):
            for concurrency in arguments.concurrency:
                load = Load(writer, storefront, among, spent)
                await load.run(max(concurrency, arguments.pairs // 4), concurrency)
                found.append(await figures(load, backend, concurrency, arguments.pairs, place.database_pid))
        await writer.close()
        await _check(db, backend, spent)
    finally:
        await db.close()
    return found


class Load:
    """Callers that each place a hold, wait, settle it, wait, and begin again."""

    def __init__(
        self, writer: LedgerWriter, storefront: Storefront, payers: Sequence[Payer], spent: dict[str, int]
    ) -> None:
        self._writer, self._storefront, self._payers, self._spent = writer, storefront, payers, spent
        self._offered = storefront.models[targets.MODEL]
        retail, wholesale = self._offered.retail.price_list.prices, self._offered.wholesale.price_list.prices
        # Worked out from the published prices alone: pico-USD to nano-USD, rounded up.
        self._retail, self._wholesale = (
            -(-(_INPUT_TOKENS * p["input"] + _OUTPUT_TOKENS * p["output"]) // 1000) for p in (retail, wholesale)
        )
        self._terms = HoldTerms(
            retail_fixed=_INPUT_TOKENS * retail["input"],
            retail_per_output=retail["output"],
            wholesale_fixed=_INPUT_TOKENS * wholesale["input"],
            wholesale_per_output=wholesale["output"],
            output_limit=4_096,
        )
        self.payers = len(payers)
        self.seconds: list[float] = []

    async def run(self, pairs: int, concurrency: int) -> None:
        """As many pairs, `concurrency` of them at a time."""
        self.seconds = []
        numbers = iter(range(pairs))
        await asyncio.gather(*(self._caller(numbers) for _ in range(concurrency)))

    async def _caller(self, numbers: Iterator[int]) -> None:
        clock, took = time.perf_counter, self.seconds.append
        for number in numbers:
            payer = self._payers[number % len(self._payers)]
            began = clock()
            hold = await self._writer.place(self._hold(payer))
            placed = clock()
            if not isinstance(hold, Hold):
                raise targets.WrongBooks(f"a hold was refused: {hold}")
            await self._writer.submit(self._settle(payer, hold))
            took(placed - began)
            took(clock() - placed)
            self._spent[payer.id] += self._retail

    def _hold(self, payer: Payer) -> PlaceHold:
        request = HoldRequest(
            request_id=new_id("req"),
            tenant_id=self._storefront.tenant_id,
            customer_id=payer.id,
            wallet_id=payer.wallet_id,
            reseller_wallet_id=self._storefront.reseller_wallet_id,
            key_id=payer.key_id,
            key_limit=None,
            window_started_at=NO_WINDOW,
            overdraft=0,
            model=targets.MODEL,
            retail_version=self._offered.retail.id,
            wholesale_version=self._offered.wholesale.id,
            terms=self._terms,
            created_at=now_us(),
        )
        return PlaceHold(request, _CALL)

    def _settle(self, payer: Payer, hold: Hold) -> Settle:
        route = self._offered.routes[0]
        cost = route.cost.price_list.prices
        at = now_us()
        charges = {
            "retail": self._retail,
            "wholesale": self._wholesale,
            "cost": -(-(_INPUT_TOKENS * cost["input"] + _OUTPUT_TOKENS * cost["output"]) // 1000),
        }
        usage = UsageRow(
            id=hold.request_id,
            tenant_id=hold.tenant_id,
            customer_id=payer.id,
            key_id=payer.key_id,
            model=targets.MODEL,
            public_model=targets.MODEL,
            upstream=route.upstream,
            upstream_model=route.upstream_model,
            dialect="openai",
            stream=False,
            status="ok",
            http_status=200,
            quantities=_QUANTITIES,
            reasoning_tokens=0,
            usage_source="upstream",
            usage_capped=False,
            retail_nano=charges["retail"],
            wholesale_nano=charges["wholesale"],
            cost_nano=charges["cost"],
            retail_version=self._offered.retail.id,
            wholesale_version=self._offered.wholesale.id,
            cost_version=route.cost.id,
            attempts=1,
            latency_ms=1,
            first_byte_ms=1,
            delivered_characters=None,
            tokenizer=None,
            created_at=hold.created_at,
        )
        return Settle(
            capture=Capture(request_id=hold.request_id, at=at, **charges),
            usage=usage,
            wallet_id=payer.wallet_id,
            reseller_wallet_id=hold.reseller_wallet_id,
            window=None,
        )


async def payer(db: Database, vault: Vault, storefront: Storefront, number: int) -> Payer:
    """A customer with a lot of credit."""
    email = f"payer{number}@bench.example"
    made = await customers.create_customer(
        db, vault, tenant_slug=storefront.slug, email=email, name="", actor="scripts/bench"
    )
    await grant_credit(
        db,
        tenant_slug=storefront.slug,
        customer=email,
        amount=_CREDIT,
        reason="load",
        idempotency_key=None,
        actor="scripts/bench",
    )
    return Payer(made.customer.id, made.customer.wallet_id, new_id("key"))


async def figures(load: Load, backend: str, concurrency: int, pairs: int, database_pid: int | None) -> Figures:
    """What so many pairs take, with the processor time of this process and of the database's."""
    clocks: list[Callable[[], float]] = [time.process_time]
    if database_pid is not None:
        clocks.append(partial(cores.cpu_seconds, database_pid))
    before = [clock() for clock in clocks]
    began = time.perf_counter()
    await load.run(pairs, concurrency)
    seconds = time.perf_counter() - began
    cpu = [(clock() - start) * 1e6 / pairs for clock, start in zip(clocks, before, strict=True)]
    latencies = sorted(load.seconds)
    return Figures(
        backend=backend,
        customers=load.payers,
        concurrency=concurrency,
        pairs=pairs,
        pairs_per_second=pairs / seconds,
        cpu_us_per_pair=cpu[0],
        database_cpu_us_per_pair=cpu[1] if len(cpu) > 1 else None,
        p50_ms=latencies[len(latencies) // 2] * 1e3,
        p99_ms=latencies[len(latencies) * 99 // 100] * 1e3,
    )


async def _check(db: Database, backend: str, spent: dict[str, int]) -> None:
    """Raises WrongBooks unless every wallet is what its calls left of it, and the audit finds nothing."""
    for customer, amount in spent.items():
        left = await credit_balance(db, targets.TENANT, customer)
        if (left.wallet.balance, left.wallet.reserved) != (_CREDIT - amount, 0):
            raise targets.WrongBooks(f"{backend}: {customer} has {left.wallet.balance}, not {_CREDIT - amount}")
    books = await audit.audit(db)
    if not books.ok or books.open_holds:
        raise targets.WrongBooks(f"{backend}: the audit has findings: {books.findings[:5]}")


def _table(figures: Sequence[Figures]) -> str:
    rows = [("backend", "customers", "concurrent", "pairs/s", "CPU µs/pair", "db µs/pair", "p50 ms", "p99 ms")]
    rows += [
        (
            each.backend,
            str(each.customers),
            str(each.concurrency),
            f"{each.pairs_per_second:,.0f}",
            f"{each.cpu_us_per_pair:.1f}",
            "" if each.database_cpu_us_per_pair is None else f"{each.database_cpu_us_per_pair:.1f}",
            f"{each.p50_ms:.2f}",
            f"{each.p99_ms:.2f}",
        )
        for each in figures
    ]
    return report.aligned(rows, left=1)
