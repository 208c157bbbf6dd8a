"""apply against a database: what is written, and that it is all or nothing."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from reseller_kit.core.errors import Conflict, InvalidManifest
from reseller_kit.db import revisions
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows import snapshot
from reseller_kit.flows.unlock import unlock
from tests.support.provisioning import (
    ONE_TENANT,
    SECRET_KEY,
    applied,
    dump,
    edited,
    manifest_of,
    planned,
    rows,
    shown,
)


async def test_the_first_apply_makes_everything_that_is_served(db: Database) -> None:
    done = await applied(db)
    assert {change.action for change in done.changes} == {"create"}
    vault = await unlock(db, SECRET_KEY)
    served = await snapshot.load(db, vault)
    assert set(served.hosts) == {
        "aurora.localhost",
        "127.0.0.2",
        "aurora.stores.localhost",
        "nocturne.localhost",
        "127.0.0.3",
        "nocturne.stores.localhost",
    }
    assert [key.secret for key in served.upstreams["demo"].api_keys] == ["sk-upstream-1"]
    aurora = served.hosts["127.0.0.2"].storefront
    assert aurora.primary_host == "aurora.localhost"
    assert set(aurora.models) == {"gpt-5-mini", "gpt-5", "gpt-4.1", "claude-sonnet-4-5", "aurora-fast"}
    mini = aurora.models["aurora-fast"]
    assert mini.model == "gpt-5-mini"
    assert mini.retail.price_list.prices["input"] == 600_000
    assert mini.wholesale.price_list.prices["input"] == 275_000
    assert mini.routes[0].cost.price_list.prices["cached_input"] == 25_000
    assert aurora.limits.requests_per_minute == 600
    assert [package["id"] for package in aurora.packages] == ["starter", "top-up"]
    nocturne = served.hosts["127.0.0.3"].storefront
    assert "claude-sonnet-4-5" not in nocturne.models
    assert nocturne.models["gpt-4.1"].retail.price_list.prices["input"] == 2_592_000


async def test_the_same_file_again_writes_nothing(db: Database) -> None:
    await applied(db)
    before = await dump(db)
    again = await applied(db)
    assert again.changes == ()
    assert again.prices == ()
    assert not again.pending
    assert await dump(db) == before


async def test_plan_writes_nothing_and_foretells_apply(db: Database) -> None:
    await unlock(db, SECRET_KEY)
    before = await dump(db)
    foretold = await planned(db)
    assert await dump(db) == before
    done = await applied(db)
    assert done.changes == foretold.changes
    assert done.prices == foretold.prices


async def test_a_new_price_is_a_new_version_and_the_old_one_stays(db: Database) -> None:
    await applied(db)
    before = (await dump(db))["price_version"]
    done = await applied(db, edited(('markup = "40%"', 'markup = "50%"')))
    assert shown(done) == [("update", "tenant", "aurora")]
    assert done.changes[0].fields == {"pricing.markup": {"old": "40%", "new": "50%"}}
    assert {(move.tenant, move.model) for move in done.prices} == {
        ("aurora", "gpt-5"),
        ("aurora", "gpt-4.1"),
        ("aurora", "gpt-5-mini"),
    }
    after = (await dump(db))["price_version"]
    assert after[: len(before)] == before
    assert sorted((row[2], row[3]) for row in after[len(before) :]) == [
        ("retail", "gpt-4.1"),
        ("retail", "gpt-5"),
        ("retail", "gpt-5-mini"),
    ]


async def test_a_new_cost_reaches_every_level_and_the_route(db: Database) -> None:
    await applied(db)
    await applied(db, edited(('input = "1.25", cached_input = "0.125"', 'input = "1.50", cached_input = "0.125"')))
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    model = served.hosts["127.0.0.3"].storefront.models["gpt-5"]
    assert model.routes[0].cost.price_list.prices["input"] == 1_500_000
    assert model.wholesale.price_list.prices["input"] == 1_620_000
    assert model.retail.price_list.prices["input"] == 2_835_000


async def test_each_change_is_told_to_servers_and_kept_in_the_audit_log(db: Database) -> None:
    await applied(db)
    async with db.read(EVERY_TENANT) as connection:
        before = await revisions.current(connection)
    await applied(db, edited(('tagline = "Every', 'tagline = "Nearly every')))
    async with db.read(EVERY_TENANT) as connection:
        assert await revisions.current(connection) == before + 1
        assert [kind for _, kind, _ in await revisions.since(connection, before)] == ["config"]
    newest = (await rows(db, select(t.audit_log).order_by(t.audit_log.c.id.desc()).limit(1)))[0]
    assert (newest.actor, newest.action, newest.kind, newest.ref) == ("test", "apply.update", "tenant", "aurora")
    assert newest.before == {"brand.tagline": "Every leading model behind one calm API."}
    assert newest.tenant_id is not None


async def test_a_failure_half_way_leaves_no_trace(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await applied(db, ONE_TENANT)
    before = await dump(db)

    async def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(revisions, "bump", fail)
    with pytest.raises(RuntimeError):
        await applied(db, edited(('markup = "40%"', 'markup = "41%"')))
    assert await dump(db) == before


async def test_two_applies_at_once_do_the_work_once(db: Database) -> None:
    await unlock(db, SECRET_KEY)
    other = Database(db.url.render_as_string(hide_password=False))
    try:
        one, two = await asyncio.gather(applied(db), applied(other))
    finally:
        await other.close()
    assert sorted([len(one.changes), len(two.changes)]) == [0, 18]
    assert len((await dump(db))["applied_manifest"]) == 1


async def test_others_changes_after_the_plan_are_a_conflict(db: Database) -> None:
    text = edited(('markup = "40%"', 'markup = "50%"'))
    await applied(db)
    agreed = await planned(db, text)
    await applied(db, edited(('name = "Nocturne"', 'name = "Nox"')))
    before = await dump(db)
    with pytest.raises(Conflict):
        await applied(db, text, expected=agreed.changes)
    assert await dump(db) == before


async def test_a_host_can_move_to_another_tenant(db: Database) -> None:
    await applied(db)
    moved = edited(('host = "127.0.0.2"', 'host = "127.0.0.9"'), ('host = "127.0.0.3"', 'host = "127.0.0.2"'))
    done = await applied(db, moved)
    assert next(change for change in done.changes if change.id == "127.0.0.2").fields == {
        "tenant": {"old": "aurora", "new": "nocturne"}
    }
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    assert served.hosts["127.0.0.2"].storefront.slug == "nocturne"
    hosts = await rows(db, select(func.count()).select_from(t.domain).where(t.domain.c.host == "127.0.0.2"))
    assert hosts[0][0] == 1


async def test_a_package_keeps_its_old_versions(db: Database) -> None:
    await applied(db)
    await applied(db, edited(('credits = "12.00"', 'credits = "13.00"')))
    found = await rows(db, select(t.package).where(t.package.c.code == "starter").order_by(t.package.c.version))
    assert [(row.version, row.status, row.terms["credits"]) for row in found] == [
        (1, "superseded", "12.00"),
        (2, "offered", "13.00"),
    ]


async def test_routes_come_and_go_with_the_file(db: Database) -> None:
    second = '{ upstream = "demo", model = "gpt-5-backup", priority = 1, cost = { input = "1.00", output = "9.00" } }'
    await applied(db, edited(('model = "gpt-5" }', f'model = "gpt-5" }}, {second}')))
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    routes = served.hosts["127.0.0.2"].storefront.models["gpt-5"].routes
    assert [(route.upstream_model, route.priority) for route in routes] == [("gpt-5", 0), ("gpt-5-backup", 1)]
    assert routes[1].cost.price_list.prices["output"] == 9_000_000
    await applied(db)
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    assert len(served.hosts["127.0.0.2"].storefront.models["gpt-5"].routes) == 1
    assert not (await planned(db)).pending


async def test_no_plaintext_is_stored(db: Database) -> None:
    await applied(db, environ={"DEMO_UPSTREAM_KEY": "sk-very-secret-value"})
    assert b"very-secret" not in repr(await dump(db)).encode()


async def test_a_language_without_texts_is_warned_of() -> None:
    text = edited(('locales = ["en", "de", "es", "zh", "ar"]', 'locales = ["en", "de-AT", "fr"]'))
    (found,) = [finding for finding in manifest_of(text).warnings if finding.code == "RK507"]
    assert (found.path, found.level) == ("tenants[0].brand.locales", "warning")
    assert "'fr'" in found.message
    assert "There are ar, de, en, es, zh." in found.fix


async def test_every_theme_error_is_in_the_one_report() -> None:
    text = edited(
        ('theme = "daylight"', 'theme = "dayligth"'),
        ('{ light = "#be185d", dark = "#f9a8d4" }', '"no colour"'),
        ('markup = "75%"', "markup = 75"),
    )
    with pytest.raises(InvalidManifest) as refused:
        manifest_of(text)
    found = [(finding["code"], finding["path"]) for finding in refused.value.details]
    assert found == [
        ("RK502", "tenants[0].theme"),
        ("RK503", 'tenants[1].brand.tokens."color.accent"'),
        ("RK105", "tenants[1].pricing.markup"),
    ]
    assert refused.value.details[0]["fix"] == 'Did you mean "daylight"?'
