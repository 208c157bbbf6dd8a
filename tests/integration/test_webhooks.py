"""`POST /webhooks/{provider}`: kept once and answered at once; refusals say nothing of why."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.db import inbox
from reseller_kit.db import tables as t
from reseller_kit.db.engine import Database, now_us
from reseller_kit.flows.payments.receive import box_name
from reseller_kit.web import webhooks
from tests.support.paying import CREDITS, PayingShop, paying_shop
from tests.support.payments import delivery


@pytest.fixture
async def shop(db: Database) -> AsyncIterator[PayingShop]:
    async with paying_shop(db) as made:
        yield made


class Post:
    """Asks the webhook's ASGI application as a server would."""

    def __init__(self, shop: PayingShop) -> None:
        self.woken = 0
        inbox = SimpleNamespace(wake=self._wake)
        self.runtime: Any = SimpleNamespace(db=shop.db, vault=shop.vault, providers=shop.providers, inbox=inbox)
        self.storefront: Any = SimpleNamespace(tenant_id=shop.tenant.id, slug="aurora")

    def _wake(self) -> None:
        self.woken += 1

    async def __call__(
        self,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        path: str = "/webhooks/paddle",
        method: str = "POST",
    ) -> tuple[int, Any]:
        sent: list[Any] = []
        raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        scope = {"type": "http", "path": path, "method": method, "headers": raw}

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await webhooks.answer(self.runtime, self.storefront, scope, receive, send)
        assert b"x-request-id" in dict(sent[0]["headers"])
        return sent[0]["status"], json.loads(sent[1]["body"] or "null")


async def test_a_delivery_is_kept_encrypted_once_and_the_inbox_woken(shop: PayingShop) -> None:
    post = Post(shop)
    order = await shop.order()
    body, headers = delivery("evt_1", shop.payment(order), at=now_us())
    assert await post(body, headers) == (200, {"received": True})
    assert await post(body, headers) == (200, {"received": True})
    assert post.woken == 2
    async with shop.db.read(shop.tenant.id) as connection:
        rows = (await connection.execute(select(t.inbox))).mappings().all()
    assert len(rows) == 1
    assert body not in bytes(rows[0]["sealed"])
    name = box_name(shop.tenant.id, "paddle", "evt_1")
    assert shop.vault.open_content(name, rows[0]["key_id"], bytes(rows[0]["sealed"])) == body
    await shop.deliver()
    assert await shop.balance() == CREDITS


async def test_what_tells_nothing_of_money_is_kept_and_done(shop: PayingShop) -> None:
    body, headers = delivery("evt_1", None, at=now_us())
    assert (await Post(shop)(body, headers))[0] == 200
    assert await shop.repair() == 0


async def test_refusals_are_4xx_that_say_nothing_of_why(shop: PayingShop) -> None:
    post = Post(shop)
    body, headers = delivery("evt_1", shop.payment(await shop.order()), at=now_us())
    _, stale = delivery("evt_1", None, at=1)
    said = {"error": {"code": "invalid_request", "message": "The delivery is not acceptable."}}
    for wrong in ({}, stale, {"x-signature": "now:"}, {"x-signature": headers["x-signature"] + "0"}):
        assert await post(body, wrong) == (400, said)
    assert (await post(body, headers, "/webhooks/stripe"))[0] == 404
    assert (await post(body, headers, "/webhooks/"))[0] == 404
    assert (await post(body, headers, "/webhooks/paddle/../x"))[0] == 404
    assert (await post(method="GET"))[0] == 405
    assert (await post(b"x" * (1024 * 1024 + 1), headers))[0] == 413
    assert post.woken == 0


async def test_a_tenant_that_is_paid_outside_has_no_such_address(shop: PayingShop) -> None:
    post = Post(shop)

    async def nowhere(*_: Any) -> Any:
        raise InvalidRequest("api_key of the payment provider are not stored.")

    post.runtime.providers = SimpleNamespace(named=nowhere)
    assert (await post(b"{}"))[0] == 404


async def test_a_delivery_that_can_not_be_kept_is_asked_for_again(
    shop: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = delivery("evt_1", shop.payment(await shop.order()), at=now_us())

    async def away(*_: Any, **__: Any) -> None:
        raise OSError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "add", away)
        assert (await Post(shop)(body, headers))[0] == 503
    assert (await Post(shop)(body, headers))[0] == 200
