"""Log-in, second factors and changes of both: guesses are counted, codes work once, rights end at once."""

from __future__ import annotations

import asyncio
import time

import pyotp
import pytest

from reseller_kit.core.errors import InvalidForm, RateLimited
from reseller_kit.db import logins
from reseller_kit.db.engine import Database, now_us
from reseller_kit.flows.identity import attempts, email_change, login, passwords, second_factor, sessions
from reseller_kit.flows.identity.visit import Identity
from tests.support import identity as who
from tests.support.factories import make_tenant
from tests.support.identity import PASSWORD, make_identity, visit_of

EMAIL = "jane@example.com"


@pytest.fixture(autouse=True)
def _guesses_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a busy machine takes over them, none is forgotten meanwhile."""
    moment = now_us()
    monkeypatch.setattr(attempts, "now_us", lambda: moment)


async def guess(identity: Identity, tenant: object, email: str = EMAIL, **visitor: object) -> str:
    """How a wrong password is answered."""
    try:
        await login.log_in(identity, visit_of(tenant, **visitor), email, "wrong password", old_session=None)  # type: ignore[arg-type]
    except InvalidForm as error:
        return repr(error.problems)
    except RateLimited as error:
        return f"limited {error.retry_after_seconds}"
    return "in"


async def test_guesses_from_a_thousand_addresses_are_counted_together(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await who.join(identity, tenant)
    runs = identity.passwords.runs
    answers = await asyncio.gather(*(guess(identity, tenant, address=f"198.51.100.{n}") for n in range(40)))
    assert sum(not answer.startswith("limited") for answer in answers) == 5
    assert identity.passwords.runs == runs + 5


async def test_an_unknown_address_is_answered_counted_and_costs_as_a_known_one(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await who.join(identity, tenant)
    found = []
    for email in (EMAIL, "nobody@example.com"):
        for _ in range(7):
            runs = identity.passwords.runs
            found.append((await guess(identity, tenant, email), identity.passwords.runs - runs))
    assert found[:7] == found[7:]


async def test_a_known_browser_is_not_locked_out_by_guesses_of_others(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    opened = await who.join(identity, tenant)
    for _ in range(8):
        await guess(identity, tenant)
    with pytest.raises(RateLimited):
        await login.log_in(identity, visit_of(tenant), EMAIL, PASSWORD, old_session=None)
    home = visit_of(tenant, device=opened.device)
    assert (await login.log_in(identity, home, EMAIL, PASSWORD, old_session=None)).opened
    for _ in range(5):
        await guess(identity, tenant, device=opened.device)
    assert (await guess(identity, tenant, device=opened.device)).startswith("limited")
    assert (await guess(identity, tenant, device="made up")).startswith("limited")


async def test_one_address_can_not_try_many_accounts(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    answers = [await guess(identity, tenant, f"jane{n}@example.com") for n in range(102)]
    assert answers[-1].startswith("limited")
    assert not (await guess(identity, tenant, "ann@example.com", address="198.51.100.1")).startswith("limited")


async def test_a_log_in_ends_the_browsers_old_session_and_tells_of_a_new_browser(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    first = await who.join(identity, tenant)
    home = visit_of(tenant, device=first.device)
    second = (await login.log_in(identity, home, EMAIL, PASSWORD, old_session=first.token)).opened
    assert second is not None
    assert second.token != first.token
    assert await sessions.current(identity, tenant.id, first.token) is None
    assert await sessions.current(identity, tenant.id, second.token) is not None
    assert "new_login" not in [mail.kind for mail in await who.mails(identity, tenant)]
    await login.log_in(identity, visit_of(tenant, device="planted"), EMAIL, PASSWORD, old_session=None)
    (mail,) = [mail for mail in await who.mails(identity, tenant) if mail.kind == "new_login"]
    assert (mail.recipient, mail.content["browser"], mail.content["place"]) == (EMAIL, "Firefox · Linux", "203.0.113.x")


async def test_sessions_are_listed_and_ended_by_their_customer_alone(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    hers, his = await who.join(identity, tenant), await who.join(identity, tenant, "bob@example.com")
    jane = await sessions.current(identity, tenant.id, hers.token)
    bob = await sessions.current(identity, tenant.id, his.token)
    assert jane is not None
    assert bob is not None
    assert [row.id for row in await sessions.list_sessions(identity, tenant.id, jane.customer_id)] == [jane.id]
    assert not await sessions.revoke(identity, tenant.id, jane.customer_id, bob.id)
    assert await sessions.revoke(identity, tenant.id, bob.customer_id, bob.id)
    assert await sessions.current(identity, tenant.id, his.token) is None
    assert await sessions.current(identity, tenant.id, hers.token) is not None


async def two_factor(identity: Identity, tenant: object) -> tuple[str, second_factor.Enabled, str]:
    """A customer who is asked for codes: (id, what was shown, the app's secret)."""
    opened = await who.join(identity, tenant)  # type: ignore[arg-type]
    visit = visit_of(tenant)  # type: ignore[arg-type]
    session = await sessions.current(identity, visit.tenant_id, opened.token)
    assert session is not None
    await second_factor.begin(identity, visit, session.customer_id)
    setup = await second_factor.waiting(identity, visit, session.customer_id, issuer="Shop", account=EMAIL)
    assert setup is not None
    with pytest.raises(InvalidForm):
        await second_factor.enable(identity, visit, session.customer_id, "12345", session=opened.token)
    code = pyotp.TOTP(setup.secret).now()
    enabled = await second_factor.enable(identity, visit, session.customer_id, code, session=opened.token)
    assert await sessions.current(identity, visit.tenant_id, opened.token) is None
    assert await sessions.current(identity, visit.tenant_id, enabled.opened.token) is not None
    return session.customer_id, enabled, setup.secret


async def test_a_second_factor_is_asked_for_and_each_code_works_once(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    customer_id, enabled, secret = await two_factor(identity, tenant)
    visit = visit_of(tenant)
    # The next step's, which counts already: the present one was used to turn codes on.
    code = pyotp.TOTP(secret).at(int(time.time()) + 30)
    entered = [await login.log_in(identity, visit, EMAIL, PASSWORD, old_session=None) for _ in range(4)]
    pending = [one.pending or "" for one in entered]
    assert all(one.opened is None and one.pending for one in entered)
    assert await sessions.current(identity, tenant.id, pending[0]) is None
    results = await asyncio.gather(
        *(login.enter_code(identity, visit, one, code, old_session=None) for one in pending[:2]), return_exceptions=True
    )
    assert sorted(isinstance(result, InvalidForm) for result in results) == [False, True]
    recovery = enabled.recovery_codes[0].lower().replace("-", " ")
    opened = await login.enter_code(identity, visit, pending[2], recovery, old_session=None)
    assert await sessions.current(identity, tenant.id, opened.token) is not None
    with pytest.raises(InvalidForm):
        await login.enter_code(identity, visit, pending[3], recovery, old_session=None)
    with pytest.raises(InvalidForm) as caught:
        await login.enter_code(identity, visit, pending[2], enabled.recovery_codes[1], old_session=None)
    assert who.problems(caught.value) == {"": "login.too_late"}
    async with db.read(tenant.id) as connection:
        stored = await logins.find(connection, tenant.id, customer_id)
    assert stored is not None
    assert secret.encode() not in (stored.totp_sealed or b"")


async def test_guesses_of_codes_are_counted(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await two_factor(identity, tenant)
    visit, limited = visit_of(tenant), 0
    pending = (await login.log_in(identity, visit, EMAIL, PASSWORD, old_session=None)).pending or ""
    for number in range(8):
        try:
            await login.enter_code(identity, visit, pending, f"{number:06}", old_session=None)
        except InvalidForm:
            continue
        except RateLimited:
            limited += 1
    assert limited >= 2


async def test_a_reset_ends_all_sessions_but_does_not_pass_the_second_factor(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    _, enabled, _ = await two_factor(identity, tenant)
    visit = visit_of(tenant)
    await passwords.ask_reset(identity, visit, EMAIL)
    token = await who.token_of(identity, tenant, "reset", EMAIL)
    done = await passwords.set_by_link(identity, visit, token, "a new password", terms_version=None, old_session=None)
    assert done == passwords.PasswordSet(None)
    assert await sessions.current(identity, tenant.id, enabled.opened.token) is None
    again = {"terms_version": None, "old_session": None}
    assert await passwords.set_by_link(identity, visit, token, "a third password", **again) is None
    assert (await login.log_in(identity, visit, EMAIL, "a new password", old_session=None)).pending
    assert [mail.kind for mail in await who.mails(identity, tenant)][-1] == "password_changed"


async def test_a_changed_password_keeps_this_browser_alone(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    opened = await who.join(identity, tenant)
    visit = visit_of(tenant)
    other = (await login.log_in(identity, visit, EMAIL, PASSWORD, old_session=None)).opened
    session = await sessions.current(identity, tenant.id, opened.token)
    assert session is not None
    assert other is not None
    with pytest.raises(InvalidForm):
        await login.confirm_password(identity, visit, session.customer_id, "wrong password")
    await login.confirm_password(identity, visit, session.customer_id, PASSWORD)
    fresh = await passwords.change(identity, visit, session.customer_id, "a new password", session=opened.token)
    assert fresh is not None
    live = [await sessions.current(identity, tenant.id, token) for token in (opened.token, other.token, fresh.token)]
    assert [one is not None for one in live] == [False, False, True]


async def test_a_new_address_is_confirmed_by_its_mailbox_and_told_to_the_old_one(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await who.join(identity, tenant)
    await who.join(identity, tenant, "bob@example.com")
    customer = await who.customer_of(identity, tenant, EMAIL)
    visit = visit_of(tenant)
    assert await email_change.ask(identity, visit, customer.id, "Bob@example.com") == "bob@example.com"
    assert [mail.kind for mail in await who.mails(identity, tenant, "bob@example.com")][-1] == "already_registered"
    await passwords.ask_reset(identity, visit, EMAIL)
    reset = await who.token_of(identity, tenant, "reset", EMAIL)
    await email_change.ask(identity, visit, customer.id, "new@example.com")
    token = await who.token_of(identity, tenant, "email_change", "new@example.com")
    assert (await who.customer_of(identity, tenant, EMAIL)).id == customer.id
    assert await email_change.confirm(identity, visit, token) == "new@example.com"
    assert await email_change.confirm(identity, visit, token) is None
    assert (await who.customer_of(identity, tenant, "new@example.com")).id == customer.id
    assert [mail.kind for mail in await who.mails(identity, tenant, EMAIL)][-1] == "email_changed"
    assert await passwords.find_set_link(identity, tenant.id, reset) is None
