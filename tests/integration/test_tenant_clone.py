"""`tenant clone`: what a new storefront has of another, and what never comes along. On both databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from reseller_kit.core.errors import Conflict
from reseller_kit.core.manifest import STORED
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows import snapshot
from reseller_kit.flows.provision.edit import Edit, edit, read_current
from reseller_kit.flows.tenant_clone import Cloned, CloneOf, clone_tenant
from reseller_kit.flows.tenants import tenant_id_of
from reseller_kit.flows.unlock import unlock
from tests.support.commands import Cli
from tests.support.provisioning import SECRET_KEY, applied, dump, edited, planned, rows, shown

SOURCE = edited(('  overdraft = "0.00"', '  overdraft = "25.00"'))


async def cloned(db: Database, source: str = "aurora", **wanted: Any) -> Cloned:
    vault = await unlock(db, SECRET_KEY)
    asked = CloneOf(**{"slug": "borealis", "name": "Borealis", "hosts": ["borealis.localhost"], **wanted})
    return await clone_tenant(db, vault, source, asked, actor="cli:ada")


async def test_settings_packages_and_prices_come_along(db: Database) -> None:
    await applied(db, SOURCE)
    before = await dump(db)
    done = await cloned(db, status="active", owners=["ada@borealis.example"])
    assert done.detail.view.hosts == ["borealis.localhost", "borealis.stores.localhost"]
    assert [(member.email, member.role) for member in done.detail.members] == [("ada@borealis.example", "owner")]
    old, new = await read_current(db, "aurora"), await read_current(db, "borealis")
    assert new.tenant.pricing == old.tenant.pricing
    assert new.tenant.catalog == old.tenant.catalog
    assert new.tenant.packages == old.tenant.packages
    assert new.tenant.brand.tokens == old.tenant.brand.tokens
    assert new.levels == old.levels
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    assert served.hosts["borealis.localhost"].storefront.models.keys() == (
        served.hosts["aurora.localhost"].storefront.models.keys()
    )
    after = await dump(db)
    theirs = await tenant_id_of(db, "aurora")
    for table in t.metadata.sorted_tables:
        if "tenant_id" in table.c:
            place = list(table.c.keys()).index("tenant_id")
            kept = [row for row in after[table.name] if row[place] == theirs]
            assert kept == [row for row in before[table.name] if row[place] == theirs], table.name
    assert not (await planned(db, SOURCE)).pending


async def test_who_sells_and_what_was_granted_to_one_stay_behind(db: Database) -> None:
    await applied(db, SOURCE)
    done = await cloned(db)
    brand = (await read_current(db, "borealis")).tenant
    assert brand.status == "draft"
    assert brand.brand.legal.company is None
    assert brand.brand.support_email is None
    assert brand.brand.key_prefix == "sk"
    assert brand.wholesale.overdraft == 0
    assert {"brand.legal", "brand.support_email", "brand.key_prefix", "wholesale.overdraft"} <= set(done.left_out)
    assert done.still_naming == ["catalog.aliases.aurora-fast"]


async def test_customers_and_money_stay_where_they_are(db: Database) -> None:
    await applied(db, SOURCE)
    await cloned(db)
    tenant_id = await tenant_id_of(db, "borealis")
    filled = set()
    async with db.read(EVERY_TENANT) as connection:
        for table in t.metadata.sorted_tables:
            if "tenant_id" in table.c:
                found = await connection.execute(select(table).where(table.c.tenant_id == tenant_id).limit(1))
                if found.first() is not None:
                    filled.add(table.name)
        balances = select(t.account.c.balance_nano).where(t.account.c.tenant_id == tenant_id)
        assert set(await connection.scalars(balances)) == {0}
    assert filled == {"account", "audit_log", "domain", "package", "price_version"}


async def test_secrets_and_own_upstreams_stay_behind_and_are_named(db: Database) -> None:
    await applied(db, SOURCE)
    vault = await unlock(db, SECRET_KEY)
    upstream = {"dialect": "openai", "base_url": "http://127.0.0.1:9101/v1", "api_keys": ["env:DEMO_UPSTREAM_KEY"]}
    secret = "a secret of aurora's"
    fields = {
        "email.from": "Aurora <mail@aurora.example>",
        "email.smtp.host": "mail.aurora.example",
        "email.smtp.user": "aurora",
        "email.smtp.password": STORED,
    }
    await edit(
        db,
        vault,
        tenant_slug="aurora",
        edits=[Edit("tenant", "aurora", fields)],
        secrets={"tenant:aurora:email.smtp.password": secret},
        actor="test",
    )
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(
            insert(t.own_upstream).values(
                tenant_id=await tenant_id_of(db, "aurora"), name="own", settings=upstream, created_at=1
            )
        )
    done = await cloned(db)
    assert {"email", "upstreams"} <= set(done.left_out)
    stored = await rows(db, select(t.secret.c.name).where(t.secret.c.name.contains("borealis")))
    assert stored == []
    assert await rows(db, select(t.own_upstream.c.name).where(t.own_upstream.c.name != "own")) == []
    assert (await read_current(db, "borealis")).tenant.email.smtp is None


async def test_pictures_of_the_face_come_along(db: Database) -> None:
    await applied(db, SOURCE)
    vault = await unlock(db, SECRET_KEY)
    tenant_id = await tenant_id_of(db, "aurora")
    digest = "ab" * 32
    async with db.write(EVERY_TENANT) as connection:
        picture = {"kind": "favicon", "content_type": "image/png", "width": 1, "height": 1, "size": 3, "body": b"png"}
        await connection.execute(
            insert(t.brand_image).values(tenant_id=tenant_id, sha256=digest, author="", created_at=1, **picture)
        )
    change = Edit("tenant", "aurora", {"brand.images.favicon": digest})
    await edit(db, vault, tenant_slug="aurora", edits=[change], actor="test")
    await cloned(db)
    found = await rows(db, select(t.brand_image.c.tenant_id, t.brand_image.c.body).order_by(t.brand_image.c.tenant_id))
    assert [row.body for row in found] == [b"png", b"png"]


async def test_a_host_of_another_is_refused_and_nothing_is_made(db: Database) -> None:
    await applied(db, SOURCE)
    before = await dump(db)
    with pytest.raises(Conflict, match=r"nocturne\.localhost"):
        await cloned(db, hosts=["nocturne.localhost"])
    assert await dump(db) == before
    assert shown(await planned(db, SOURCE)) == []


def test_the_command_says_what_is_left_to_do(cli: Cli, tmp_path: Path) -> None:
    cli.seed(lambda db: applied(db, SOURCE))
    made = cli.ask("tenant", "clone", "aurora", "--slug", "borealis", "--host", "Borealis.localhost")
    assert (made["slug"], made["status"], made["from"]) == ("borealis", "draft", "aurora")
    assert made["hosts"][0] == "borealis.localhost"
    assert "brand.legal" in made["left_out"]
    assert "Still names aurora" in cli.run("tenant", "clone", "aurora", "--slug", "third").stdout
    code, error = cli.refused("tenant", "clone", "aurora", "--slug", "third")
    assert (code, error["message"]) == (5, "There is a tenant third already.")
    assert cli.refused("tenant", "clone", "nobody", "--slug", "fourth")[0] == 4
    assert cli.refused("tenant", "clone", "aurora", "--slug", "No Slug")[0] == 2
    assert cli.refused("tenant", "clone", "aurora", "--slug", "fifth", "--host", "http://x")[0] == 2
    (row,) = cli.ask("audit", "list", "--limit", "1")["events"]
    assert (row["ref"], row["after"]["from"], row["tenant"]) == ("third", "aurora", None)
    assert "aurora" not in json.dumps(cli.ask("audit", "list", "--tenant", "borealis")["events"]).replace(
        "aurora-fast", ""
    )
