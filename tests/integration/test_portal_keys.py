"""A customer's own keys: its terms, an overlap when it rotates, and nobody else's ever."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from reseller_kit.core.errors import (
    AccountSuspended,
    AddressNotAllowed,
    Conflict,
    InvalidRequest,
    NotFound,
    Unauthenticated,
)
from reseller_kit.core.ids import new_id
from reseller_kit.core.paging import Window
from reseller_kit.core.storefront import Storefront
from reseller_kit.core.times import DAY_US, HOUR_US
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows import own_keys, spend_alerts
from reseller_kit.flows import snapshot as snapshots
from reseller_kit.flows.authenticate import KeyCache, authenticate
from reseller_kit.flows.keys import KeyTerms
from reseller_kit.flows.own_keys import create_own_key, edit_own_key, own_key, revoke_own_key, rotate_own_key
from reseller_kit.flows.playground import playground_account
from reseller_kit.flows.rollup import roll_up
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import Vault
from tests.support.commands import Cli
from tests.support.factories import SECRET_KEY, make_customer, make_platform, make_tenant
from tests.support.ledger import Shop, add_customer, deposit, grant, hold, make_shop, open_ledger, settle

TERMS = KeyTerms(name="laptop", limit=5_000_000_000, reset="monthly", models=("gpt-*",), allow_ips=("203.0.113.7/32",))


class Portal:
    """A storefront with two customers, and a stranger's one."""

    def __init__(self, db: Database, vault: Vault, storefront: Storefront, kim: str, lee: str) -> None:
        self.db, self.vault, self.storefront, self.kim, self.lee = db, vault, storefront, kim, lee
        self.cache = KeyCache(db, vault.pepper)

    async def enter(self, secret: str, address: str = "203.0.113.7", now: int | None = None) -> str:
        self.cache.clear()
        account = await authenticate(self.cache, self.storefront, secret, now or now_us(), address=lambda: address)
        return account.key_id


async def open_portal(db: Database) -> tuple[Portal, Portal]:
    """Two storefronts' portals, whose first customers have the same address."""
    await make_platform(db)
    made: list[tuple[int, str, str]] = []
    for slug in ("aurora", "borealis"):
        tenant = await make_tenant(db, slug, hosts=[f"{slug}.localhost"])
        kim, lee = [await make_customer(db, tenant, email) for email in ("kim@x.example", "lee@x.example")]
        made.append((tenant.id, kim.id, lee.id))
    vault = await unlock(db, SECRET_KEY)
    snapshot = await snapshots.load(db, vault)
    sites = {entry.storefront.tenant_id: entry.storefront for entry in snapshot.hosts.values()}
    one, two = (Portal(db, vault, sites[tenant_id], kim, lee) for tenant_id, kim, lee in made)
    return one, two


async def test_a_key_has_the_terms_it_was_given_and_works_from_its_network_alone(db: Database) -> None:
    portal, _ = await open_portal(db)
    made = await create_own_key(db, portal.vault, portal.storefront, portal.kim, TERMS)
    assert made.owned.key.allow_ips == ("203.0.113.7",)
    assert await portal.enter(made.secret) == made.owned.key.id
    assert await portal.enter(made.secret, "::ffff:203.0.113.7") == made.owned.key.id
    for address in ("203.0.113.8", "2001:db8::1", "", "unknown"):
        with pytest.raises(AddressNotAllowed):
            await portal.enter(made.secret, address)
    edited = await edit_own_key(
        db,
        portal.storefront,
        portal.kim,
        made.owned.key.id,
        KeyTerms(name="desk", allow_ips=("2001:db8::/32", "10.0.0.0/8"), requests_per_minute=5, concurrent_requests=2),
    )
    assert (edited.owned.key.name, edited.use, edited.owned.key.models) == ("desk", None, ())
    stored = (await own_key(db, portal.storefront, portal.kim, made.owned.key.id)).owned.key
    assert (stored.requests_per_minute, stored.concurrent_requests) == (5, 2)
    assert await portal.enter(made.secret, "2001:db8::1") == made.owned.key.id
    with pytest.raises(AddressNotAllowed):
        await portal.enter(made.secret)


