"""Codes of authenticator apps (RFC 6238) and recovery codes, whoever they belong to. Stores and seals nothing."""

from __future__ import annotations

import hmac
import secrets
from typing import Final

import pyotp

from ...core.times import SECOND_US
from .visit import Identity

RECOVERY_CODES: Final = 10
_STEP_SECONDS: Final = 30
_DRIFT_STEPS: Final = 1
_DIGITS: Final = 6
_ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_RECOVERY: Final = "recovery_code"


def new_secret() -> str:
    """A secret as apps take it."""
    return pyotp.random_base32(32)


def uri(secret: str, *, issuer: str, account: str) -> str:
    """What a QR code holds. `issuer` and `account`: what the app calls it."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def step_of(secret: str, code: str, now: int) -> int | None:
    """The time step whose code this is at `now` (µs), the present one or a neighbour; None for none."""
    typed = "".join(code.split())
    if len(typed) != _DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    app, present = pyotp.TOTP(secret), now // SECOND_US // _STEP_SECONDS
    steps = range(present - _DRIFT_STEPS, present + _DRIFT_STEPS + 1)
    fitting = [step for step in steps if hmac.compare_digest(app.generate_otp(step), typed)]
    return fitting[-1] if fitting else None


def new_codes() -> tuple[str, ...]:
    """Recovery codes, ten characters each: some 49 bits, enough for what is tried a hundred times a day."""
    made = ("".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES))
    return tuple(f"{code[:5]}-{code[5:]}" for code in made)


def code_digest(identity: Identity, account: str, code: str) -> bytes:
    """What is stored of an account's recovery code; however it is typed, it is the same."""
    typed = "".join(character for character in code.upper() if character.isalnum())
    return identity.digest(_RECOVERY, f"{account}\0{typed}")
