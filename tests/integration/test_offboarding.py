"""A storefront leaves: closed at once, taken back or without personal data later, and nobody else's rows change."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from reseller_kit.core.errors import Conflict, NotFound
from reseller_kit.core.money import NANO
from reseller_kit.core.times import DAY_US
from reseller_kit.db import secrets, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows import offboarding
from reseller_kit.flows.offboarding import Wanted
from tests.support.commands import Cli
from tests.support.factories import make_customer, make_platform, make_tenant
from tests.support.paying import PayingShop, paying_shop
from tests.support.rows import all_rows

FILE = """schema = 1

[platform]
name = "Northwind Platform"
hosts = ["platform.localhost"]
currency = "USD"

[wholesale]
markup = "10%"

[[tenants]]
slug = "aurora"
name = "Aurora"
status = "active"
theme = "daylight"
  [tenants.pricing]
  markup = "40%"
"""
LEAVES = Wanted(reason="closes", leave_balances=True)


async def stored(db: Database, tenant_id: int) -> dict[str, list[Any]]:
    async with db.read(EVERY_TENANT) as connection:
        return await all_rows(connection, tenant_id)


async def furnish(shop: PayingShop) -> None:
    """What a storefront has beside customers: secrets, pictures, webhooks, cases of strangers."""
    own = {"tenant_id": shop.tenant.id}
    async with shop.db.write(EVERY_TENANT) as connection:
        for name in (
            f"tenant:{shop.tenant.slug}:payments.api_key",
            f"own_upstream:{shop.tenant.slug}/x:key:0",
            "other",
        ):
            await secrets.put(connection, secrets.StoredSecret(name, None, b"sealed", "f"))
        case = {"id": "case_1", "email": "stranger@example.net", "name": "A Stranger", "subject": "Hello", "about": ""}
        await connection.execute(insert(t.support_case).values(**own, **case, state="open", created_at=1, changed_at=1))
        said = {"case_id": "case_1", "author": "customer", "actor": "", "body": "I am a stranger", "created_at": 1}
        await connection.execute(insert(t.support_message).values(**own, **said))
        image = {"sha256": "0", "kind": "logo", "content_type": "image/png", "width": 1, "height": 1, "size": 1}
        image |= {"body": b"x", "author": "owner@example.com"}
        await connection.execute(insert(t.brand_image).values(**own, **image, created_at=1))
    await shop.deliver(shop.payment(await shop.order()))


async def test_a_storefront_leaves_and_later_nobody_is_named(db: Database) -> None:
    await make_platform(db)
    async with paying_shop(db) as shop:
        await furnish(shop)
        other = await make_tenant(db, "borealis")
        await make_customer(db, other, shop.customer.email)
        elsewhere = await stored(db, other.id)
        slug = shop.tenant.slug
        left = await offboarding.offboard(db, shop.providers, slug, LEAVES, actor="test")
        assert (left.customers, left.members, left.held) == (1, 1, {"customer_wallet": 12 * NANO})
        async with db.read(EVERY_TENANT) as connection:
            found = await tenants.find(connection, slug)
        assert found is not None
        assert (found.status, found.erase_at) == ("archived", left.erase_at)
        before = await stored(db, shop.tenant.id)
        assert await offboarding.erase_due(db, left.erase_at - 1) == 0
        assert "kim@example.com" in repr(before)

        assert await offboarding.erase_due(db, left.erase_at) == 1
        assert await offboarding.erase_due(db, left.erase_at) == 0
        after = await stored(db, shop.tenant.id)
        for personal in ("kim", "stranger", "owner@example.com"):
            named = [name for name, rows in after.items() if personal in repr(rows).casefold()]
            assert named == [], personal
        assert after["brand_image"] == []
        for books in ("account", "entry", "lot", "txn", "purchase_order"):
            assert after[books] == before[books], books
        async with db.read(EVERY_TENANT) as connection:
            kept = list(await connection.scalars(select(t.secret.c.name).where(t.secret.c.fingerprint == "f")))
            hosts = (await connection.execute(select(t.domain.c.state, t.domain.c.released_at))).all()
        assert kept == ["other"]
        assert [(row.state, row.released_at is not None) for row in hosts] == [("tombstone", True)]
        assert await stored(db, other.id) == elsewhere
        assert await shop.sound()
        for again in (offboarding.look(db, slug, LEAVES), offboarding.take_back(db, slug, "test")):
            with pytest.raises(Conflict, match="is gone"):
                await again


async def test_it_can_be_taken_back_until_then(db: Database) -> None:
    async with paying_shop(db) as shop:
        slug = shop.tenant.slug
        await offboarding.offboard(db, shop.providers, slug, LEAVES, actor="test")
        assert (await offboarding.take_back(db, slug, "test")).view.tenant.status == "draft"
        assert await offboarding.erase_due(db, now_us() + 100 * DAY_US) == 0
        assert "kim@example.com" in repr(await stored(db, shop.tenant.id))


async def test_money_and_what_is_under_way_come_first(db: Database) -> None:
    async with paying_shop(db) as shop:
        slug = shop.tenant.slug
        await shop.deliver(shop.payment(await shop.order()))
        with pytest.raises(Conflict, match="hold money") as refused:
            await offboarding.look(db, slug, Wanted(reason="closes"))
        assert refused.value.details == [{"account": "customer_wallet", "amount": "12.00"}]
        async with db.write(EVERY_TENANT) as connection:
            payout = {"id": "pay_1", "amount_nano": 1, "state": "requested", "requested_at": 1}
            await connection.execute(insert(t.payout).values(tenant_id=shop.tenant.id, **payout))
        with pytest.raises(Conflict, match="payout pay_1"):
            await offboarding.look(db, slug, LEAVES)
        with pytest.raises(NotFound):
            await offboarding.look(db, "nobody", LEAVES)


def test_the_command_and_the_file(cli: Cli) -> None:
    cli.seed(make_platform)
    cli.seed(lambda db: make_tenant(db, "aurora", hosts=["aurora.localhost"]))
    command = ("tenant", "offboard", "aurora", "--reason", "closes")
    assert cli.run(*command, "--json").code == 8
    assert cli.ask(*command, "--dry-run")["dry_run"] is True
    assert cli.ask("tenant", "show", "aurora")["status"] == "active"
    assert cli.run("tenant", "offboard", "aurora", "--json").code == 2
    assert cli.run(*command, "--keep-days", "-1", "--yes", "--json").code == 2
    assert cli.run("tenant", "offboard", "platform", "--reason", "x", "--yes", "--json").code == 5
    assert cli.ask(*command, "--yes")["slug"] == "aurora"
    shown = cli.ask("tenant", "show", "aurora")
    assert (shown["status"], shown["erased_at"]) == ("archived", None)
    assert shown["erase_at"] > shown["offboarded_at"]
    file = cli.folder / "tenants.toml"
    file.write_text(FILE)
    revived = cli.run("apply", "-f", str(file), "--yes", "--json")
    assert (revived.code, "has left" in revived.json()["error"]["message"]) == (5, True)
    assert cli.ask("tenant", "offboard", "aurora", "--undo")["status"] == "draft"
    assert cli.ask(*command, "--keep-days", "0", "--yes")["customers"] == 0
    assert cli.ask("tenant", "show", "aurora")["erased_at"] is not None
    assert cli.run(*command, "--yes", "--json").code == 5