async def test_another_customers_key_is_an_unknown_key(db: Database) -> None:
    portal, other = await open_portal(db)
    mine = (await create_own_key(db, portal.vault, portal.storefront, portal.kim, TERMS)).owned.key.id
    lees = (await create_own_key(db, portal.vault, portal.storefront, portal.lee, TERMS)).owned.key.id
    strange = (await create_own_key(db, other.vault, other.storefront, other.kim, TERMS)).owned.key.id
    shop, kim = portal.storefront, portal.kim
    said = set()
    for key_id in (lees, strange, new_id("key"), "key_", "%; --"):
        for act in (
            own_key(db, shop, kim, key_id),
            edit_own_key(db, shop, kim, key_id, KeyTerms()),
            rotate_own_key(db, portal.vault, shop, kim, key_id, 0),
            revoke_own_key(db, shop, kim, key_id),
        ):
            with pytest.raises(NotFound) as caught:
                await act
            said.add(caught.value.message.replace(key_id, "…"))
    assert len(said) == 1
    listed = await own_keys.own_keys(db, shop, kim, Window(100))
    assert [view.owned.key.id for view in listed.items] == [mine]
    assert (await own_key(db, shop, portal.lee, lees)).owned.key.revoked_at is None


async def test_a_rotated_key_works_on_for_the_overlap(db: Database) -> None:
    portal, _ = await open_portal(db)
    old = await create_own_key(db, portal.vault, portal.storefront, portal.kim, TERMS)
    new = await rotate_own_key(db, portal.vault, portal.storefront, portal.kim, old.owned.key.id, HOUR_US)
    assert await portal.enter(old.secret) == old.owned.key.id
    assert await portal.enter(new.secret) == new.owned.key.id
    assert new.owned.key.allow_ips == old.owned.key.allow_ips
    with pytest.raises(Unauthenticated):
        await portal.enter(old.secret, now=now_us() + HOUR_US)
    at_once = await rotate_own_key(db, portal.vault, portal.storefront, portal.kim, new.owned.key.id, 0)
    with pytest.raises(Unauthenticated):
        await portal.enter(new.secret)
    with pytest.raises(Conflict):
        await rotate_own_key(db, portal.vault, portal.storefront, portal.kim, new.owned.key.id, 0)
    with pytest.raises(InvalidRequest):
        await rotate_own_key(db, portal.vault, portal.storefront, portal.kim, at_once.owned.key.id, 31 * DAY_US)


async def test_terms_that_make_no_sense_are_refused(db: Database) -> None:
    portal, _ = await open_portal(db)
    made = await create_own_key(db, portal.vault, portal.storefront, portal.kim, TERMS)
    for terms in (
        KeyTerms(allow_ips=("300.1.1.1",)),
        KeyTerms(allow_ips=("10.0.0.1/8",)),
        KeyTerms(allow_ips=tuple(f"10.0.0.{number}" for number in range(51))),
        KeyTerms(reset="daily"),
        KeyTerms(limit=0),
        KeyTerms(models=("a b",)),
        KeyTerms(requests_per_minute=0),
        KeyTerms(expires_at=1),
    ):
        with pytest.raises(InvalidRequest):
            await create_own_key(db, portal.vault, portal.storefront, portal.kim, terms)
        with pytest.raises(InvalidRequest):
            await edit_own_key(db, portal.storefront, portal.kim, made.owned.key.id, terms)


async def test_who_is_suspended_or_unverified_makes_no_keys_and_no_calls(db: Database) -> None:
    portal, other = await open_portal(db)
    made = await create_own_key(db, portal.vault, portal.storefront, portal.kim, TERMS)
    assert (await playground_account(db, portal.storefront, portal.kim)).key_id == "playground"
    for column, value in (("status", "suspended"), ("verified_at", None)):
        async with db.write(EVERY_TENANT) as connection:
            before = {"status": "active", "verified_at": 1, column: value}
            await connection.execute(update(t.customer).where(t.customer.c.id == portal.kim).values(before))
        with pytest.raises(AccountSuspended):
            await create_own_key(db, portal.vault, portal.storefront, portal.kim, TERMS)
        with pytest.raises(AccountSuspended):
            await rotate_own_key(db, portal.vault, portal.storefront, portal.kim, made.owned.key.id, 0)
        with pytest.raises(AccountSuspended):
            await playground_account(db, portal.storefront, portal.kim)
    with pytest.raises(AccountSuspended):
        await playground_account(db, portal.storefront, other.kim)
    await revoke_own_key(db, portal.storefront, portal.kim, made.owned.key.id)
    assert (await own_key(db, portal.storefront, portal.kim, made.owned.key.id)).owned.key.revoked_at is not None


