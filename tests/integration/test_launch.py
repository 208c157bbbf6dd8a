"""A team opens its draft, or asks for it, against a database: what has to be there, who hears of it, what plan says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import Conflict, NotFound
from reseller_kit.core.money import NANO
from reseller_kit.db import audit_log, operator_overview, standing, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from reseller_kit.flows import launch
from reseller_kit.flows.doctor import examine_tenant
from reseller_kit.flows.price_editor import price_sheet, publish_draft
from reseller_kit.flows.providers import Providers
from reseller_kit.flows.provision.edit import Edit, edit
from reseller_kit.flows.tenants import suspend_tenant
from reseller_kit.flows.unlock import unlock
from tests.support.provisioning import EXAMPLE, SECRET_KEY, applied, edited, planned, rows, shown

ACTOR = "member:ada@aurora.example"
DRAFT = edited(('status = "active"', 'status = "draft"'), ("# instructions =", "instructions ="))
REVIEWED = edited(
    ("[platform]\n", '[platform]\nreview_launch = true\nalert_emails = ["op@northwind.example"]\n'), text=DRAFT
)


async def desk(db: Database) -> tuple[Any, Providers]:
    vault = await unlock(db, SECRET_KEY)
    return vault, Providers(db, vault)


async def look(db: Database, slug: str = "aurora") -> launch.Launch | None:
    return await launch.look(db, (await desk(db))[1], slug)


async def missing(db: Database) -> tuple[str, ...]:
    found = await look(db)
    assert found is not None
    return found.missing


async def fund(db: Database) -> None:
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(
            update(t.account).where(t.account.c.kind == "reseller_wallet").values(balance_nano=5 * NANO)
        )


async def change(db: Database, **fields: Any) -> None:
    edits = [Edit("tenant", "aurora", {name.replace("__", "."): value for name, value in fields.items()})]
    await edit(db, await unlock(db, SECRET_KEY), tenant_slug="aurora", edits=edits, actor=ACTOR)


async def mails(db: Database) -> list[tuple[str, str]]:
    return [(row.kind, row.recipient) for row in await rows(db, select(t.outbox)) if "invite" not in row.kind]


async def status(db: Database) -> str:
    async with db.read(NO_TENANT) as connection:
        found = await tenants.find(connection, "aurora")
    assert found is not None
    return found.status


async def open_own(db: Database) -> bool:
    return await launch.open_own(db, *await desk(db), "aurora", actor=ACTOR)


async def ask(db: Database) -> bool:
    return await launch.ask_for_review(db, (await desk(db))[1], "aurora", actor=ACTOR)


async def test_what_matters_is_missing_until_it_is_there(db: Database) -> None:
    await applied(db, DRAFT)
    assert await missing(db) == ("wallet",)
    await fund(db)
    assert await missing(db) == ()
    for fields, name in (
        ({"brand__legal__address": None}, "legal"),
        ({"payments__instructions": None}, "payment"),
        ({"catalog__allow": ["none-*"]}, "models"),
    ):
        kept = {field: (await read(db, field)) for field in fields}
        await change(db, **fields)
        assert await missing(db) == (name,)
        with pytest.raises(Conflict, match=name):
            await open_own(db)
        await change(db, **kept)
    assert await mails(db) == []
    assert await status(db) == "draft"


async def read(db: Database, field: str) -> Any:
    async with db.read(NO_TENANT) as connection:
        found = await tenants.find(connection, "aurora")
    assert found is not None
    value: Any = found.settings
    for part in field.split("__"):
        value = value[part]
    return value


async def test_prices_that_the_operators_own_have_passed_keep_it_closed_unless_they_are_allowed(db: Database) -> None:
    await applied(db, DRAFT)
    await fund(db)
    async with db.write(EVERY_TENANT) as connection:
        values = dict((await connection.execute(select(t.platform.c.settings))).scalar_one())
        values["wholesale"] = {**values.get("wholesale", {}), "markup": "300%"}
        await connection.execute(update(t.platform).values(settings=values))
    assert await missing(db) == ("prices",)
    await change(db, pricing__allow_loss=True)
    assert await missing(db) == ()


async def test_a_team_opens_its_draft_once_and_the_file_does_not_undo_it(db: Database) -> None:
    await applied(db, DRAFT)
    await fund(db)
    assert sorted(await asyncio.gather(open_own(db), open_own(db))) == [False, True]
    assert await status(db) == "active"
    assert await mails(db) == [("storefront_open", "founder@aurora.example")]
    assert shown(await planned(db, DRAFT)) == [("drift", "tenant", "aurora")]
    await applied(db, DRAFT)
    assert await status(db) == "active"
    entries = [row for row in await rows(db, select(t.audit_log)) if row.action == "edit.update"]
    assert [(row.actor, row.before["status"], row.after["status"]) for row in entries] == [(ACTOR, "draft", "active")]
    assert await look(db) is None
    assert await open_own(db) is False
    assert await ask(db) is False
    assert len(await mails(db)) == 1


async def test_the_operator_may_keep_the_last_word(db: Database) -> None:
    await applied(db, REVIEWED)
    with pytest.raises(Conflict, match="wallet"):
        await ask(db)
    await fund(db)
    with pytest.raises(Conflict, match="Whoever runs the service"):
        await open_own(db)
    assert sorted(await asyncio.gather(ask(db), ask(db))) == [False, True]
    found = await look(db)
    assert found is not None
    assert (found.review, found.asked_at is not None) == (True, True)
    assert await mails(db) == [("launch_review", "op@northwind.example")]
    assert await status(db) == "draft"
    _, complaints = await examine_tenant(db, "aurora")
    (about,) = [one for one in complaints if one.code == "DR201"]
    assert "asks for it to be opened" in about.message
    assert '"Open it"' in about.fix
    assert await reviews(db) == 1
    assert await launch.open_any(db, (await desk(db))[0], "aurora", actor="operator:op@northwind.example") is True
    assert await launch.open_any(db, (await desk(db))[0], "aurora", actor="operator:op@northwind.example") is False
    assert (await mails(db))[1:] == [("storefront_open", "founder@aurora.example")]
    assert await reviews(db) == 0
    await change(db, status="draft")
    found = await look(db)
    assert found is not None
    assert found.asked_at is None


async def reviews(db: Database) -> int:
    async with db.read(EVERY_TENANT) as connection:
        return (await operator_overview.stuck(connection, late=now_us())).reviews


async def test_nobody_opens_what_is_suspended_or_asks_where_it_is_not_asked_for(db: Database) -> None:
    await applied(db, DRAFT)
    await fund(db)
    with pytest.raises(Conflict, match="itself"):
        await ask(db)
    await suspend_tenant(db, "aurora", "unpaid", "test")
    with pytest.raises(Conflict, match="suspended"):
        await open_own(db)
    with pytest.raises(NotFound):
        await look(db, "nobody")
    with pytest.raises(NotFound):
        await launch.open_any(db, (await desk(db))[0], "nobody", actor=ACTOR)


async def test_prices_are_the_teams_once_it_set_them_or_kept_them(db: Database) -> None:
    async def ticked() -> bool:
        async with db.read(EVERY_TENANT) as connection:
            tenant = await tenants.find(connection, "aurora")
            assert tenant is not None
            return (await standing.steps(connection, tenant.id)).prices

    await applied(db, EXAMPLE)
    await change(db, brand__tagline="Calm.")
    assert not await ticked()
    sheet, vault = await price_sheet(db, "aurora"), await unlock(db, SECRET_KEY)
    await publish_draft(db, vault, "aurora", sheet.draft, expected=sheet.mark, actor="operator:op@northwind.example")
    assert not await ticked()
    await publish_draft(db, vault, "aurora", sheet.draft, expected=sheet.mark, actor=ACTOR)
    assert await ticked()
    async with db.read(EVERY_TENANT) as connection:
        tenant = await tenants.find(connection, "aurora")
        assert tenant is not None
        (newest,) = await audit_log.page(connection, tenant.id, 1, None)
    assert (newest.action, newest.actor) == (standing.PRICES_KEPT, ACTOR)
