"""Hosts that resellers bring along, against a DNS server of our own: who may take what, and what time does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.domain import Record
from reseller_kit.core.errors import Conflict, InvalidRequest, KitError, NotFound
from reseller_kit.core.times import DAY_US
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.dns import Resolver
from reseller_kit.flows import domains, snapshot
from reseller_kit.flows.domains import DomainView
from reseller_kit.flows.domains.secured import SecuredHosts
from reseller_kit.flows.unlock import unlock
from tests.support.commands import Cli
from tests.support.dns_double import DnsDouble, dns_double
from tests.support.factories import SECRET_KEY, make_platform, make_tenant

HOST = "chat.aurora.example"
EDGE = "edge.stores.example"
PLATFORM: dict[str, Any] = {"storefront_suffix": "stores.example", "ingress": {"cname": EDGE, "a": ["192.0.2.1"]}}


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsDouble]:
    with dns_double() as double:
        yield double


@pytest.fixture(autouse=True)
def empty_zone(dns: DnsDouble) -> None:
    dns.records.clear()
    dns.failing.clear()
    dns.silent.clear()


@pytest.fixture
def resolver(dns: DnsDouble) -> Resolver:
    return Resolver([dns.address])


async def tenants(db: Database) -> tuple[int, int]:
    await make_platform(db, name="Northwind Platform", hosts=["desk.northwind.example"], **PLATFORM)
    aurora, borealis = await make_tenant(db, "aurora"), await make_tenant(db, "borealis")
    return aurora.id, borealis.id


async def add(db: Database, resolver: Resolver, tenant_id: int, host: str = HOST) -> DomainView:
    return await domains.add(db, resolver, tenant_id=tenant_id, typed=host, role="storefront", actor="test")


async def look(db: Database, resolver: Resolver, tenant_id: int, host: str = HOST) -> DomainView:
    return await domains.check(db, resolver, tenant_id=tenant_id, host=host, actor="test")


def prove(dns: DnsDouble, view: DomainView) -> None:
    record = view.to_set[0]
    assert (record.kind, record.name) == ("TXT", f"_storefront-challenge.{view.host}")
    dns.set(record.name, "TXT", "v=spf1 -all", record.value)


async def live(db: Database, dns: DnsDouble, resolver: Resolver, tenant_id: int, host: str = HOST) -> DomainView:
    prove(dns, await add(db, resolver, tenant_id, host))
    dns.set(host, "CNAME", EDGE)
    dns.set(EDGE, "A", "192.0.2.1")
    view = await look(db, resolver, tenant_id, host)
    assert view.state == "live"
    return view


async def served(db: Database) -> set[str]:
    found = await snapshot.load(db, await unlock(db, SECRET_KEY))
    return {host for host in found.hosts if not host.endswith(".stores.example")}


async def actions(db: Database) -> list[str]:
    c = t.audit_log.c
    async with db.read(EVERY_TENANT) as connection:
        return list(await connection.scalars(select(c.action).where(c.action.startswith("domain.")).order_by(c.id)))


async def age(db: Database, days: float) -> None:
    """Let the failure have begun, and the last warning have been sent, so many days ago."""
    c = t.domain.c
    shift = int(days * DAY_US)
    values = {"failing_since": c.failing_since - shift, "warned_at": c.warned_at - shift, "next_check_at": 0}
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.domain).values(**values))


async def test_a_host_goes_from_claim_to_live(db: Database, dns: DnsDouble, resolver: Resolver) -> None:
    aurora, _ = await tenants(db)
    view = await add(db, resolver, aurora, "https://Chat.Aurora.example/")
    assert (view.host, view.state, view.verdict.proven, view.verdict.pointed) == (HOST, "claimed", False, False)
    assert view.to_set[1:] == (Record("CNAME", HOST, EDGE), Record("A", HOST, "192.0.2.1"))
    prove(dns, view)
    dns.set(HOST, "A", "198.51.100.7")
    view = await look(db, resolver, aurora)
    assert (view.state, view.verdict.pointed) == ("verified", False)
    assert view.verdict.surplus == (Record("A", HOST, "198.51.100.7"),)
    assert await served(db) == set()
    dns.set(HOST, "A", "192.0.2.1")
    assert (await look(db, resolver, aurora)).state == "live"
    assert await served(db) == {HOST}
    assert await actions(db) == ["domain.claim", "domain.verify", "domain.live"]
    fallback = (await domains.list_domains(db, aurora))[-1]
    assert (fallback.host, fallback.state, fallback.fallback) == ("aurora.stores.example", "live", True)


async def test_without_addresses_of_its_own_the_target_is_the_fallback_host(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    await make_platform(db, storefront_suffix="stores.example")
    aurora = (await make_tenant(db, "aurora")).id
    dns.set("aurora.stores.example", "A", "192.0.2.9")
    view = await add(db, resolver, aurora)
    assert view.to_set[1:] == (
        Record("CNAME", HOST, "aurora.stores.example"),
        Record("A", HOST, "192.0.2.9"),
    )
    prove(dns, view)
    dns.set(HOST, "A", "192.0.2.9")
    assert (await look(db, resolver, aurora)).state == "live"


async def test_an_apex_may_have_every_address_behind_the_name(db: Database, dns: DnsDouble, resolver: Resolver) -> None:
    aurora, _ = await tenants(db)
    dns.set(EDGE, "AAAA", "2001:db8::7")
    view = await add(db, resolver, aurora, "aurora.example")
    prove(dns, view)
    # A provider that flattens an alias copies what the name has, whether or not the operator wrote it down.
    dns.set("aurora.example", "A", "192.0.2.1")
    dns.set("aurora.example", "AAAA", "2001:db8:0::7")
    assert (await look(db, resolver, aurora, "aurora.example")).state == "live"


async def test_who_proves_a_host_first_gets_it(db: Database, dns: DnsDouble, resolver: Resolver) -> None:
    aurora, borealis = await tenants(db)
    mine, theirs = await add(db, resolver, aurora), await add(db, resolver, borealis)
    assert mine.to_set[0].value != theirs.to_set[0].value
    prove(dns, theirs)
    assert (await look(db, resolver, aurora)).state == "claimed"
    assert (await look(db, resolver, borealis)).state == "verified"
    prove(dns, mine)
    with pytest.raises(Conflict, match="in use elsewhere"):
        await look(db, resolver, aurora)
    with pytest.raises(Conflict, match="in use elsewhere"):
        await add(db, resolver, aurora)


async def test_a_proven_domain_closes_the_names_below_it_to_others(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    aurora, borealis = await tenants(db)
    await live(db, dns, resolver, aurora, "aurora.example")
    with pytest.raises(Conflict, match="in use elsewhere") as caught:
        await add(db, resolver, borealis, "deep.chat.aurora.example")
    assert "aurora is" not in caught.value.message
    assert (await add(db, resolver, aurora, HOST)).state == "claimed"
    assert (await add(db, resolver, borealis, "aurora-example.com")).state == "claimed"


async def test_two_processes_prove_two_claims_at_once_and_one_wins(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    both = await tenants(db)
    values = [(await add(db, resolver, one)).to_set[0].value for one in both]
    dns.set(f"_storefront-challenge.{HOST}", "TXT", *values)
    outcomes = await asyncio.gather(*(look(db, resolver, one) for one in both), return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["Conflict", "DomainView"]
    async with db.read(EVERY_TENANT) as connection:
        assert len((await connection.execute(select(t.domain.c.id).where(t.domain.c.host == HOST))).all()) == 1


async def test_a_removed_host_is_nobody_elses_until_it_is_released(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    aurora, borealis = await tenants(db)
    await live(db, dns, resolver, aurora)
    gone = await domains.remove(db, resolver, tenant_id=aurora, host=HOST, actor="test")
    assert gone is not None
    assert (gone.state, gone.released) == ("tombstone", False)
    assert await served(db) == set()
    with pytest.raises(Conflict):
        await add(db, resolver, borealis)
    with pytest.raises(NotFound):
        await look(db, resolver, aurora)
    await domains.release(db, host=HOST, actor="test")
    # Released is not given: the old proof counts for nobody, and a new one has to be shown.
    view = await add(db, resolver, borealis)
    assert view.state == "claimed"
    prove(dns, view)
    assert (await look(db, resolver, borealis)).state == "live"
    assert [view.host for view in await domains.list_domains(db, aurora)] == ["aurora.stores.example"]


async def test_who_removed_a_host_has_to_prove_it_anew(db: Database, dns: DnsDouble, resolver: Resolver) -> None:
    aurora, _ = await tenants(db)
    before = (await live(db, dns, resolver, aurora)).to_set[0].value
    await domains.remove(db, resolver, tenant_id=aurora, host=HOST, actor="test")
    view = await add(db, resolver, aurora)
    assert view.state == "claimed"
    assert view.to_set[0].value != before
    prove(dns, view)
    assert (await look(db, resolver, aurora)).state == "live"


async def test_the_first_visit_over_https_is_noted_once_and_for_its_holder(
    db: Database, dns: DnsDouble, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    aurora, borealis = await tenants(db)
    await live(db, dns, resolver, aurora)
    working: list[asyncio.Task[Any]] = []
    noted = SecuredHosts(db, lambda work, _: working.append(asyncio.ensure_future(work)))

    async def since() -> int | None:
        await asyncio.gather(*working)
        return (await domains.show_domain(db, aurora, HOST)).secured_at

    async def known() -> bool:
        return (await snapshot.load(db, await unlock(db, SECRET_KEY))).hosts[HOST].secured

    async def at(moment: int) -> None:
        monkeypatch.setattr("reseller_kit.flows.domains.secured.now_us", lambda: moment)

    assert (await since(), await known()) == (None, False)
    await at(1_000)
    noted.reached(borealis, HOST)
    assert (await since(), await known()) == (None, False)
    noted.reached(aurora, HOST)
    noted.reached(aurora, HOST)
    assert (await since(), await known(), len(working)) == (1_000, True, 2)
    await at(2_000)
    noted.forget()
    noted.reached(aurora, HOST)
    assert await since() == 1_000
    await domains.remove(db, resolver, tenant_id=aurora, host=HOST, actor="test")
    await live(db, dns, resolver, aurora)
    assert (await since(), await known()) == (None, False)


async def test_a_host_whose_dns_leads_elsewhere_is_let_go_at_once(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    aurora, borealis = await tenants(db)
    await live(db, dns, resolver, aurora)
    dns.set(HOST, "CNAME")
    gone = await domains.remove(db, resolver, tenant_id=aurora, host=HOST, actor="test")
    assert gone is not None
    assert gone.released
    assert (await add(db, resolver, borealis)).state == "claimed"


async def test_what_fails_for_thirty_days_is_detached_with_two_warnings(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    aurora, _ = await tenants(db)
    async with db.write(EVERY_TENANT) as connection:
        for role in ("owner", "finance"):
            member = {"email": f"{role}@aurora.example", "role": role, "status": "active", "created_at": 0}
            await connection.execute(t.member.insert().values(tenant_id=aurora, **member))
    await live(db, dns, resolver, aurora)
    await domains.make_primary(db, tenant_id=aurora, host=HOST, actor="test")
    dns.set(HOST, "CNAME", "parked.example")
    dns.set("parked.example", "A", "198.51.100.7")
    await look(db, resolver, aurora)
    for days in (13, 2, 13, 2.1, 1):
        await age(db, days)
        assert await domains.check_due(db, resolver) == 1
        assert await domains.check_due(db, resolver) == 0
    view = await domains.show_domain(db, aurora, HOST)
    assert (view.state, view.primary) == ("detached", False)
    assert await served(db) == set()
    assert await actions(db) == [
        "domain.claim",
        "domain.verify",
        "domain.live",
        "domain.primary",
        "domain.warn",
        "domain.warn",
        "domain.detach",
    ]
    async with db.read(EVERY_TENANT) as connection:
        c = t.outbox.c
        mails = [tuple(row) for row in await connection.execute(select(c.kind, c.recipient).order_by(c.id))]
    assert mails == [(kind, "owner@aurora.example") for kind in ("domain_failing", "domain_failing", "domain_detached")]
    dns.set(HOST, "CNAME", EDGE)
    assert (await look(db, resolver, aurora)).state == "live"


async def test_a_lost_proof_counts_as_failing_and_a_silent_server_as_nothing(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    aurora, _ = await tenants(db)
    await live(db, dns, resolver, aurora)
    dns.failing |= {HOST, f"_storefront-challenge.{HOST}"}
    view = await look(db, resolver, aurora)
    assert (view.state, view.verdict.proven, view.verdict.pointed, view.failing_since) == ("live", None, None, None)
    dns.failing.clear()
    dns.set(f"_storefront-challenge.{HOST}", "TXT", "storefront-challenge=somebody-elses")
    assert (await look(db, resolver, aurora)).failing_since is not None


async def test_claims_are_checked_hourly_and_forgotten_in_the_end(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    aurora, _ = await tenants(db)
    view = await add(db, resolver, aurora)
    assert await domains.check_due(db, resolver) == 0
    prove(dns, view)
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.domain_claim).values(next_check_at=0))
    counts = await asyncio.gather(domains.check_due(db, resolver), domains.check_due(db, resolver))
    assert sorted(counts) == [0, 1]
    assert (await domains.show_domain(db, aurora, HOST)).state == "verified"
    await add(db, resolver, aurora, "other.example")
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.domain_claim).values(expires_at=1, next_check_at=0))
    assert await domains.check_due(db, resolver) == 0
    with pytest.raises(NotFound):
        await domains.show_domain(db, aurora, "other.example")


async def test_roles_and_the_primary_host_are_changed(db: Database, dns: DnsDouble, resolver: Resolver) -> None:
    aurora, borealis = await tenants(db)
    for host in ("aurora.example", "www.aurora.example"):
        await live(db, dns, resolver, aurora, host)
    await domains.make_primary(db, tenant_id=aurora, host="www.aurora.example", actor="test")
    await domains.make_primary(db, tenant_id=aurora, host="aurora.example", actor="test")
    views = await domains.list_domains(db, aurora)
    assert [(view.host, view.primary) for view in views[:2]] == [
        ("aurora.example", True),
        ("www.aurora.example", False),
    ]
    view = await domains.set_role(db, tenant_id=aurora, host="aurora.example", role="alias", actor="test")
    assert (view.role, view.primary) == ("alias", False)
    with pytest.raises(Conflict):
        await domains.make_primary(db, tenant_id=aurora, host="aurora.example", actor="test")
    for change in (
        domains.make_primary(db, tenant_id=borealis, host="aurora.example", actor="test"),
        domains.set_role(db, tenant_id=borealis, host="aurora.example", role="api", actor="test"),
        domains.remove(db, resolver, tenant_id=borealis, host="aurora.example", actor="test"),
        domains.check(db, resolver, tenant_id=borealis, host="aurora.example", actor="test"),
    ):
        with pytest.raises(NotFound):
            await change


async def test_there_may_be_so_many_claims_and_no_more(db: Database, resolver: Resolver) -> None:
    aurora, _ = await tenants(db)
    for number in range(10):
        await add(db, resolver, aurora, f"d{number}.example")
    with pytest.raises(Conflict, match="10 domains wait"):
        await add(db, resolver, aurora, "one-more.example")
    again = await add(db, resolver, aurora, "d0.example")
    assert again.state == "claimed"


async def test_what_the_platform_cannot_take_in_is_said(db: Database, resolver: Resolver) -> None:
    await make_platform(db)
    aurora = (await make_tenant(db, "aurora")).id
    with pytest.raises(KitError, match="not open yet"):
        await add(db, resolver, aurora)


async def test_a_server_that_keeps_silent_holds_nobody_up(dns: DnsDouble) -> None:
    dns.set("slow.example", "A", "192.0.2.1")
    dns.silent |= {"slow.example", "_storefront-challenge.slow.example"}
    found = await Resolver([dns.address], seconds=0.3).find("slow.example")
    assert (found.txt, found.cnames, found.a, found.issuers) == (None, None, None, None)


async def test_dns_that_is_hostile_harms_nobody(db: Database, dns: DnsDouble, resolver: Resolver) -> None:
    aurora, _ = await tenants(db)
    view = await add(db, resolver, aurora)
    dns.set(f"_storefront-challenge.{HOST}", "TXT", *(f"{number} <script>{'x' * 200}" for number in range(60)))
    dns.set(HOST, "CNAME", "loop.example")
    dns.set("loop.example", "CNAME", HOST)
    seen = await look(db, resolver, aurora)
    assert seen.state == "claimed"
    assert seen.check is not None
    assert len(seen.check.found.txt or ()) <= 20
    assert view.host == HOST


@pytest.fixture
def cli(dns: DnsDouble, tmp_path: Any, ready_database_url: str) -> Cli:
    return Cli(tmp_path, ready_database_url, {"RESELLER_KIT_DNS_SERVERS": dns.setting})


def test_the_command_line_does_it_all(cli: Cli, dns: DnsDouble) -> None:
    cli.seed(tenants)
    added = cli.ask("domain", "add", HOST, "--tenant", "aurora")
    assert (added["state"], added["proven"]) == ("claimed", False)
    shown = cli.run("domain", "add", HOST, "--tenant", "aurora").stdout
    assert f"_storefront-challenge.{HOST}" in shown
    proof = cli.ask("domain", "list", "--tenant", "aurora")["domains"][0]["records"][0]
    dns.set(proof["name"], proof["type"], proof["value"])
    dns.set(HOST, "A", "192.0.2.1")
    assert cli.ask("domain", "check", HOST, "--tenant", "aurora")["state"] == "live"
    assert cli.ask("domain", "change", HOST, "--tenant", "aurora", "--primary")["primary"] is True
    assert HOST in cli.ask("tenant", "show", "aurora")["hosts"]
    assert cli.refused("domain", "add", HOST, "--tenant", "borealis")[0] == 5
    assert cli.refused("domain", "add", "co.uk", "--tenant", "borealis")[0] == 2
    assert cli.refused("domain", "check", "nowhere.example", "--tenant", "aurora")[0] == 4
    vouched = cli.ask("domain", "add", "127.0.0.9", "--tenant", "borealis", "--vouch", "--role", "api")
    assert (vouched["state"], vouched["source"], vouched["records"][:0]) == ("live", "file", [])
    assert cli.refused("domain", "add", "aurora.stores.example", "--tenant", "borealis", "--vouch")[0] == 2
    assert cli.ask("domain", "remove", HOST, "--tenant", "aurora")["state"] == "tombstone"
    assert cli.ask("domain", "release", HOST)["released"] is True
    assert cli.ask("domain", "add", HOST, "--tenant", "borealis")["state"] == "claimed"
    assert cli.ask("domain", "remove", HOST, "--tenant", "borealis")["state"] == "unclaimed"


def test_a_refused_name_is_said_by_its_field() -> None:
    with pytest.raises(InvalidRequest):
        domains.change.role_of("mirror")


async def test_the_only_host_with_pages_stays_where_there_is_no_fallback(
    db: Database, dns: DnsDouble, resolver: Resolver
) -> None:
    await make_platform(db, name="Northwind Platform", hosts=["desk.northwind.example"], ingress=PLATFORM["ingress"])
    aurora = (await make_tenant(db, "aurora")).id
    await live(db, dns, resolver, aurora)
    with pytest.raises(Conflict):
        await domains.set_role(db, tenant_id=aurora, host=HOST, role="alias", actor="test")
    with pytest.raises(Conflict):
        await domains.remove(db, resolver, tenant_id=aurora, host=HOST, actor="test")
    await live(db, dns, resolver, aurora, "www.aurora.example")
    assert (await domains.set_role(db, tenant_id=aurora, host=HOST, role="alias", actor="test")).role == "alias"
