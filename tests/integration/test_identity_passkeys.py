"""Passkeys without a browser: what is no right answer to a challenge of this storefront is refused, and uses it up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reseller_kit.core.errors import InvalidForm
from reseller_kit.db.engine import Database
from reseller_kit.flows.identity import login, passkeys
from reseller_kit.flows.identity.ceremony import Party
from reseller_kit.flows.identity.visit import Identity, Visit
from tests.support import identity as who
from tests.support.authenticator import encoded, said
from tests.support.factories import make_tenant
from tests.support.identity import make_identity, visit_of

SHOP = Party(name="Shop", host="shop.example", origin="https://shop.example", browser="one")
EMAIL = "jane@example.com"


def answer(options: str, kind: str, **response: str) -> str:
    """What a browser says that it signed, with whatever bytes besides."""
    fields = {"clientDataJSON": encoded(said(kind, options, SHOP.origin)), **response}
    document = {"id": encoded(b"credential"), "rawId": encoded(b"credential"), "type": "public-key", "response": fields}
    return json.dumps(document)


async def refused(work: Any) -> str:
    with pytest.raises(InvalidForm) as caught:
        await work
    return who.problems(caught.value)[""]


async def log_in(identity: Identity, visit: Visit, text: str, pending: str | None = None) -> str:
    return await refused(passkeys.log_in(identity, visit, SHOP, text, pending=pending, old_session=None))


@pytest.mark.parametrize(
    "garbage", [b"", b"\xa0", b"\xff" * 37, b"\xa3cfmtdnonegattStmt\xa0hauthDataX\x25" + b"\0" * 37]
)
async def test_bytes_of_a_stranger_make_no_passkey_and_use_up_the_challenge(db: Database, garbage: bytes) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await who.join(identity, tenant)
    visit, customer = visit_of(tenant), await who.customer_of(identity, tenant, EMAIL)
    options = await passkeys.begin_adding(identity, visit, customer, SHOP)
    assert json.loads(options)["authenticatorSelection"]["userVerification"] == "required"
    text = answer(options, "webauthn.create", attestationObject=encoded(garbage))
    for _ in range(2):
        assert await refused(passkeys.add(identity, visit, customer, SHOP, answer=text, name="x")) == "passkey.wrong"
    assert await passkeys.list_passkeys(identity, tenant.id, customer.id) == []


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "1", "[" * 5000, '{"id": 1, "response": {}}', "x" * 20_000, "\ud800"]
)
async def test_what_is_no_answer_is_refused(db: Database, text: str) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    assert await log_in(identity, visit_of(tenant), text) == "passkey.wrong"


async def test_a_challenge_is_its_storefronts_purposes_and_customers_own(db: Database) -> None:
    tenant, other, identity = await make_tenant(db), await make_tenant(db), await make_identity(db)
    for email in (EMAIL, "bob@example.com"):
        await who.join(identity, tenant, email)
    visit = visit_of(tenant)
    jane, bob = [await who.customer_of(identity, tenant, email) for email in (EMAIL, "bob@example.com")]
    options = await passkeys.begin_adding(identity, visit, jane, SHOP)
    made = answer(options, "webauthn.create", attestationObject="oA")
    assert await refused(passkeys.add(identity, visit, bob, SHOP, answer=made, name="x")) == "passkey.wrong"
    asked = await passkeys.begin_login(identity, visit, SHOP, None)
    said = answer(asked, "webauthn.get", authenticatorData="AA", signature="AA")
    assert await log_in(identity, visit_of(other), said) == "passkey.wrong"
    assert await refused(passkeys.add(identity, visit, jane, SHOP, answer=said, name="x")) == "passkey.wrong"
    assert await log_in(identity, visit, said, pending="nobody's") == "passkey.wrong"


async def test_a_second_step_names_the_customers_own_passkeys_alone(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await who.join(identity, tenant)
    anybody = json.loads(await passkeys.begin_login(identity, visit_of(tenant), SHOP, None))
    stranger = json.loads(await passkeys.begin_login(identity, visit_of(tenant), SHOP, "made up"))
    assert anybody["allowCredentials"] == stranger["allowCredentials"] == []
    assert await login.pending_customer(identity, tenant.id, "made up") is None
