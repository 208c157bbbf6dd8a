"""Who asks, and what identity's use cases work with. Does nothing itself."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ...core.errors import InvalidForm
from ...core.storefront import Storefront
from ...core.visitors import browser_name, place_of
from ...db.engine import Database
from ...vault import Vault, token_digest
from ...vault.passwords import LONGEST, SHORTEST, Passwords

MAX_NAME: Final = 100
MAX_EMAIL: Final = 254


class Identity(Struct, frozen=True, eq=False):
    """What a serving process needs to know its customers."""

    db: Database
    vault: Vault
    passwords: Passwords

    def digest(self, purpose: str, token: str) -> bytes:
        """What is stored of a token, and what it is found by."""
        return token_digest(self.vault.pepper, purpose, token)


class Visit(Struct, frozen=True, kw_only=True):
    """One request's sender. `address` is the client's own; `device` and `form`: tokens that its browser keeps, if any.

    `device` names a browser that logged in before, `form` one that was shown a form.
    """

    tenant_id: int
    slug: str
    timezone: str
    settings: Mapping[str, Any]
    address: str
    agent: str = ""
    device: str | None = None
    form: str | None = None

    @property
    def browser(self) -> str:
        """The browser as people call it."""
        return browser_name(self.agent)

    @property
    def place(self) -> str:
        """The network, coarse on purpose."""
        return place_of(self.address)


def visit_of(
    storefront: Storefront, *, address: str, agent: str = "", device: str | None = None, form: str | None = None
) -> Visit:
    """A visit of a storefront."""
    return Visit(
        tenant_id=storefront.tenant_id,
        slug=storefront.slug,
        timezone=storefront.timezone,
        settings=storefront.settings,
        address=address,
        agent=agent,
        device=device,
        form=form,
    )


def new_token() -> str:
    """256 random bits that can stand in a URL or cookie."""
    return secrets.token_urlsafe(32)


def check_password(password: str, field: str = "password") -> None:
    """Raises InvalidForm for a password that is too short, too long or of one character alone."""
    if len(password) < SHORTEST:
        raise InvalidForm({field: ("form.password_short", {"count": SHORTEST})})
    if len(password) > LONGEST:
        raise InvalidForm({field: ("form.password_long", {"count": LONGEST})})
    if len(set(password)) < 3:
        raise InvalidForm({field: ("form.password_simple", {})})
