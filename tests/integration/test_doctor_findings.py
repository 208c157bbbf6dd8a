"""Findings of doctor on configuration, upstreams, storefronts and hosts, each provoked once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from reseller_kit.core.domain import Verdict
from reseller_kit.db import outbox
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows.doctor import RULES, examine
from reseller_kit.flows.doctor_domains import about_domains
from reseller_kit.flows.doctor_server import examine_server
from reseller_kit.flows.domains import DomainView
from tests.support.factories import make_platform, make_tenant
from tests.support.provisioning import ONE_TENANT, applied


async def found(db: Database) -> set[tuple[str, str]]:
    complaints = await examine(db)
    assert all(each.message and each.fix and each.code in RULES for each in complaints)
    return {(each.code, each.where) for each in complaints}


async def change(db: Database, *statements: Any) -> None:
    async with db.write(EVERY_TENANT) as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_nothing_was_applied_yet(db: Database) -> None:
    assert ("DR101", "platform") in await found(db)
    await applied(db, ONE_TENANT)
    assert "DR101" not in {code for code, _ in await found(db)}


async def test_an_upstream_without_keys_and_a_model_without_an_upstream(db: Database) -> None:
    await applied(db, ONE_TENANT)
    before = {code for code, _ in await found(db)}
    assert not before & {"DR102", "DR103"}
    await change(db, delete(t.upstream_key))
    assert ("DR102", "demo") in await found(db)
    await change(db, update(t.upstream).values(status="withdrawn"))
    after = await found(db)
    assert {where for code, where in after if code == "DR103"} >= {"gpt-5-mini"}
    assert "DR102" not in {code for code, _ in after}


async def test_mails_to_the_operator_that_were_given_up(db: Database) -> None:
    await applied(db, ONE_TENANT)
    mail: dict[str, Any] = {
        "kind": "upstream_key",
        "recipient": "ops@northwind.example",
        "payload": {},
        "dedupe": "one",
    }
    async with db.write(EVERY_TENANT) as connection:
        await outbox.add(connection, None, **mail, now=now_us())
    assert "DR113" not in {code for code, _ in await found(db)}
    await change(db, update(t.outbox).values(parked_at=now_us(), last_error="refused"))
    assert ("DR113", "platform") in await found(db)


async def test_a_suspended_storefront_and_a_model_without_a_price(db: Database) -> None:
    await applied(db, ONE_TENANT)
    before = await found(db)
    assert not {code for code, _ in before} & {"DR202", "DR206"}
    async with db.read(EVERY_TENANT) as connection:
        cost = await connection.scalar(select(t.model.c.cost_version))
    new: dict[str, Any] = {
        "name": "new-model",
        "context": 1000,
        "max_output": 100,
        "settings": {},
        "cost_version": cost,
    }
    await change(
        db,
        update(t.tenant).where(t.tenant.c.slug == "aurora").values(suspended_at=now_us(), suspend_reason="unpaid"),
        insert(t.model).values(**new, created_at=now_us()),
    )
    assert await found(db) - before == {("DR202", "aurora"), ("DR103", "new-model")}
    async with db.read(EVERY_TENANT) as connection:
        model = await connection.scalar(select(t.model.c.id).where(t.model.c.name == "new-model"))
        upstream = await connection.scalar(select(t.upstream.c.id))
    served = {"model_id": model, "upstream_id": upstream, "upstream_model": "new", "priority": 0, "weight": 1}
    await change(db, insert(t.route).values(**served, cost_version=cost))
    assert await found(db) - before == {("DR202", "aurora"), ("DR206", "aurora")}


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ({"state": "live"}, []),
        ({"state": "live", "failing_since": 1}, ["DR221"]),
        ({"state": "live", "verdict": Verdict(certifiable=False)}, ["DR222"]),
        ({"state": "detached"}, ["DR223"]),
        ({"state": "detached", "source": "file"}, []),
    ],
)
def test_hosts_by_their_checks(view: dict[str, Any], expected: list[str]) -> None:
    complaints = list(about_domains("aurora", [DomainView(host="a.example", role="storefront", **view)]))
    assert [each.code for each in complaints] == expected
    assert all("a.example" in each.message and each.fix for each in complaints)


@contextmanager
def answering(ready: int, allowed: int) -> Iterator[str]:
    """A server whose gate says the same to everybody; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(ready if self.path == "/readyz" else allowed)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("ready", "allowed", "expected"),
    [(200, 200, ["DR133"]), (200, 404, ["DR132"]), (503, 404, ["DR131", "DR132"])],
)
async def test_a_gate_that_lets_everybody_or_nobody_in(
    db: Database, ready: int, allowed: int, expected: list[str]
) -> None:
    await make_platform(db)
    await make_tenant(db, "aurora", hosts=["aurora.example"])
    with answering(ready, allowed) as url:
        assert [each.code for each in await examine_server(db, url)] == expected


def test_every_code_is_provoked_in_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    assert [code for code in RULES if f'"{code}"' not in tests] == []
