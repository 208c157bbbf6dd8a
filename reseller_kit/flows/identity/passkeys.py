"""Passkeys (Web Authentication, level 2), used instead of a password or as second factor. Knows no page.

A challenge is made here, waits in the database and is taken once. A passkey works at the host that it was made at.
"""

from __future__ import annotations

import json
from typing import Any, Final

from msgspec import Struct
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ...core.errors import InvalidForm
from ...core.ids import new_id
from ...core.times import SECOND_US
from ...db import customers, passkeys, sessions
from ...db.customers import Customer
from ...db.engine import Connection, now_us
from ...db.passkeys import Passkey
from . import attempts, letters, login, trial
from .sessions import Opened, open_session
from .visit import Identity, Visit

MOST: Final = 20
ADD: Final = "passkey_add"
LOG_IN: Final = "passkey_login"
_VALID_US: Final = 300 * SECOND_US
_WRONG: Final = "passkey.wrong"
_MAX_ANSWER: Final = 16_384


class Party(Struct, frozen=True, kw_only=True):
    """The storefront as browsers know it: its name, the host that was asked, and that host's origin."""

    name: str
    host: str
    origin: str


async def begin_adding(identity: Identity, visit: Visit, customer: Customer, party: Party) -> str:
    """What the browser needs to make a passkey, as JSON. Raises InvalidForm when there are too many."""
    async with identity.db.read(visit.tenant_id) as connection:
        known = await passkeys.of_customer(connection, visit.tenant_id, customer.id)
    if len(known) >= MOST:
        raise InvalidForm({"": ("passkey.too_many", {"count": MOST})})
    options = generate_registration_options(
        rp_id=party.host,
        rp_name=party.name,
        user_name=customer.email,
        user_id=customer.id.encode(),
        user_display_name=customer.name or customer.email,
        exclude_credentials=_described(known, party),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    await _ask(identity, visit.tenant_id, customer.id, ADD, options.challenge)
    return options_to_json(options)


async def add(identity: Identity, visit: Visit, customer: Customer, party: Party, *, answer: str, name: str) -> None:
    """Keep the passkey that the browser made. Raises InvalidForm for an answer that is not right."""
    credential, challenge = _read(answer)
    now = now_us()
    async with identity.write(visit.tenant_id) as connection:
        if await _take(connection, identity, visit.tenant_id, ADD, challenge) != (customer.id,):
            raise InvalidForm({"": (_WRONG, {})})
        try:
            made = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=party.host,
                expected_origin=party.origin,
                require_user_verification=True,
            )
        except Exception:  # noqa: BLE001  # whatever the library makes of a stranger's bytes, they are not right
            raise InvalidForm({"": (_WRONG, {})}) from None
        added = await passkeys.add(
            connection,
            visit.tenant_id,
            customer.id,
            Passkey(
                id=new_id("psk"),
                customer_id=customer.id,
                host=party.host,
                credential_id=made.credential_id,
                public_key=made.credential_public_key,
                sign_count=made.sign_count,
                name=name,
                created_at=now,
                used_at=None,
            ),
        )
        if not added:
            raise InvalidForm({"": (_WRONG, {})})
        await letters.two_factor_changed(connection, identity, visit, customer.email, "passkey_added", now)


async def remove(identity: Identity, visit: Visit, customer_id: str, passkey_id: str) -> bool:
    """Forget one of the customer's passkeys; False for one that is not the customer's."""
    async with identity.write(visit.tenant_id) as connection:
        removed = await passkeys.remove(connection, visit.tenant_id, customer_id, passkey_id)
        customer = await customers.find(connection, visit.tenant_id, customer_id)
        if removed and customer is not None:
            await letters.two_factor_changed(connection, identity, visit, customer.email, "passkey_removed", now_us())
    return removed


async def list_passkeys(identity: Identity, tenant_id: int, customer_id: str) -> list[Passkey]:
    """The customer's passkeys, oldest first."""
    async with identity.db.read(tenant_id) as connection:
        return await passkeys.of_customer(connection, tenant_id, customer_id)


