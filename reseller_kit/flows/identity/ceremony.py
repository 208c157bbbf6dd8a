"""Making and asking passkeys (Web Authentication, level 2), of customers and members alike. Knows no page.

A challenge is made here, waits in the database for five minutes and is taken once, whatever the answer is worth. It
holds for one tenant, one host and one browser. A passkey works at the host that it was made at.
"""

from __future__ import annotations

import json
from typing import Any, Final

from msgspec import Struct, structs
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
from ...db import passkeys, sessions
from ...db.engine import Connection, now_us
from ...db.passkeys import Owned, Passkey, Ring
from .visit import Identity

MOST: Final = 20
_VALID_US: Final = 300 * SECOND_US
_MAX_ANSWER: Final = 16_384


class Party(Struct, frozen=True, kw_only=True):
    """One side of a ceremony as browsers know it: the host's name and origin, and the browser's own token.

    `browser` is what the challenge is tied to: a session, a log-in half done, or the cookie that guards forms.
    """

    name: str
    host: str
    origin: str
    browser: str


class Holder(Struct, frozen=True, kw_only=True):
    """Who gets a passkey. `number` is the account's, and never changes."""

    number: str | int
    email: str
    name: str


def wrong() -> InvalidForm:
    """What every answer that is not right is told."""
    return InvalidForm({"": ("passkey.wrong", {})})


async def ask_to_make(identity: Identity, tenant_id: int, ring: Ring, holder: Holder, party: Party) -> str:
    """What the browser needs to make a passkey, as JSON. Raises InvalidForm when there are too many."""
    async with identity.db.read(tenant_id) as connection:
        known = await passkeys.of_holder(connection, tenant_id, ring, holder.number)
    if len(known) >= MOST:
        raise InvalidForm({"": ("passkey.too_many", {"count": MOST})})
    options = generate_registration_options(
        rp_id=party.host,
        rp_name=party.name,
        user_name=holder.email,
        user_id=str(holder.number).encode(),
        user_display_name=holder.name or holder.email,
        exclude_credentials=_described(known, party),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    await _ask(identity, tenant_id, _purpose(ring, "add"), party, options.challenge)
    return options_to_json(options)


async def made(identity: Identity, tenant_id: int, ring: Ring, party: Party, *, answer: str, name: str) -> Passkey:
    """The passkey that the browser made, which nobody has stored yet. Raises InvalidForm for an answer not right."""
    credential, challenge = _read(answer)
    if not await _take(identity, tenant_id, _purpose(ring, "add"), party, challenge):
        raise wrong()
    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except Exception:  # noqa: BLE001  # whatever the library makes of a stranger's bytes, they are not right
        raise wrong() from None
    return Passkey(
        id=new_id("psk"),
        host=party.host,
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        name=name,
        created_at=now_us(),
        used_at=None,
    )


async def store(connection: Connection, tenant_id: int, ring: Ring, holder: Holder, passkey: Passkey) -> None:
    """Keep a passkey that was made, in the caller's transaction. Raises InvalidForm for one that is known."""
    if not await passkeys.add(connection, tenant_id, ring, holder.number, passkey):
        raise wrong()


async def ask_to_sign(identity: Identity, tenant_id: int, ring: Ring, party: Party, known: list[Passkey]) -> str:
    """What the browser needs to log in, as JSON; `known`: the only ones that will do, all where there are none."""
    options = generate_authentication_options(
        rp_id=party.host,
        allow_credentials=_described(known, party),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    await _ask(identity, tenant_id, _purpose(ring, "login"), party, options.challenge)
    return options_to_json(options)


async def signed(identity: Identity, tenant_id: int, ring: Ring, party: Party, answer: str) -> Owned:
    """Whose passkey signed, with its new count, which `count` has still to store. Raises InvalidForm."""
    credential, challenge = _read(answer)
    try:
        credential_id = base64url_to_bytes(str(credential["id"]))
    except (KeyError, ValueError):
        raise wrong() from None
    if not await _take(identity, tenant_id, _purpose(ring, "login"), party, challenge):
        raise wrong()
    async with identity.db.read(tenant_id) as connection:
        found = await passkeys.find(connection, tenant_id, ring, credential_id)
    if found is None:
        raise wrong()
    known = found.passkey
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
    except Exception:  # noqa: BLE001  # see made
        raise wrong() from None
    return Owned(found.holder, structs.replace(known, sign_count=verified.new_sign_count))


async def count(connection: Connection, tenant_id: int, ring: Ring, passkey: Passkey) -> None:
    """Store that a passkey signed. Raises InvalidForm where another one with the same secret did meanwhile."""
    if not await passkeys.used(connection, tenant_id, ring, passkey, now_us()):
        raise wrong()


def _read(answer: str) -> tuple[dict[str, Any], bytes]:
    """The browser's answer, and the challenge that it says it signed."""
    try:
        if len(answer) > _MAX_ANSWER:
            raise ValueError
        credential = json.loads(answer)
        said = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        challenge = base64url_to_bytes(said["challenge"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise wrong() from None
    return credential, challenge


def _described(known: list[Passkey], party: Party) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one.credential_id) for one in known if one.host == party.host]


def _purpose(ring: Ring, what: str) -> str:
    return f"{ring.table.name}_{what}"


def _digest(identity: Identity, purpose: str, party: Party, challenge: bytes) -> bytes:
    return identity.digest(purpose, "\0".join((party.origin, party.browser, bytes_to_base64url(challenge))))


async def _ask(identity: Identity, tenant_id: int, purpose: str, party: Party, challenge: bytes) -> None:
    digest = _digest(identity, purpose, party, challenge)
    async with identity.write(tenant_id) as connection:
        await sessions.ask(connection, tenant_id, None, digest=digest, purpose=purpose, expires_at=now_us() + _VALID_US)


async def _take(identity: Identity, tenant_id: int, purpose: str, party: Party, challenge: bytes) -> bool:
    """In a transaction of its own: what comes after may fail, and the challenge is gone all the same."""
    digest = _digest(identity, purpose, party, challenge)
    async with identity.write(tenant_id) as connection:
        found = await sessions.take(connection, tenant_id, digest=digest, purpose=purpose, now=now_us())
    return found is not None
