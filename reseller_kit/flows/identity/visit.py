"""Who asks, and what identity's use cases work with. Does nothing itself."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct

from ...core.errors import InvalidForm
from ...core.storefront import Storefront
from ...core.visitors import browser_name, place_of
from ...db.engine import Connection, Database
from ...vault import Vault, token_digest
from ...vault.passwords import LONGEST, SHORTEST, Passwords
from ..patience import limited_wait

_WRITERS: Final = 3
MAX_NAME: Final = 100
MAX_EMAIL: Final = 254
_DISTINCT: Final = 3
_TRIED_FIRST: Final = frozenset(
    {
        *("12345678", "123456789", "1234567890", "0123456789", "87654321", "abcd1234", "abc12345", "1q2w3e4r"),
        *("password", "password1", "passw0rd", "p@ssw0rd", "qwertyui", "qwertyuiop", "qwerty12", "qwerty123"),
        *("iloveyou", "sunshine", "princess", "football", "baseball", "superman", "trustno1", "letmein1", "welcome1"),
    }
)
"""Of the lists of leaked passwords, those that stand first and are long enough. Throttles stop the rest."""


class Identity(Struct, frozen=True, eq=False):
    """What a serving process needs to know its customers."""

    db: Database
    vault: Vault
    passwords: Passwords
    writers: asyncio.Semaphore = msgspec.field(default_factory=lambda: asyncio.Semaphore(_WRITERS))

    @asynccontextmanager
    async def write(self, tenant_id: int) -> AsyncIterator[Connection]:
        """A transaction on a tenant's rows, of which a few run at once: a flood of log-ins must not hold up calls.

        Raises ServiceUnavailable after a few seconds of waiting for a turn.
        """
        async with limited_wait():
            await self.writers.acquire()
        try:
            async with self.db.write(tenant_id) as connection:
                yield connection
        finally:
            self.writers.release()

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
    """Raises InvalidForm for a password that is too short, too long, or among the first that anybody would try."""
    if len(password) < SHORTEST:
        raise InvalidForm({field: ("form.password_short", {"count": SHORTEST})})
    if len(password) > LONGEST:
        raise InvalidForm({field: ("form.password_long", {"count": LONGEST})})
    if len(set(password)) < _DISTINCT or password.casefold() in _TRIED_FIRST:
        raise InvalidForm({field: ("form.password_simple", {})})
