"""Who owns a value, against a database: drift, orphans, pruning, and states set outside the file."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import InvalidManifest
from reseller_kit.core.merge import Change
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows import snapshot
from reseller_kit.flows.tenants import NewTenant, create_tenant, suspend_tenant
from reseller_kit.flows.unlock import unlock
from tests.support.provisioning import (
    EXAMPLE,
    ONE_TENANT,
    SECRET_KEY,
    applied,
    dump,
    edited,
    planned,
    rows,
    shown,
    without,
)


async def set_markup(db: Database, slug: str, markup: str) -> None:
    """As a console does it, but for the prices."""
    async with db.write(EVERY_TENANT) as connection:
        settings = await connection.scalar(select(t.tenant.c.settings).where(t.tenant.c.slug == slug))
        assert settings is not None
        settings["pricing"]["markup"] = markup
        await connection.execute(update(t.tenant).where(t.tenant.c.slug == slug).values(settings=settings))


async def test_what_was_set_elsewhere_is_kept_until_it_is_reset(db: Database) -> None:
    await applied(db)
    await set_markup(db, "aurora", "60%")
    drift = Change(action="drift", kind="tenant", id="aurora", fields={"pricing.markup": {"old": "40%", "new": "60%"}})
    assert (await planned(db)).changes == (drift,)
    done = await applied(db, edited(('tagline = "Every', 'tagline = "Nearly every')))
    assert shown(done) == [("update", "tenant", "aurora"), ("drift", "tenant", "aurora")]
    assert list(done.changes[0].fields) == ["brand.tagline"]
    assert (await applied(db, reset_drift=True)).changes[0].fields["pricing.markup"] == {"old": "60%", "new": "40%"}
    assert (await planned(db)).changes == ()


async def test_drift_alone_is_not_pending(db: Database) -> None:
    await applied(db)
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.tenant).where(t.tenant.c.slug == "aurora").values(theme="midnight"))
    found = await planned(db)
    assert shown(found) == [("drift", "tenant", "aurora")]
    assert not found.pending


async def test_what_the_file_drops_stays_as_an_orphan(db: Database) -> None:
    await applied(db)
    before = await dump(db)
    found = await applied(db, ONE_TENANT)
    assert shown(found) == [("orphan", "tenant", "nocturne")]
    after = await dump(db)
    assert after["tenant"] == before["tenant"]
    assert after["domain"] == before["domain"]
    assert shown(await planned(db, ONE_TENANT)) == [("orphan", "tenant", "nocturne")]


async def test_prune_archives_and_the_file_can_bring_it_back(db: Database) -> None:
    await applied(db)
    text = without('[models."gpt-5"]', '[models."gpt-4.1"]', ONE_TENANT)
    text = without('  [[tenants.packages]]\n  id = "top-up"', "  [tenants.payments]", text)
    text = without('  [[tenants.domains]]\n  host = "127.0.0.2"', "  [tenants.brand]", text)
    done = await applied(db, text, prune=True)
    assert shown(done) == [
        ("archive", "domain", "127.0.0.2"),
        ("archive", "model", "gpt-5"),
        ("archive", "package", "aurora/top-up"),
        ("archive", "tenant", "nocturne"),
    ]
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    assert "127.0.0.2" not in served.hosts
    assert served.hosts["127.0.0.3"].storefront.status == "archived"
    assert "gpt-5" not in served.hosts["aurora.localhost"].storefront.models
    assert [package["id"] for package in served.hosts["aurora.localhost"].storefront.packages] == ["starter"]
    assert (await applied(db, text, prune=True)).changes == ()
    back = await applied(db)
    assert shown(back) == [
        ("create", "model", "gpt-5"),
        ("create", "domain", "127.0.0.2"),
        ("create", "package", "aurora/top-up"),
        ("update", "tenant", "nocturne"),
    ]
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    assert served.hosts["127.0.0.2"].storefront.models["gpt-5"].routes
    assert served.hosts["127.0.0.3"].storefront.status == "active"
    assert (await planned(db)).changes == ()


async def test_a_suspension_is_never_lifted(db: Database) -> None:
    await applied(db)
    await suspend_tenant(db, "aurora", "unpaid", "test")
    await applied(db, edited(('name = "Aurora AI"', 'name = "Aurora"')), reset_drift=True, prune=True)
    row = (await rows(db, select(t.tenant).where(t.tenant.c.slug == "aurora")))[0]
    assert row.name == "Aurora"
    assert row.suspended_at is not None


async def test_a_tenant_made_by_command_gets_its_prices_and_is_an_orphan(db: Database) -> None:
    await applied(db)
    await create_tenant(db, NewTenant(slug="boreal", name="Boreal", hosts=["boreal.localhost"], markup="20%"), "test")
    found = await planned(db)
    assert shown(found) == [("orphan", "tenant", "boreal")]
    assert {move.tenant for move in found.prices} == {"boreal"}
    assert found.pending
    await applied(db)
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    assert served.hosts["boreal.localhost"].storefront.models["gpt-5"].retail.price_list.prices["input"] == 1_650_000
    assert not (await planned(db)).pending


async def test_the_merged_state_must_be_valid_too(db: Database) -> None:
    await applied(db)
    dearer = edited(('output = "2.00"', 'output = "2.10"'), text=ONE_TENANT)
    await applied(db, dearer)
    before = await dump(db)
    await set_markup(db, "nocturne", "-50%")
    with pytest.raises(InvalidManifest) as refused:
        await applied(db, edited(('output = "2.10"', 'output = "2.20"'), text=dearer))
    assert refused.value.details[0]["code"] == "RK401"
    assert refused.value.details[0]["path"] == "tenants.nocturne.pricing.markup"
    assert (await dump(db))["price_version"] == before["price_version"]


async def test_a_key_dropped_from_the_file_takes_its_default_again(db: Database) -> None:
    await applied(db)
    done = await applied(db, edited(('  key_prefix = "aur"', "  #")))
    assert done.changes[0].fields == {"brand.key_prefix": {"old": "aur", "new": None}}
    settings = (await rows(db, select(t.tenant.c.settings).where(t.tenant.c.slug == "aurora")))[0][0]
    assert "key_prefix" not in settings["brand"]
    assert (await planned(db, edited(('  key_prefix = "aur"', "  #")))).changes == ()


async def test_the_same_end_state_by_any_way(db: Database, databases: Any, backend: str) -> None:
    """Applying one file after another ends where applying the last alone does."""
    last = edited(
        ('markup = "40%"', 'markup = "45%"'),
        ('allow = ["gpt-*"]', 'allow = ["*"]'),
        ('max = "500.00"', 'max = "250"'),
        ('presets = ["10.00", "25.00", "100.00"]', 'presets = ["10"]'),
    )
    for text in (ONE_TENANT, EXAMPLE, edited(("priority = 0, weight = 1", "weight = 2")), last):
        await applied(db, text, prune=True)
    async with databases.ready(backend) as url:
        fresh = Database(url)
        await applied(fresh, last)
        vaults = [await unlock(database, SECRET_KEY) for database in (db, fresh)]
        one, two = [comparable(await snapshot.load(*pair)) for pair in zip((db, fresh), vaults, strict=True)]
        await fresh.close()
    assert one == two


def comparable(served: Any) -> Any:
    """What customers and calls see, without ids and times."""
    return {
        host: {
            "settings": entry.storefront.settings,
            "packages": entry.storefront.packages,
            "models": {
                name: (model.context, model.retail.price_list, model.wholesale.price_list)
                for name, model in entry.storefront.models.items()
            },
            "routes": {
                name: [(route.upstream, route.weight, route.cost.price_list) for route in model.routes]
                for name, model in entry.storefront.models.items()
            },
        }
        for host, entry in served.hosts.items()
    }
