"""Changes of a tenant's configuration outside the file, against a database: carried out, refused, seen by `plan`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from reseller_kit.core.errors import Conflict, InvalidManifest, KitError, NotFound
from reseller_kit.core.manifest import STORED
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows import snapshot
from reseller_kit.flows.payment_setup import Wanted, save_setup
from reseller_kit.flows.provision import Plan
from reseller_kit.flows.provision.edit import Edit, edit, preview, problems_of, read_current
from reseller_kit.flows.unlock import unlock
from tests.support.provisioning import SECRET_KEY, applied, dump, edited, manifest_of, planned, rows, shown


async def changed(db: Database, *edits: Edit, slug: str = "aurora", **options: Any) -> Plan:
    vault = await unlock(db, SECRET_KEY)
    return await edit(db, vault, tenant_slug=slug, edits=edits, actor="member:ada@aurora.example", **options)


def tenant(**fields: Any) -> Edit:
    return Edit("tenant", "aurora", {name.replace("__", "."): value for name, value in fields.items()})


async def refused(db: Database, *edits: Edit, **options: Any) -> dict[str, str]:
    before = await dump(db)
    with pytest.raises(InvalidManifest) as error:
        await changed(db, *edits, **options)
    assert await dump(db) == before
    return problems_of(error.value.details)


async def test_an_edit_is_in_force_and_is_drift_to_the_file(db: Database) -> None:
    await applied(db)
    rule = {"match": "gpt-5", "markup": "25.0%"}
    done = await changed(db, tenant(pricing__markup="60%", pricing__rules=[rule], brand__tagline="Brighter"))
    assert shown(done) == [("update", "tenant", "aurora")]
    assert {move.model for move in done.prices} >= {"gpt-5", "gpt-5-mini"}
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    prices = {
        name: model.retail.price_list.prices["input"]
        for name, model in served.hosts["aurora.localhost"].storefront.models.items()
    }
    assert prices["gpt-5-mini"] == 440_000
    assert prices["gpt-5"] == 1_718_750
    found = await planned(db)
    assert not found.pending
    assert shown(found) == [("drift", "tenant", "aurora")]
    assert found.changes[0].fields["pricing.markup"] == {"old": "40%", "new": "60%"}
    assert found.changes[0].fields["pricing.rules"]["new"] == [{"match": "gpt-5", "markup": "25%"}]
    kept = await applied(db, edited(('name = "Nocturne"', 'name = "Nocturne Labs"')))
    assert shown(kept)[-1][0] in {"drift", "update"}
    assert (await read_current(db, "aurora")).tenant.pricing.markup == 600_000
    await applied(db, edited(('name = "Nocturne"', 'name = "Nocturne Labs"')), reset_drift=True)
    assert (await read_current(db, "aurora")).tenant.pricing.markup == 400_000
    assert (await planned(db, edited(('name = "Nocturne"', 'name = "Nocturne Labs"')))).changes == ()


async def test_it_is_recorded_with_what_was_before(db: Database) -> None:
    await applied(db)
    await changed(db, tenant(pricing__markup="60%"))
    row = (await rows(db, select(t.audit_log).order_by(t.audit_log.c.id.desc()).limit(1)))[0]
    assert (row.actor, row.action, row.kind, row.ref) == (
        "member:ada@aurora.example",
        "edit.update",
        "tenant",
        "aurora",
    )
    assert (row.before, row.after) == ({"pricing.markup": "40%"}, {"pricing.markup": "60%"})
    before = await dump(db)
    assert not (await changed(db, tenant(pricing__markup="60.00%"))).pending
    assert await dump(db) == before


async def test_what_is_wrong_is_told_by_field_and_changes_nothing(db: Database) -> None:
    await applied(db)
    problems = await refused(db, tenant(pricing__markup="lots", theme="sunlight"))
    assert set(problems) == {"pricing.markup", "theme"}
    problems = await refused(db, tenant(pricing__markup="-50%"))
    assert set(problems) == {"pricing.markup"}
    assert "Retail lies below wholesale" in problems["pricing.markup"]
    assert set(await refused(db, tenant(pricing__rules=[{"match": "gpt-5", "input": "free"}]))) == {
        "pricing.rules[0].input"
    }
    problems = await refused(db, Edit("package", "aurora/bad", {"kind": "package", "title": "Bad"}))
    assert all(path.startswith("packages.bad") for path in problems)


async def test_hosts_of_others_are_not_given_away(db: Database) -> None:
    await applied(db)
    for host in ("nocturne.localhost", "nocturne.stores.localhost", "platform.localhost"):
        problems = await refused(db, Edit("domain", host, {"role": "storefront"}))
        assert set(problems) == {f"domains.{host}.host"}
        assert problems[f"domains.{host}.host"] == "This host is not available. Choose another host."
    with pytest.raises(ValueError, match="not the tenant's"):
        await changed(db, Edit("package", "nocturne/x", {}))


async def test_packages_domains_and_owners(db: Database) -> None:
    await applied(db)
    fields = {"kind": "package", "title": "Big", "price": "50", "credits": "65.00"}
    done = await changed(
        db,
        Edit("package", "aurora/big", fields),
        Edit("package", "aurora/starter", {"title": "First steps"}),
        Edit("package", "aurora/top-up", None),
        Edit("domain", "New.Aurora.localhost", {"role": "alias"}),
        Edit("owner", "aurora/Second@aurora.example", {"role": "owner"}),
    )
    assert set(shown(done)) == {
        ("create", "domain", "new.aurora.localhost"),
        ("create", "package", "aurora/big"),
        ("update", "package", "aurora/starter"),
        ("archive", "package", "aurora/top-up"),
        ("create", "owner", "aurora/second@aurora.example"),
    }
    versions = await rows(
        db, select(t.package.c.code, t.package.c.version, t.package.c.status).order_by(t.package.c.id)
    )
    assert ("starter", 1, "superseded") in versions
    assert ("starter", 2, "offered") in versions
    found = await planned(db)
    assert not found.pending
    assert ("drift", "package", "aurora/top-up") in shown(found)
    assert ("drift", "package", "aurora/starter") in shown(found)
    assert ("orphan", "package", "aurora/big") in shown(found)
    await applied(db, reset_drift=True)
    offered = (await read_current(db, "aurora")).tenant.packages
    assert {package.id: package.title for package in offered}["starter"] == "Starter"
    assert {package.id for package in offered} >= {"starter", "top-up", "big"}


async def test_a_tenant_is_made_with_all_that_it_has(db: Database) -> None:
    await applied(db)
    made = (
        Edit("tenant", "boreal", {"name": "Boreal", "pricing.markup": "20%"}),
        Edit("domain", "boreal.localhost", {"role": "storefront", "primary": True}),
        Edit("owner", "boreal/ada@boreal.example", {"role": "owner"}),
    )
    assert "gpt-5" in (await preview(db, tenant_slug="boreal", edits=made, new=True)).levels
    with pytest.raises(NotFound):
        await changed(db, *made, slug="boreal")
    await changed(db, *made, slug="boreal", new=True)
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    assert served.hosts["boreal.localhost"].storefront.models["gpt-5"].retail.price_list.prices["input"] == 1_650_000
    assert shown(await planned(db)) == [("orphan", "tenant", "boreal")]
    with pytest.raises(Conflict):
        await changed(db, *made, slug="boreal", new=True)


async def test_a_secret_that_was_typed_in_stays_until_the_file_changes(db: Database) -> None:
    await applied(db)
    paddle = tenant(payments__provider="paddle", payments__api_key=STORED, payments__webhook_secret=STORED)
    assert set(await refused(db, paddle)) == {"payments.api_key", "payments.webhook_secret"}
    names = ("tenant:aurora:payments.api_key", "tenant:aurora:payments.webhook_secret")
    await changed(db, paddle, secrets=dict.fromkeys(names, "first-secret"))
    done = await changed(db, tenant(payments__api_key=STORED), secrets={names[0]: "second-secret"})
    assert shown(done) == [("update", "tenant", "aurora")]
    assert done.changes[0].fields == {"secret": "changed"}

    async def stored() -> dict[str, str]:
        vault = await unlock(db, SECRET_KEY)
        found = await rows(db, select(t.secret).where(t.secret.c.name.in_(names)))
        return {row.name: vault.open(row.name, row.key_id, bytes(row.ciphertext)) for row in found}

    kept = dict(zip(names, ("second-secret", "first-secret"), strict=True))
    assert await stored() == kept
    found = await planned(db)
    assert not found.pending
    assert found.warnings == (await planned(db)).warnings
    await applied(db, edited(('name = "Aurora AI"', 'name = "Aurora"')))
    assert await stored() == kept
    with pytest.raises(ValueError, match="no field"):
        await changed(db, tenant(name="X"), secrets={"tenant:nocturne:payments.api_key": "x"})
    await applied(db, reset_drift=True)
    assert await stored() == {}


async def test_a_file_cannot_hold_the_mark_of_a_typed_secret(db: Database) -> None:
    with pytest.raises(InvalidManifest) as error:
        manifest_of(edited(('["env:DEMO_UPSTREAM_KEY"]', '["console:"]')))
    assert error.value.details[0]["code"] == "RK210"


async def test_two_edits_at_once_lose_nothing(db: Database) -> None:
    await applied(db)
    mark = (await read_current(db, "aurora")).mark("pricing", "catalog")
    results = await asyncio.gather(
        *(changed(db, tenant(pricing__markup=f"{percent}%"), expected=mark) for percent in (51, 52, 53)),
        changed(
            db,
            tenant(brand__tagline="Other parts are no concern"),
            expected=(await read_current(db, "aurora")).mark("brand"),
        ),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "Plan", "Plan"]
    now = (await read_current(db, "aurora")).tenant
    assert now.brand.tagline == "Other parts are no concern"
    assert now.pricing.markup in {510_000, 520_000, 530_000}


async def test_a_preview_changes_nothing_and_refuses_alike(db: Database) -> None:
    await applied(db)
    before = await dump(db)
    found = await preview(db, tenant_slug="aurora", edits=[tenant(pricing__markup="60%", catalog__deny=["gpt-5"])])
    assert "gpt-5" not in found.levels
    assert found.levels["gpt-5-mini"].retail.prices["input"] == 600_000
    with pytest.raises(KitError):
        await preview(db, tenant_slug="aurora", edits=[tenant(pricing__markup="?")])
    with pytest.raises(NotFound):
        await preview(db, tenant_slug="nobody", edits=[])
    assert await dump(db) == before


@pytest.mark.parametrize("state", ["verified", "detached", "tombstone"])
async def test_a_host_that_another_tenant_holds_is_not_taken_over(db: Database, state: str) -> None:
    await applied(db)
    taken = "shop.borealis.example"
    async with db.write(EVERY_TENANT) as connection:
        other = await connection.scalar(select(t.tenant.c.id).where(t.tenant.c.slug == "nocturne"))
        held = {"tenant_id": other, "host": taken, "role": "storefront", "is_primary": False, "state": state}
        await connection.execute(insert(t.domain).values(**held, source="console", warned_days=0, created_at=1))
    problems = await refused(db, Edit("domain", taken, {"tenant": "aurora", "role": "storefront", "primary": False}))
    assert list(problems) == [f"domains.{taken}.host"]


async def test_how_the_operators_account_is_paid_is_not_the_teams_to_set(db: Database) -> None:
    await applied(db)
    async with db.write(EVERY_TENANT) as connection:
        c = t.tenant.c
        settings = await connection.scalar(select(c.settings).where(c.slug == "aurora"))
        shared = {**(settings or {}), "payments": {"account": "platform"}}
        await connection.execute(update(t.tenant).where(c.slug == "aurora").values(settings=shared))
    before = await dump(db)
    wanted = Wanted(fields={"provider": "paddle"}, secrets={"webhook_secret": "of-my-own-choice"})
    with pytest.raises(NotFound):
        await save_setup(db, await unlock(db, SECRET_KEY), tenant_slug="aurora", wanted=wanted, actor="member:a@b.c")
    assert await dump(db) == before