async def spend(db: Database, shop: Shop, calls: int) -> None:
    """Calls of 900 nano-USD each, taken into the rollups."""
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 100_000))
        await ledger.submit(deposit(shop, 100_000))
        for _ in range(calls):
            placed = hold(shop, 900, 600)
            await ledger.submit(placed)
            await ledger.submit(settle(shop, placed, {"input": 100, "output": 50}))
    await roll_up(db)


async def test_an_alert_is_told_once_a_period(db: Database) -> None:
    shop = await make_shop(db)
    lee = await add_customer(db, shop, "lee@aurora.example")
    for period in ("day", "month"):
        await spend_alerts.add_alert(db, shop.tenant_id, shop.customer_id, period=period, threshold=1_800)
    high = await spend_alerts.add_alert(db, shop.tenant_id, lee.customer_id, period="day", threshold=1_000)
    await spend(db, shop, 1)
    assert await spend_alerts.watch_spending(db) == 0
    await spend(db, shop, 1)
    assert await spend_alerts.watch_spending(db) == 2
    assert await spend_alerts.watch_spending(db) == 0
    async with db.read(EVERY_TENANT) as connection:
        mails = (await connection.execute(t.outbox.select())).mappings().all()
    assert {(mail["recipient"], mail["payload"]["period"], mail["payload"]["spent"]) for mail in mails} == {
        ("kim@aurora.example", "day", "0.0000018"),
        ("kim@aurora.example", "month", "0.0000018"),
    }
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.spend_alert).values(told_period_at=1))
    assert await spend_alerts.watch_spending(db) == 0  # the same mail is not put out twice
    for owner, alert in ((shop.customer_id, high.id), (lee.customer_id, "alr_x"), (lee.customer_id, new_id("alr"))):
        with pytest.raises(NotFound):
            await spend_alerts.remove_alert(db, shop.tenant_id, owner, alert)
    await spend_alerts.remove_alert(db, shop.tenant_id, lee.customer_id, high.id)
    assert await spend_alerts.list_alerts(db, shop.tenant_id, lee.customer_id) == []
    for period, threshold in (("week", 1), ("day", 0)):
        with pytest.raises(InvalidRequest):
            await spend_alerts.add_alert(db, shop.tenant_id, lee.customer_id, period=period, threshold=threshold)
    for number in range(spend_alerts.MAX_ALERTS):
        await spend_alerts.add_alert(db, shop.tenant_id, lee.customer_id, period="day", threshold=number + 1)
    with pytest.raises(Conflict):
        await spend_alerts.add_alert(db, shop.tenant_id, lee.customer_id, period="day", threshold=1)


def test_the_command_takes_networks(embedded_cli: Cli) -> None:
    async def seed(db: Database) -> None:
        await make_customer(db, await make_tenant(db, "aurora"), "kim@aurora.example")

    embedded_cli.seed(seed)
    owner = ("--tenant", "aurora", "--customer", "kim@aurora.example")
    made = embedded_cli.ask("key", "create", *owner, "--allow-ip", "10.0.0.0/8", "--allow-ip", "2001:DB8::1")
    assert made["allow_ips"] == ["10.0.0.0/8", "2001:db8::1"]
    assert made["last_used_at"] is None
    again = embedded_cli.ask("key", "rotate", made["id"], "--overlap", "24")
    assert again["allow_ips"] == made["allow_ips"]
    assert embedded_cli.ask("key", "show", made["id"])["status"] == "active"
    assert embedded_cli.refused("key", "create", *owner, "--allow-ip", "10.0.0.1/8")[0] == 2
