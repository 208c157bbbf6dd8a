"""Processes that die or are told to end while calls are under way: each hold ends exactly once."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.support import raw_http
from tests.support.product import Customer, Shop, chat_request, eventually, prepared_shop
from tests.support.raw_http import read_until
from tests.support.verdict import is_embedded, sqlite_path

CHECKPOINT_SECONDS = 2.5
"""A stream that has run for so long has left a checkpoint, on a busy machine as well."""


def kill_in_the_middle(shop: Shop, victim: Shop, customer: Customer) -> None:
    """Streams that have run for a while, one that waits for its first byte and a plain call; then kill -9."""
    with ExitStack() as stack:
        for _ in range(3):
            opened = stack.enter_context(raw_http.connection(victim.server.port))
            opened.sendall(chat_request(customer, "[[input=500 cached=0 output=200 pace=0.1]]", stream=True))
            read_until(opened, b"brown")
        for text, stream in (("[[delay=60]]", True), ("[[delay=60]]", False)):
            opened = stack.enter_context(raw_http.connection(victim.server.port))
            opened.sendall(chat_request(customer, text, stream=stream))
        time.sleep(CHECKPOINT_SECONDS)
        eventually(lambda: shop.ask("ledger", "audit")["open_holds"] == 5, "five holds")
        victim.server.child.process.kill()
        victim.server.child.process.wait()


def assert_all_were_resolved(shop: Shop, customer: Customer) -> None:
    """Each hold ended once: what was checkpointed is charged, what was not is free."""
    records = eventually(lambda: found if len(found := shop.records(customer)) == 5 else None, "the sweep")
    assert sorted(record["status"] for record in records) == ["cut"] * 3 + ["failed"] * 2
    for record in records:
        if record["status"] == "failed":
            assert {record["retail"], record["wholesale"], record["cost"]} == {"0.00"}
            continue
        (line,) = shop.journal(record["id"])
        assert record["usage_source"] == "estimated"
        assert 0 < record["output_tokens"] <= line["delivered_tokens"]
        most = shop.expected(record, line["true_usage"])
        assert 0 < Fraction(record["cost"]) < Fraction(record["wholesale"]) < Fraction(record["retail"]) < most.retail
    shop.assert_books_are_right()
    spent = sum(Fraction(record["retail"]) for record in records)
    assert Fraction(shop.balance(customer)["balance"]) == Fraction("5.00") - spent
    time.sleep(1.2)
    assert len(shop.records(customer)) == 5


@pytest.mark.postgres
def test_a_survivor_ends_the_calls_of_a_process_that_was_killed(shops: Callable[[str], Shop]) -> None:
    shop = shops("postgres")
    customer = shop.customer()
    with shop.beside() as victim:
        kill_in_the_middle(shop, victim, customer)
        assert_all_were_resolved(shop, customer)


def test_the_next_start_ends_the_calls_of_a_process_that_was_killed(tmp_path: Path) -> None:
    with prepared_shop(tmp_path) as serve:
        with serve(1) as victim:
            customer = victim.customer()
            kill_in_the_middle(victim, victim, customer)
        assert victim.ask("ledger", "audit")["open_holds"] == 5
        with serve(1) as next_start:
            assert_all_were_resolved(next_start, customer)
            assert next_start.http.get(f"http://127.0.0.2:{next_start.server.port}/").status_code == 200


def test_a_process_that_was_taken_for_dead_claims_nothing(shop: Shop) -> None:
    """Stopped for longer than its lease, it comes back to calls that a survivor has resolved."""
    customer = shop.customer()
    with shop.beside() as sleeper, ExitStack() as stack:
        port, process = sleeper.server.port, sleeper.server.child.process
        streaming, plain = (stack.enter_context(raw_http.connection(port)) for _ in range(2))
        streaming.sendall(chat_request(customer, "[[input=500 cached=0 output=60 pace=0.1]]", stream=True))
        plain.sendall(chat_request(customer, "[[delay=6]]"))
        received = read_until(streaming, b"brown")
        time.sleep(CHECKPOINT_SECONDS)
        process.send_signal(signal.SIGSTOP)
        try:
            records = eventually(lambda: found if len(found := shop.records(customer)) == 2 else None, "the sweep")
        finally:
            process.send_signal(signal.SIGCONT)
        received += raw_http.read_all(streaming)
        assert b"[DONE]" not in received
        assert b'"code":"service_unavailable"' in received
        answer = raw_http.parse(raw_http.read_all(plain))
        assert answer is not None
        assert answer.status == 503
        url = f"http://127.0.0.1:{port}/v1/models"
        eventually(lambda: shop.http.get(url, headers=customer.headers).status_code == 200, "the next epoch")
        assert raw_http.exchange(port, chat_request(customer, "Hi")) is not None
    assert sorted((record["status"], record["retail"] == "0.00") for record in records) == [
        ("cut", False),
        ("failed", True),
    ]
    assert shop.records(customer)[:2] == records
    shop.assert_books_are_right()


def take_leases(shop: Shop) -> None:
    """As who takes all others for dead."""
    statement = "DELETE FROM lease"
    if is_embedded(shop):
        with sqlite3.connect(sqlite_path(shop), timeout=30) as connection:
            connection.execute(statement)
        connection.close()
        return

    async def run() -> None:
        url = shop.installation.environment["RESELLER_KIT_DATABASE_URL"]
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def test_a_call_that_finds_the_lease_gone_is_placed_under_the_next(shop: Shop) -> None:
    """A starved process that was taken for dead refuses nobody: what comes now holds nothing of the lost epoch."""
    customer = shop.customer()
    with raw_http.connection(shop.server.port) as opened:
        opened.sendall(chat_request(customer, "[[input=500 cached=0 output=300 pace=0.1]]", stream=True))
        received = read_until(opened, b"brown")
        for stream in (False, True) * 4:
            take_leases(shop)
            reply = raw_http.exchange(shop.server.port, chat_request(customer, "Hi", stream=stream))
            assert reply is not None
            assert (reply.status, b"error" in reply.body) == (200, False)
        received += raw_http.read_all(opened)
    assert b'"code":"service_unavailable"' in received
    records = eventually(lambda: found if len(found := shop.records(customer)) == 9 else None, "the sweep")
    assert [record["status"] for record in records].count("ok") == 8
    spent = sum(Fraction(record["retail"]) for record in records)
    assert Fraction(shop.balance(customer)["balance"]) == Fraction("5.00") - spent
    shop.assert_books_are_right()


@pytest.mark.parametrize(
    ("backend", "workers"), [("sqlite", 1), ("sqlite", 2), pytest.param("postgres", 1, marks=pytest.mark.postgres)]
)
def test_a_server_that_is_told_to_end_finishes_what_it_began(shop: Shop, workers: int) -> None:
    customer = shop.customer()
    with shop.beside(workers) as ending, raw_http.connection(ending.server.port) as opened:
        port, process = ending.server.port, ending.server.child.process
        opened.sendall(chat_request(customer, "[[output=35 pace=0.1]]", stream=True))
        received = read_until(opened, b"brown")
        process.send_signal(signal.SIGTERM)
        eventually(lambda: probe(port, "/readyz") == 503, "the answer that it is not ready")
        assert probe(port, "/healthz") == 200
        refused = raw_http.exchange(port, chat_request(customer, "Hi"))
        assert refused is not None
        assert refused.status == 503
        assert b'"code":"service_unavailable"' in refused.body
        received += read_until(opened, b"[DONE]")
        assert process.wait(timeout=30) == 0
        assert b"error" not in received
    (record,) = shop.records(customer)
    assert (record["status"], record["output_tokens"]) == ("ok", 35)
    shop.assert_books_are_right()


def probe(port: int, path: str) -> int | None:
    try:
        reply = raw_http.exchange(port, f"GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n".encode())
    except ConnectionRefusedError:
        return None
    return None if reply is None else reply.status


def test_a_worker_that_dies_is_replaced_and_none_outlives_its_parent(any_shop: Shop) -> None:
    customer = any_shop.customer()
    with any_shop.beside(workers=2) as other:
        parent = other.server.child.process
        before = eventually(two_children(parent.pid), "two workers")
        os.kill(before[0], signal.SIGKILL)
        after = eventually(lambda: found if (found := two_children(parent.pid)()) != before else None, "a new worker")
        assert after is not None
        assert before[1] in after
        url = f"http://127.0.0.1:{other.server.port}/v1/models"
        eventually(lambda: any_shop.http.get(url, headers=customer.headers).status_code == 200, "an answer")
        parent.kill()
        parent.wait()
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in after), "the end of the workers")
    any_shop.assert_books_are_right()


def two_children(parent: int) -> Callable[[], list[int] | None]:
    def found() -> list[int] | None:
        children: list[Any] = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return sorted(map(int, children)) if len(children) == 2 else None

    return found
