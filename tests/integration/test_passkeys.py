"""Passkeys that work, of customers and of members alike: each attack is refused, and what is right still opens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from reseller_kit.core.errors import InvalidForm
from reseller_kit.db import audit_log, members
from reseller_kit.db.engine import Database
from reseller_kit.db.members import MemberRow
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.identity import passkeys as of_customers
from reseller_kit.flows.identity.ceremony import Party
from reseller_kit.flows.identity.sessions import Opened
from reseller_kit.flows.identity.visit import Identity
from reseller_kit.flows.members import login, second_factor, sessions, team
from reseller_kit.flows.members import passkeys as of_members
from reseller_kit.flows.members.second_factor import Enabled
from tests.support import identity as who
from tests.support.authenticator import Authenticator
from tests.support.factories import make_tenant
from tests.support.identity import make_identity, visit_of

PASSWORD = "correct horse battery"
EMAIL = "jane@example.com"
SHOP = Party(name="Shop", host="shop.example", origin="https://shop.example", browser="jane's browser")
OTHER_HOST = structs.replace(SHOP, host="other.example", origin="https://other.example")
Ask = Callable[[Party], Awaitable[str]]


class Door:
    """The passkeys of one kind of holder, at one tenant."""

    def __init__(self, identity: Identity, tenant: Tenant) -> None:
        self.identity, self.tenant, self.visit = identity, tenant, visit_of(tenant)

    async def join(self, email: str = EMAIL) -> Any:
        raise NotImplementedError

    async def ask_to_add(self, holder: Any, party: Party = SHOP) -> str:
        raise NotImplementedError

    async def add(self, holder: Any, answer: str, party: Party = SHOP) -> Any:
        raise NotImplementedError

    async def ask(self, party: Party = SHOP, pending: str | None = None) -> str:
        raise NotImplementedError

    async def log_in(self, answer: str, party: Party = SHOP, pending: str | None = None) -> Opened:
        raise NotImplementedError

    async def refused(self, answer: str, party: Party = SHOP) -> None:
        with pytest.raises(InvalidForm) as caught:
            await self.log_in(answer, party)
        assert who.problems(caught.value) == {"": "passkey.wrong"}

    async def equipped(self, device: Authenticator, email: str = EMAIL) -> Any:
        """Somebody with a passkey on that device."""
        holder = await self.join(email)
        await self.add(holder, device.make(await self.ask_to_add(holder), SHOP.origin))
        return holder


class CustomersDoor(Door):
    async def join(self, email: str = EMAIL) -> Any:
        await who.join(self.identity, self.tenant, email)
        return await who.customer_of(self.identity, self.tenant, email)

    async def ask_to_add(self, holder: Any, party: Party = SHOP) -> str:
        return await of_customers.begin_adding(self.identity, self.visit, holder, party)

    async def add(self, holder: Any, answer: str, party: Party = SHOP) -> Any:
        return await of_customers.add(self.identity, self.visit, holder, party, answer=answer, name="Phone")

    async def ask(self, party: Party = SHOP, pending: str | None = None) -> str:
        return await of_customers.begin_login(self.identity, self.visit, party, pending)

    async def log_in(self, answer: str, party: Party = SHOP, pending: str | None = None) -> Opened:
        return await of_customers.log_in(self.identity, self.visit, party, answer, pending=pending, old_session=None)


class MembersDoor(Door):
    role = "admin"

    async def join(self, email: str = EMAIL) -> MemberRow:
        async with self.identity.db.write(self.tenant.id) as connection:
            row = await members.put(connection, self.tenant.id, email, name="Ada", role=self.role, now=1)
            assert row is not None
            hashed = await self.identity.passwords.hash(PASSWORD)
            await members.change(connection, self.tenant.id, row.id, status="active", password_hash=hashed)
        return row

    async def ask_to_add(self, holder: Any, party: Party = SHOP) -> str:
        return await of_members.begin_adding(self.identity, self.visit, holder.id, party)

    async def add(self, holder: Any, answer: str, party: Party = SHOP) -> Enabled | None:
        return await of_members.add(
            self.identity, self.visit, holder.id, party, answer=answer, name="Phone", session="none"
        )

    async def ask(self, party: Party = SHOP, pending: str | None = None) -> str:
        return await of_members.begin_login(self.identity, self.visit, party, pending)

    async def log_in(self, answer: str, party: Party = SHOP, pending: str | None = None) -> Opened:
        return await of_members.log_in(self.identity, self.visit, party, answer, pending=pending, old_session=None)


class OwnersDoor(MembersDoor):
    role = "owner"


KINDS = pytest.mark.parametrize("kind", [CustomersDoor, MembersDoor])


@KINDS
async def test_a_passkey_logs_in_again_and_again(db: Database, kind: type[Door]) -> None:
    door, device = kind(await make_identity(db), await make_tenant(db)), Authenticator()
    await door.equipped(device)
    tokens = {(await door.log_in(device.sign(await door.ask(), SHOP.origin))).token for _ in range(3)}
    assert len(tokens) == 3


@KINDS
async def test_an_answer_works_once_and_a_failed_one_uses_the_challenge_up(db: Database, kind: type[Door]) -> None:
    door, device = kind(await make_identity(db), await make_tenant(db)), Authenticator()
    await door.equipped(device)
    answer = device.sign(await door.ask(), SHOP.origin)
    await door.log_in(answer)
    await door.refused(answer)
    options = await door.ask()
    await door.refused(Authenticator().sign(options, SHOP.origin))
    await door.refused(device.sign(options, SHOP.origin))


@KINDS
async def test_a_challenge_is_one_browsers_and_one_hosts(db: Database, kind: type[Door]) -> None:
    door, device = kind(await make_identity(db), await make_tenant(db)), Authenticator()
    holder = await door.equipped(device)
    eve = structs.replace(SHOP, browser="eve's browser")
    options = await door.ask()
    await door.refused(device.sign(options, SHOP.origin), eve)
    await door.refused(device.sign(options, OTHER_HOST.origin, OTHER_HOST.host), OTHER_HOST)
    await door.log_in(device.sign(options, SHOP.origin))
    made = Authenticator().make(await door.ask_to_add(holder), SHOP.origin)
    for party in (eve, OTHER_HOST):
        with pytest.raises(InvalidForm):
            await door.add(holder, made, party)


@KINDS
@pytest.mark.parametrize("origin", ["https://evil.example", "http://shop.example", "https://shop.example:8443", "null"])
async def test_another_origin_is_refused(db: Database, kind: type[Door], origin: str) -> None:
    door, device = kind(await make_identity(db), await make_tenant(db)), Authenticator()
    holder = await door.equipped(device)
    await door.refused(device.sign(await door.ask(), origin))
    await door.refused(device.sign(await door.ask(), SHOP.origin, "evil.example"))
    with pytest.raises(InvalidForm):
        await door.add(holder, Authenticator().make(await door.ask_to_add(holder), origin))


@KINDS
async def test_a_passkey_is_nothing_at_another_storefront_or_another_host(db: Database, kind: type[Door]) -> None:
    identity, device = await make_identity(db), Authenticator()
    door, foreign = kind(identity, await make_tenant(db)), kind(identity, await make_tenant(db))
    await door.equipped(device)
    await foreign.refused(device.sign(await door.ask(), SHOP.origin))
    await foreign.refused(device.sign(await foreign.ask(), SHOP.origin))
    await door.refused(device.sign(await door.ask(OTHER_HOST), OTHER_HOST.origin), OTHER_HOST)


async def test_a_customers_passkey_opens_no_console_and_a_members_no_account(db: Database) -> None:
    identity, tenant = await make_identity(db), await make_tenant(db)
    shop, console = CustomersDoor(identity, tenant), MembersDoor(identity, tenant)
    customers, members_ = Authenticator(), Authenticator()
    await shop.equipped(customers)
    await console.equipped(members_)
    await console.refused(customers.sign(await console.ask(), SHOP.origin))
    await shop.refused(members_.sign(await shop.ask(), SHOP.origin))
    await console.refused(members_.sign(await shop.ask(), SHOP.origin))


@KINDS
async def test_a_device_that_was_cloned_is_refused_once_the_count_falls_behind(db: Database, kind: type[Door]) -> None:
    door, device = kind(await make_identity(db), await make_tenant(db)), Authenticator(count=7)
    await door.equipped(device)
    clone = device.clone()
    for _ in range(2):
        await door.log_in(device.sign(await door.ask(), SHOP.origin))
    await door.refused(clone.sign(await door.ask(), SHOP.origin))
    await door.refused(clone.sign(await door.ask(), SHOP.origin))
    await door.log_in(device.sign(await door.ask(), SHOP.origin))


@KINDS
async def test_a_device_is_added_once(db: Database, kind: type[Door]) -> None:
    door, device = kind(await make_identity(db), await make_tenant(db)), Authenticator()
    holder = await door.equipped(device)
    with pytest.raises(InvalidForm):
        await door.add(holder, device.make(await door.ask_to_add(holder), SHOP.origin))
    bob = await door.join("bob@example.com")
    with pytest.raises(InvalidForm):
        await door.add(bob, device.make(await door.ask_to_add(bob), SHOP.origin))


async def test_an_owners_passkey_is_the_second_factor_after_the_password(db: Database) -> None:
    door, device = OwnersDoor(await make_identity(db), await make_tenant(db)), Authenticator()
    owner = await door.join()
    enabled = await door.add(owner, device.make(await door.ask_to_add(owner), SHOP.origin))
    assert enabled is not None
    assert len(enabled.recovery_codes) == 10
    live = await sessions.current(door.identity, door.tenant.id, enabled.opened.token)
    assert live is not None
    assert live.two_factor
    pending = await first_step(door)
    options = await door.ask(pending=pending)
    assert len(options.split('"allowCredentials": [{')) == 2
    bobs = Authenticator()
    await door.equipped(bobs, "bob@example.com")
    with pytest.raises(InvalidForm):
        await door.log_in(bobs.sign(await door.ask(pending=pending), SHOP.origin), pending=pending)
    await door.log_in(device.sign(await door.ask(pending=pending), SHOP.origin), pending=pending)
    with pytest.raises(InvalidForm) as caught:
        await login.enter_code(door.identity, door.visit, pending, enabled.recovery_codes[0], old_session=None)
    assert who.problems(caught.value) == {"": "login.too_late"}


async def test_a_recovery_code_stands_in_for_a_lost_passkey_once(db: Database) -> None:
    door, device = OwnersDoor(await make_identity(db), await make_tenant(db)), Authenticator()
    owner = await door.join()
    enabled = await door.add(owner, device.make(await door.ask_to_add(owner), SHOP.origin))
    assert enabled is not None
    code = enabled.recovery_codes[3]
    await login.enter_code(door.identity, door.visit, await first_step(door), code, old_session=None)
    for wrong in (code, "000000"):
        with pytest.raises(InvalidForm) as caught:
            await login.enter_code(door.identity, door.visit, await first_step(door), wrong, old_session=None)
        assert who.problems(caught.value) == {"code": "login.wrong_code"}


async def test_an_owner_keeps_a_factor_and_others_may_go_without(db: Database) -> None:
    identity = await make_identity(db)
    owners, admins = OwnersDoor(identity, await make_tenant(db)), MembersDoor(identity, await make_tenant(db))
    owner = await owners.equipped(Authenticator())
    [only] = await of_members.list_passkeys(identity, owners.tenant.id, owner.id)
    with pytest.raises(InvalidForm) as caught:
        await of_members.remove(identity, owners.visit, owner.id, only.id)
    assert who.problems(caught.value) == {"": "Owners always log in with two factors."}
    assert await owners.add(owner, Authenticator().make(await owners.ask_to_add(owner), SHOP.origin)) is None
    assert await of_members.remove(identity, owners.visit, owner.id, only.id)
    assert not await of_members.remove(identity, owners.visit, owner.id, only.id)

    admin = await admins.equipped(Authenticator())
    [only] = await of_members.list_passkeys(identity, admins.tenant.id, admin.id)
    assert not await of_members.remove(identity, owners.visit, owner.id, only.id)
    assert await of_members.remove(identity, admins.visit, admin.id, only.id)
    entered = await login.log_in(identity, admins.visit, EMAIL, PASSWORD, old_session=None)
    assert entered.opened is not None
    assert await second_factor.new_recovery_codes(identity, admins.visit, admin.id) == ()


async def test_who_is_removed_has_no_passkey_when_invited_again(db: Database) -> None:
    door, device = MembersDoor(await make_identity(db), await make_tenant(db)), Authenticator()
    member = await door.equipped(device)
    async with db.write(door.tenant.id) as connection:
        row = await members.by_id(connection, door.tenant.id, member.id)
        assert row is not None
        await team.take_away(connection, row, "member:boss@example.com")
    await door.refused(device.sign(await door.ask(), SHOP.origin))
    await door.join()
    await door.refused(device.sign(await door.ask(), SHOP.origin))


async def test_adding_using_and_removing_are_in_the_audit_log_and_mailed(db: Database) -> None:
    door, device = MembersDoor(await make_identity(db), await make_tenant(db)), Authenticator()
    member = await door.equipped(device)
    await door.log_in(device.sign(await door.ask(), SHOP.origin))
    [passkey] = await of_members.list_passkeys(door.identity, door.tenant.id, member.id)
    await of_members.remove(door.identity, door.visit, member.id, passkey.id)
    async with db.read(door.tenant.id) as connection:
        found = await audit_log.page(connection, door.tenant.id, 10, None)
    facts = {"passkey": "Phone", "host": "shop.example"}
    assert [(row.action, row.before, row.after) for row in reversed(found)] == [
        ("member.two_factor", None, facts),
        ("member.login", None, {"browser": "Firefox · Linux", "place": "203.0.113.x", "passkey": "Phone"}),
        ("member.two_factor", facts, None),
    ]
    sent = await who.mails(door.identity, door.tenant, EMAIL)
    changes = [mail.content["change"] for mail in sent if mail.kind == "member_two_factor"]
    assert changes == ["passkey_added", "passkey_removed"]


async def first_step(door: Door) -> str:
    entered = await login.log_in(door.identity, door.visit, EMAIL, PASSWORD, old_session=None)
    assert entered.opened is None
    assert entered.pending is not None
    return entered.pending
