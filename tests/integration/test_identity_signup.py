"""Sign-up, its links and its mails: nothing is told, nothing is prepared for somebody else, nothing is given twice."""

from __future__ import annotations

import asyncio

import pytest

from reseller_kit.core.errors import InvalidForm, RateLimited
from reseller_kit.core.times import DAY_US
from reseller_kit.db import customers
from reseller_kit.db.engine import Database, now_us
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows import credits as credit_flow
from reseller_kit.flows.identity import login, passwords, sessions, signup
from reseller_kit.flows.identity.invite import invite
from tests.support import identity as who
from tests.support.factories import make_customer, make_platform, make_tenant
from tests.support.identity import PASSWORD, applicant, make_identity, visit_of
from tests.support.rows import all_rows


async def test_a_mailed_link_makes_a_customer_and_logs_in(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    opened = await who.join(identity, tenant, "Jane@Example.com".casefold())
    session = await sessions.current(identity, tenant.id, opened.token)
    assert session is not None
    assert (session.email, session.name, session.verified_at is not None) == ("jane@example.com", "Jane", True)
    entered = await login.log_in(identity, visit_of(tenant), "JANE@example.com", PASSWORD, old_session=None)
    assert entered.opened is not None


async def locale_of_jane(db: Database, tenant: Tenant) -> str | None:
    async with db.read(tenant.id) as connection:
        jane = await customers.find(connection, tenant.id, "jane@example.com")
    assert jane is not None
    return jane.locale


async def test_a_customer_keeps_the_language_of_the_page_whose_link_was_opened(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await signup.sign_up(identity, visit_of(tenant), applicant(locale="ar"))  # perhaps somebody else
    await signup.sign_up(identity, visit_of(tenant), applicant(locale="de"))
    assert await locale_of_jane(db, tenant) == "ar"
    token = await who.token_of(identity, tenant, "verify", "jane@example.com")
    await signup.verify(identity, visit_of(tenant), token, old_session=None)
    assert await locale_of_jane(db, tenant) == "de"


async def test_an_address_with_an_account_gets_another_mail_and_keeps_its_password(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await who.join(identity, tenant)
    runs = identity.passwords.runs
    await signup.sign_up(identity, visit_of(tenant), applicant(password="another password"))
    assert identity.passwords.runs == runs + 1
    assert [mail.kind for mail in await who.mails(identity, tenant)] == ["verify", "already_registered"]
    assert (await login.log_in(identity, visit_of(tenant), "jane@example.com", PASSWORD, old_session=None)).opened
    with pytest.raises(InvalidForm):
        await login.log_in(identity, visit_of(tenant), "jane@example.com", "another password", old_session=None)


async def test_nobody_prepares_an_account_for_somebody_else(db: Database) -> None:
    """A stranger signs up with Jane's address before and after her; what holds is what came with the link she opens."""
    tenant, identity = await make_tenant(db), await make_identity(db)
    stranger = visit_of(tenant, address="198.51.100.1", form="form-of-eve")
    await signup.sign_up(identity, stranger, applicant(password="eve's password"))
    waiting = await login.log_in(identity, stranger, "jane@example.com", "eve's password", old_session=None)
    await signup.sign_up(identity, visit_of(tenant), applicant())
    hers = await who.token_of(identity, tenant, "verify", "jane@example.com")
    await signup.sign_up(identity, stranger, applicant(password="eve's password"))
    again = await login.log_in(identity, stranger, "jane@example.com", "eve's password", old_session=None)
    link = await signup.find_verification(identity, tenant.id, hers)
    assert link is not None
    assert signup.opened_where_it_was_asked_for(identity, visit_of(tenant), link)
    assert not signup.opened_where_it_was_asked_for(identity, stranger, link)
    assert not signup.opened_where_it_was_asked_for(identity, visit_of(tenant, form=None), link)
    confirmed = await signup.verify(identity, visit_of(tenant), hers, old_session=None)
    assert confirmed is not None
    assert confirmed.opened is not None
    for entered in (waiting, again):
        assert entered.opened is not None
        assert await sessions.current(identity, tenant.id, entered.opened.token) is None
    with pytest.raises(InvalidForm):
        await login.log_in(identity, stranger, "jane@example.com", "eve's password", old_session=None)
    assert (await login.log_in(identity, visit_of(tenant), "jane@example.com", PASSWORD, old_session=None)).opened


async def test_a_link_works_once_on_its_own_storefront_and_for_a_time(db: Database) -> None:
    tenant, other, identity = await make_tenant(db), await make_tenant(db), await make_identity(db)
    await signup.sign_up(identity, visit_of(tenant), applicant())
    token = await who.token_of(identity, tenant, "verify", "jane@example.com")
    assert await signup.verify(identity, visit_of(other), token, old_session=None) is None
    assert await signup.verify(identity, visit_of(tenant), token + "x", old_session=None) is None
    assert await passwords.find_set_link(identity, tenant.id, token) is None
    first = await signup.verify(identity, visit_of(tenant), token, old_session=None)
    again = await signup.verify(identity, visit_of(tenant), token, old_session=None)
    assert first is not None
    assert first.opened is not None
    assert again is not None
    assert again.opened is None


async def test_tokens_stand_nowhere_in_the_database(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    opened = await who.join(identity, tenant)
    token = await who.token_of(identity, tenant, "verify", "jane@example.com")
    async with db.read(tenant.id) as connection:
        stored = repr(await all_rows(connection, tenant.id))
    for secret in (token, opened.token, opened.device, PASSWORD):
        assert secret not in stored


async def test_two_sign_ups_of_one_address_at_once_make_one_customer(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await asyncio.gather(*(signup.sign_up(identity, visit_of(tenant), applicant()) for _ in range(3)))
    assert [mail.kind for mail in await who.mails(identity, tenant)] == ["verify"] * 3


async def test_the_same_address_on_two_storefronts_is_two_customers(db: Database) -> None:
    one, two, identity = await make_tenant(db), await make_tenant(db), await make_identity(db)
    first, second = await who.join(identity, one), await who.join(identity, two)
    assert await sessions.current(identity, one.id, second.token) is None
    assert await sessions.current(identity, two.id, first.token) is None
    here, there = [await who.customer_of(identity, tenant, "jane@example.com") for tenant in (one, two)]
    assert here.id != there.id


@pytest.mark.parametrize(
    ("settings", "email", "problem"),
    [
        ({"mode": "closed"}, "jane@example.com", {"": "signup.closed"}),
        ({"mode": "invite"}, "jane@example.com", {"": "signup.invite"}),
        ({"domains": ["corp.example"]}, "jane@example.com", {"email": "signup.domain"}),
        ({"domains": ["corp.example"]}, "jane@sub.corp.example", {"email": "signup.domain"}),
        ({}, "jane@example.com\r\nBcc: x@y.example", {"email": "form.email_invalid"}),
    ],
)
async def test_who_may_not_sign_up_is_told_so(
    db: Database, settings: dict[str, object], email: str, problem: dict[str, str]
) -> None:
    tenant, identity = await make_tenant(db, settings={"signup": settings}), await make_identity(db)
    with pytest.raises(InvalidForm) as caught:
        await signup.sign_up(identity, visit_of(tenant), applicant(email))
    assert who.problems(caught.value) == problem
    assert await who.mails(identity, tenant) == []


async def test_trial_credit_is_given_once_to_a_mailbox(db: Database) -> None:
    await make_platform(db)
    tenant = await make_tenant(db, settings={"signup": {"trial_credit": "1.50"}})
    identity = await make_identity(db)
    for email in ("jane@example.com", "jane+again@example.com", "ann@example.com"):
        await who.join(identity, tenant, email)
    await login.log_in(identity, visit_of(tenant), "jane@example.com", PASSWORD, old_session=None)
    balances = [
        (await credit_flow.credit_balance(db, tenant.slug, email)).wallet.balance
        for email in ("jane@example.com", "jane+again@example.com", "ann@example.com")
    ]
    assert balances == [1_500_000_000, 0, 1_500_000_000]
    (lot,) = (await credit_flow.credit_balance(db, tenant.slug, "jane@example.com")).lots
    assert lot.kind == "trial"


async def test_a_mailbox_is_not_flooded_and_an_address_is_held_up(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    for number in range(5):
        await signup.sign_up(identity, visit_of(tenant, address=f"198.51.100.{number}"), applicant())
        await passwords.ask_reset(identity, visit_of(tenant, address=f"198.51.100.{number}"), "JANE@example.com")
    assert len(await who.mails(identity, tenant)) == 5
    token = await who.token_of(identity, tenant, "verify", "jane@example.com")
    assert await signup.verify(identity, visit_of(tenant), token, old_session=None)
    await passwords.ask_reset(identity, visit_of(tenant), "jane@example.com")
    assert len(await who.mails(identity, tenant)) == 6
    for number in range(59):
        await passwords.ask_reset(identity, visit_of(tenant), f"jane{number}@example.com")
    with pytest.raises(RateLimited):
        await passwords.ask_reset(identity, visit_of(tenant), "ann@example.com")


async def test_an_invitation_opens_where_nobody_can_sign_up(db: Database) -> None:
    await make_platform(db)
    tenant = await make_tenant(db, settings={"signup": {"mode": "invite"}}, hosts=["shop.example"])
    identity = await make_identity(db)
    made = [
        await invite(db, identity.vault, tenant_slug=tenant.slug, email="jane@example.com", name="Jane", actor="test")
        for _ in range(2)
    ]
    assert made[0].customer.id == made[1].customer.id
    assert made[0].customer.verified_at is None
    old, new = [(new.link or "").rpartition("=")[2] for new in made]
    assert await who.token_of(identity, tenant, "invite", "jane@example.com") == new
    assert await passwords.find_set_link(identity, tenant.id, old) is None
    link = await passwords.find_set_link(identity, tenant.id, new)
    assert link is not None
    assert (link.first, link.asks_terms) == (True, True)
    done = await passwords.set_by_link(identity, visit_of(tenant), new, PASSWORD, terms_version="v1", old_session=None)
    assert done is not None
    assert done.opened is not None
    assert (await who.customer_of(identity, tenant, "jane@example.com")).verified_at is not None
    entered = await login.log_in(identity, visit_of(tenant), "jane@example.com", PASSWORD, old_session=None)
    assert entered.opened is not None


async def test_a_link_that_ran_out_is_no_link(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await make_customer(db, tenant, "jane@example.com")
    await passwords.ask_reset(identity, visit_of(tenant), "jane@example.com")
    token = await who.token_of(identity, tenant, "reset", "jane@example.com")
    assert await passwords.find_set_link(identity, tenant.id, token) is not None
    later = now_us() + DAY_US
    monkeypatch.setattr(passwords, "now_us", lambda: later)
    assert await passwords.find_set_link(identity, tenant.id, token) is None
