"""Members' log-ins on both databases: guesses count, codes work once, rights end at once, owners are written to."""

from __future__ import annotations

import asyncio
import time

import pyotp
import pytest

from reseller_kit.core.errors import Conflict, InvalidForm, RateLimited
from reseller_kit.db import members, tenants
from reseller_kit.db.engine import Database, now_us
from reseller_kit.db.members import MemberRow
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.identity import attempts, chores
from reseller_kit.flows.identity.sessions import Opened
from reseller_kit.flows.identity.visit import Identity
from reseller_kit.flows.members import links, login, second_factor, sessions, team
from reseller_kit.flows.members.owners import invite_waiting
from reseller_kit.flows.members.team import Wanted
from tests.support import identity as who
from tests.support.factories import make_platform, make_tenant
from tests.support.identity import PASSWORD, make_identity, visit_of

ADA = "ada@x.example"
FAR = 1 << 62


@pytest.fixture(autouse=True)
def _guesses_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a busy machine takes over them, none is forgotten meanwhile."""
    moment = now_us()
    monkeypatch.setattr(attempts, "now_us", lambda: moment)


async def member_of(identity: Identity, tenant: Tenant, email: str = ADA) -> MemberRow:
    return await team.require(identity, tenant.id, email)


async def join(identity: Identity, tenant: Tenant, email: str = ADA, role: str = "owner") -> Opened:
    """Invited by the command line, and accepted."""
    wanted = Wanted(email=email, role=role, actor="cli:test")
    await team.invite(identity.db, identity.vault, tenant.slug, wanted)
    token = await who.token_of(identity, tenant, "member_invite", email)
    done = await links.use(identity, visit_of(tenant), token, "invite", password=PASSWORD, name="Ada", old_session=None)
    assert done is not None
    assert done.opened is not None
    return done.opened


async def attempt(identity: Identity, tenant: Tenant, password: str = "wrong", email: str = ADA, **visitor: str) -> str:
    try:
        await login.log_in(identity, visit_of(tenant, **visitor), email, password, old_session=None)
    except InvalidForm as error:
        return repr(error.problems)
    except RateLimited:
        return "limited"
    return "in"


async def test_guesses_are_counted_and_a_known_browser_still_gets_in(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    opened = await join(identity, tenant)
    guesses = await asyncio.gather(*(attempt(identity, tenant, address=f"198.51.100.{n}") for n in range(20)))
    assert sum(guess != "limited" for guess in guesses) == 5
    assert await attempt(identity, tenant, PASSWORD, address="203.0.113.99") == "limited"
    assert await attempt(identity, tenant, PASSWORD, device=opened.device) == "in"


async def test_nobody_and_somebody_are_refused_alike(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await join(identity, tenant)
    wanted = Wanted(email="waiting@x.example", role="admin", actor="cli:test")
    await team.invite(db, identity.vault, tenant.slug, wanted)
    runs = identity.passwords.runs
    answers = {
        await attempt(identity, tenant, email=email, address=f"203.0.113.{number}")
        for number, email in enumerate((ADA, "nobody@x.example", "waiting@x.example", "no address", ""))
    }
    assert len(answers) == 1
    assert identity.passwords.runs == runs + 5


async def test_codes_work_once_and_recovery_codes_too(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    opened = await join(identity, tenant)
    visit, member = visit_of(tenant), await member_of(identity, tenant)
    await second_factor.begin(identity, visit, member.id)
    setup = await second_factor.waiting(identity, visit, member.id, issuer="X")
    assert setup is not None
    app = pyotp.TOTP(setup.secret)
    enabled = await second_factor.enable(identity, visit, member.id, app.now(), session=opened.token)
    assert await sessions.current(identity, tenant.id, opened.token) is None
    assert await sessions.current(identity, tenant.id, enabled.opened.token) is not None

    async def enter(code: str) -> bool:
        entered = await login.log_in(identity, visit, ADA, PASSWORD, old_session=None)
        assert entered.opened is None
        assert entered.pending is not None
        try:
            await login.enter_code(identity, visit, entered.pending, code, old_session=None)
        except InvalidForm:
            return False
        return True

    later = app.at(int(time.time()) + 30)
    assert await enter(later)
    assert not await enter(later)
    assert await enter(enabled.recovery_codes[0].lower())
    assert not await enter(enabled.recovery_codes[0])
    assert not await enter("")
    with pytest.raises(InvalidForm):
        await second_factor.disable(identity, visit, member.id)


async def test_who_is_removed_is_out_and_may_be_invited_anew(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await join(identity, tenant)
    opened = await join(identity, tenant, "bob@x.example", "support")
    with pytest.raises(Conflict):
        await team.remove(db, tenant_slug=tenant.slug, email=ADA, actor="cli:test")
    await team.remove(db, tenant_slug=tenant.slug, email="bob@x.example", actor="cli:test")
    assert await sessions.current(identity, tenant.id, opened.token) is None
    assert await attempt(identity, tenant, PASSWORD, "bob@x.example") != "in"
    again = await join(identity, tenant, "bob@x.example", "admin")
    found = await sessions.current(identity, tenant.id, again.token)
    assert found is not None
    assert found.role == "admin"


async def test_two_who_demote_each_other_leave_an_owner(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    for email in (ADA, "bob@x.example"):
        await join(identity, tenant, email)
    ada, bob = await member_of(identity, tenant), await member_of(identity, tenant, "bob@x.example")
    await asyncio.gather(
        team.change_role(identity, tenant.id, ada, bob.email, "admin"),
        team.change_role(identity, tenant.id, bob, ada.email, "admin"),
        return_exceptions=True,
    )
    rows = await team.of_tenant(identity, tenant.id)
    assert sum(row.role == "owner" for row in rows) == 1


async def test_owners_of_a_configuration_are_written_to_once(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    async with db.write(tenant.id) as connection:
        await tenants.add_member(connection, tenant.id, ADA, "owner")
    done = await asyncio.gather(*(invite_waiting(db, identity.vault) for _ in range(3)))
    assert sorted(done) == [0, 0, 1]
    assert [mail.kind for mail in await who.mails(identity, tenant, ADA)] == ["member_invite"]
    token = await who.token_of(identity, tenant, "member_invite", ADA)
    assert await links.find(identity, tenant.id, token, "invite") is not None
    assert await links.find(identity, tenant.id, token, "reset") is None


async def test_what_ran_out_is_tidied_up(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    opened = await join(identity, tenant)
    async with db.read(tenant.id) as connection:
        assert await members.count_links(connection, tenant.id, (await member_of(identity, tenant)).id, "device") == 1
    assert await chores.tidy(db, FAR) >= 2
    assert await sessions.current(identity, tenant.id, opened.token) is None


async def test_operators_belong_to_the_platform_alone(db: Database) -> None:
    await make_platform(db)
    tenant, identity = await make_tenant(db), await make_identity(db)
    await team.invite_operator(db, identity.vault, email=ADA, actor="cli:test")
    assert [row.email for row in await team.list_operators(db)] == [ADA]
    assert await team.list_members(db, tenant.slug) == []
    async with db.read(tenant.id) as connection:
        assert await tenants.slugs(connection, 10) == [tenant.slug]
    with pytest.raises(Conflict):
        await team.remove_operator(db, email=ADA, actor="cli:test")
    await team.invite_operator(db, identity.vault, email="bob@x.example", actor="cli:test")
    await team.remove_operator(db, email=ADA, actor="cli:test")
    assert [row.email for row in await team.list_operators(db)] == ["bob@x.example"]
