"""Reports of abuse from filing to the end, on both databases: whom they find, who is told, what customers become."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.core.errors import Conflict, InvalidForm, InvalidRequest, NotFound
from reseller_kit.core.paging import Window
from reseller_kit.core.times import HOUR_US
from reseller_kit.db import audit_log, customers, revisions, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.audit_log import AuditFilter
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Database, now_us
from reseller_kit.db.operator_abuse import Filed
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.abuse import decide, reports
from reseller_kit.flows.abuse.decide import Decision
from reseller_kit.flows.abuse.reports import NewReport
from reseller_kit.flows.end_users import pseudonym_of
from reseller_kit.flows.trail import Reader, search
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import Vault
from tests.support.commands import Cli
from tests.support.factories import SECRET_KEY, make_customer, make_tenant, make_upstream

TEAM = "member:ada@aurora.example"
WORDS = "Calls that ask for phishing pages."


@pytest.fixture
async def vault(db: Database) -> Vault:
    return await unlock(db, SECRET_KEY)


@pytest.fixture
async def aurora(db: Database) -> Tenant:
    """A storefront with a team, and an upstream that reports."""
    tenant = await make_tenant(db, slug="aurora")
    await make_upstream(db, name="bigcloud")
    async with db.write(tenant.id) as connection:
        for role in ("owner", "admin", "support", "finance"):
            await tenants.add_member(connection, tenant.id, f"{role}@aurora.example", role)
    return tenant


@pytest.fixture
async def jane(db: Database, aurora: Tenant) -> Customer:
    return await make_customer(db, aurora, "jane@example.com")


async def filed(db: Database, vault: Vault, customer: Customer, **facts: Any) -> Filed:
    """A report by the name that upstreams hear of the customer."""
    name = pseudonym_of(vault.pepper, customer.tenant_id, customer.id)
    plain = {"upstream": "bigcloud", "end_user": name, "body": WORDS, "category": "fraud"}
    return await reports.file_report(db, vault, NewReport(**plain | facts), "operator:root@x.example")


async def mails(db: Database, tenant: Tenant) -> list[tuple[str, str]]:
    async with db.read(tenant.id) as connection:
        c = t.outbox.c
        rows = await connection.execute(select(c.kind, c.recipient).where(c.tenant_id == tenant.id).order_by(c.id))
        return [(row.kind, row.recipient) for row in rows]


async def restriction(db: Database, customer: Customer) -> tuple[bool, int | None, str | None]:
    async with db.read(customer.tenant_id) as connection:
        found = await customers.find(connection, customer.tenant_id, customer.id)
    assert found is not None
    return found.restricted_at is not None, found.restricted_until, found.restrict_reason


def restrict(reason: str = "A report says so.", until: int | None = None) -> Decision:
    return Decision(move="restrict", words=reason, until=until)


async def test_a_report_finds_its_customer_and_tells_the_team_without_the_upstream(
    db: Database, vault: Vault, aurora: Tenant, jane: Customer
) -> None:
    name = pseudonym_of(vault.pepper, aurora.id, jane.id)
    report = await filed(db, vault, jane, end_user=f"{name}-0123456789abcdef", reference="T-1")
    assert (report.tenant, report.listed.email, report.end_user) == ("aurora", jane.email, name)
    assert (report.upstream, report.reference, report.listed.report.state) == ("bigcloud", "T-1", "open")
    told = await mails(db, aurora)
    assert told == [("abuse_reported", f"{role}@aurora.example") for role in ("admin", "owner", "support")]
    page = await reports.list_reports(db, aurora.id, Window(10))
    assert [one.report.id for one in page.items] == [report.listed.report.id]
    assert "bigcloud" not in repr(page)
    async with db.read(aurora.id) as connection:
        rows = await audit_log.search(connection, aurora.id, AuditFilter(action="abuse.report"), 9)
        payloads = (await connection.execute(select(t.outbox.c.payload).where(t.outbox.c.tenant_id == aurora.id))).all()
    assert rows[0].after is not None
    assert rows[0].after["upstream"] == {"name": "bigcloud", "reference": "T-1"}
    read = repr(await search(db, Reader(aurora.id), AuditFilter(action="abuse.report")))
    assert jane.id in read
    assert "bigcloud" not in read + repr(payloads)
    assert "T-1" not in read + repr(payloads)


async def test_what_can_not_be_filed(db: Database, vault: Vault, jane: Customer) -> None:
    first = await filed(db, vault, jane, reference="T-1")
    with pytest.raises(Conflict, match=first.listed.report.id):
        await filed(db, vault, jane, reference="T-1")
    await filed(db, vault, jane)
    for wrong in (
        {"request_id": "req_01K00000000000000000000000"},
        {"end_user": ""},
        {"body": " "},
        {"body": "x" * 2001},
        {"body": "BigCloud says that it is fraud."},
        {"category": "rude"},
        {"reference": "x" * 101},
        {"reference": "a\nb"},
        {"end_user": "jane@example.com"},
    ):
        with pytest.raises(InvalidRequest):
            await filed(db, vault, jane, **wrong)
    for unknown in (
        {"upstream": "nobody"},
        {"end_user": "eu_" + "0" * 32},
        {"end_user": "", "request_id": "req_01K00000000000000000000000"},
    ):
        with pytest.raises(NotFound):
            await filed(db, vault, jane, **unknown)


async def test_restricted_appealed_and_upheld(db: Database, vault: Vault, aurora: Tenant, jane: Customer) -> None:
    report_id = (await filed(db, vault, jane)).listed.report.id
    async with db.read(aurora.id) as connection:
        before = await revisions.current(connection)
    await decide.decide(db, "aurora", report_id, restrict(), TEAM)
    assert await restriction(db, jane) == (True, None, "A report says so.")
    async with db.read(aurora.id) as connection:
        assert await revisions.current(connection) > before
    with pytest.raises(InvalidForm):
        await decide.appeal(db, "aurora", jane.id, report_id, " ")
    await decide.appeal(db, "aurora", jane.id, report_id, "I tested a filter.\0")
    with pytest.raises(Conflict):
        await decide.appeal(db, "aurora", jane.id, report_id, "Once more.")
    with pytest.raises(InvalidRequest):
        await decide.decide(db, "aurora", report_id, Decision(move="uphold"), TEAM)
    await decide.decide(db, "aurora", report_id, Decision(move="uphold", words="It stays."), TEAM)
    (own,) = await reports.own_reports(db, aurora.id, jane.id)
    assert (own.state, own.appeal, own.answer) == ("upheld", "I tested a filter.", "It stays.")
    assert (await restriction(db, jane))[0]
    await decide.decide(db, "aurora", report_id, Decision(move="lift"), TEAM)
    assert await restriction(db, jane) == (False, None, None)
    kinds = [kind for kind, whom in await mails(db, aurora) if whom == jane.email]
    assert kinds == ["access_restricted", "appeal_upheld", "access_restored"]
    async with db.read(aurora.id) as connection:
        rows = await audit_log.search(connection, aurora.id, AuditFilter(kind="abuse"), 99)
    assert [row.action.partition(".")[2] for row in reversed(rows)] == [
        "report", "restrict", "appeal", "uphold", "lift",
    ]  # fmt: skip
    with pytest.raises(Conflict):
        await decide.decide(db, "aurora", report_id, restrict(), TEAM)


async def test_a_dismissed_report_touches_nobody(db: Database, vault: Vault, aurora: Tenant, jane: Customer) -> None:
    report_id = (await filed(db, vault, jane)).listed.report.id
    await decide.decide(db, "aurora", report_id, Decision(move="dismiss", words="A false alarm."), TEAM)
    assert await restriction(db, jane) == (False, None, None)
    assert await reports.own_reports(db, aurora.id, jane.id) == []
    assert [kind for kind, whom in await mails(db, aurora) if whom == jane.email] == []


async def test_two_reports_restrict_as_long_as_one_of_them_holds(db: Database, vault: Vault, jane: Customer) -> None:
    first, second = [(await filed(db, vault, jane)).listed.report.id for _ in range(2)]
    soon, later = now_us() + HOUR_US, now_us() + 2 * HOUR_US
    await decide.decide(db, "aurora", first, restrict("First.", later), TEAM)
    await decide.decide(db, "aurora", second, restrict("Second.", soon), TEAM)
    assert await restriction(db, jane) == (True, later, "Second.")
    await decide.decide(db, "aurora", first, Decision(move="lift"), TEAM)
    assert await restriction(db, jane) == (True, soon, "Second.")
    await decide.decide(db, "aurora", second, Decision(move="lift"), TEAM)
    assert await restriction(db, jane) == (False, None, None)


async def test_a_restriction_ends_by_itself(db: Database, vault: Vault, aurora: Tenant, jane: Customer) -> None:
    report_id = (await filed(db, vault, jane)).listed.report.id
    with pytest.raises(InvalidRequest):
        await decide.decide(db, "aurora", report_id, restrict(until=now_us()), TEAM)
    await decide.decide(db, "aurora", report_id, restrict(until=now_us() + HOUR_US), TEAM)
    assert await decide.end_restrictions(db) == 0
    async with db.write(aurora.id) as connection:
        c = t.abuse_report.c
        past = t.abuse_report.update().where(c.tenant_id == aurora.id, c.id == report_id)
        await connection.execute(past.values(until=now_us()))
    assert await decide.end_restrictions(db) == 1
    assert await decide.end_restrictions(db) == 0
    assert (await reports.show_report(db, aurora.id, report_id)).report.state == "lifted"
    assert await restriction(db, jane) == (False, None, None)
    assert ("access_restored", jane.email) in await mails(db, aurora)


async def test_what_the_operator_forces_the_operator_lifts(db: Database, vault: Vault, jane: Customer) -> None:
    report_id = (await filed(db, vault, jane)).listed.report.id
    await decide.decide(db, "aurora", report_id, Decision(move="dismiss"), TEAM)
    await decide.overrule(db, report_id, Decision(move="force", words="It goes on."), "operator:root@x.example")
    assert await restriction(db, jane) == (True, None, "It goes on.")
    with pytest.raises(Conflict, match="operator"):
        await decide.decide(db, "aurora", report_id, Decision(move="lift"), TEAM)
    await decide.appeal(db, "aurora", jane.id, report_id, "Please.")
    with pytest.raises(Conflict, match="operator"):
        await decide.decide(db, "aurora", report_id, Decision(move="lift"), TEAM)
    await decide.overrule(db, report_id, Decision(move="withdraw"), "operator:root@x.example")
    assert await restriction(db, jane) == (False, None, None)


async def test_nobody_decides_on_anothers_report(db: Database, vault: Vault, aurora: Tenant, jane: Customer) -> None:
    other = await make_tenant(db, slug="boreal")
    stranger = await make_customer(db, other, "bob@example.com")
    report_id = (await filed(db, vault, jane)).listed.report.id
    for asked in (report_id, "rep_01K00000000000000000000000", "rep_nothing", ""):
        with pytest.raises(NotFound):
            await decide.decide(db, "boreal", asked, restrict(), TEAM)
        with pytest.raises(NotFound):
            await reports.show_report(db, other.id, asked)
        with pytest.raises(NotFound):
            await decide.appeal(db, "boreal", stranger.id, asked, "Please.")
    bob = await make_customer(db, aurora, "bob@example.com")
    await decide.decide(db, "aurora", report_id, restrict(), TEAM)
    with pytest.raises(NotFound):
        await decide.appeal(db, "aurora", bob.id, report_id, "Please.")


def test_the_commands_say_what_is_wrong(embedded_cli: Cli) -> None:
    assert embedded_cli.refused("abuse", "show", "rep_nothing")[0] == 4
    assert embedded_cli.refused("abuse", "close", "x")[0] == 4
    filing = ("abuse", "report", "--upstream", "x", "--reason", "Fraud.")
    assert embedded_cli.refused(*filing)[0] == 2
    assert embedded_cli.refused(*filing, "--end-user", "jane")[0] == 2
    assert embedded_cli.refused(*filing, "--request", "req_1")[0] == 4