async def begin_login(identity: Identity, visit: Visit, party: Party, pending: str | None) -> str:
    """What the browser needs to log in, as JSON. With `pending`, only that customer's passkeys will do."""
    await attempts.count(identity, visit.tenant_id, attempts.by_address(identity, visit))
    customer_id, known = None, []
    if pending is not None:
        customer_id = await login.pending_customer(identity, visit.tenant_id, pending)
    if customer_id is not None:
        known = await list_passkeys(identity, visit.tenant_id, customer_id)
    options = generate_authentication_options(
        rp_id=party.host,
        allow_credentials=_described(known, party),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    await _ask(identity, visit.tenant_id, customer_id, LOG_IN, options.challenge)
    return options_to_json(options)


async def log_in(
    identity: Identity, visit: Visit, party: Party, answer: str, *, pending: str | None, old_session: str | None
) -> Opened:
    """Log in by a passkey: alone, or as the second step of `pending`. Raises InvalidForm for a wrong answer."""
    credential, challenge = _read(answer)
    wrong = InvalidForm({"": (_WRONG, {})})
    try:
        credential_id = base64url_to_bytes(str(credential["id"]))
    except (KeyError, ValueError):
        raise wrong from None
    async with identity.write(visit.tenant_id) as connection:
        asked = await _take(connection, identity, visit.tenant_id, LOG_IN, challenge)
        found = await passkeys.find(connection, visit.tenant_id, credential_id)
        if asked is None or found is None or asked[0] not in {None, found.customer_id}:
            raise wrong
        count = _signed(credential, challenge, party, found)
        customer = await customers.find(connection, visit.tenant_id, found.customer_id)
        if count is None or customer is None or customer.status == "deleted":
            raise wrong
        await passkeys.used(connection, visit.tenant_id, found.id, count, now_us())
        if pending is not None and asked[0] is not None:
            opened = await login.finish(connection, identity, visit, pending, old_session=old_session)
            if opened is None:
                raise InvalidForm({"": ("login.too_late", {})})
        else:
            opened = await open_session(connection, identity, visit, customer.id, customer.email, old=old_session)
        await attempts.lower(connection, visit.tenant_id, attempts.by_address(identity, visit))
    await trial.grant(identity, visit, customer.id)
    return opened


def _signed(credential: dict[str, Any], challenge: bytes, party: Party, known: Passkey) -> int | None:
    """The authenticator's new count, or None for a signature that is not right or not of this host."""
    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=known.host,
            expected_origin=party.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=known.sign_count,
            require_user_verification=True,
        )
    except Exception:  # noqa: BLE001  # see add
        return None
    return verified.new_sign_count


def _read(answer: str) -> tuple[dict[str, Any], bytes]:
    """The browser's answer, and the challenge that it says it signed."""
    try:
        if len(answer) > _MAX_ANSWER:
            raise ValueError
        credential = json.loads(answer)
        signed = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        challenge = base64url_to_bytes(signed["challenge"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidForm({"": (_WRONG, {})}) from None
    return credential, challenge


def _described(known: list[Passkey], party: Party) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one.credential_id) for one in known if one.host == party.host]


async def _ask(identity: Identity, tenant_id: int, customer_id: str | None, purpose: str, challenge: bytes) -> None:
    digest = identity.digest(purpose, bytes_to_base64url(challenge))
    async with identity.write(tenant_id) as connection:
        expires = now_us() + _VALID_US
        await sessions.ask(connection, tenant_id, customer_id, digest=digest, purpose=purpose, expires_at=expires)


async def _take(
    connection: Connection, identity: Identity, tenant_id: int, purpose: str, challenge: bytes
) -> tuple[str | None] | None:
    digest = identity.digest(purpose, bytes_to_base64url(challenge))
    return await sessions.take(connection, tenant_id, digest=digest, purpose=purpose, now=now_us())
