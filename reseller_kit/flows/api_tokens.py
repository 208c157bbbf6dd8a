"""Use cases on tokens of the management API: make, list, revoke, and recognise. Shows a token once, when it is made.

A token acts for its storefront, not for its member; but it ends with the member, or with the right to have tokens.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from ..core import apikey, apitoken
from ..core.apitoken import SCOPES
from ..core.errors import InvalidRequest, NotFound, Unauthenticated
from ..core.ids import is_public_id, new_id
from ..core.lines import is_line
from ..core.paging import Page, Window, after, page_of
from ..core.roles import may
from ..core.times import SECOND_US
from ..db import api_tokens, audit_log, members
from ..db.api_tokens import ApiToken
from ..db.engine import NO_TENANT, Connection, Database, now_us
from ..db.tenants import Tenant
from ..vault import Vault
from ..vault.hashing import token_digest
from .tenants import require_tenant

MAX_NAME: Final = 80
_LIST: Final = "tokens"
_PURPOSE: Final = "api token"
_TOUCH_US: Final = 60 * SECOND_US
"""How old the note of a token's last use may be."""


class TokenTerms(Struct, frozen=True, kw_only=True):
    """What a token is called and may do, and when it ends (µs)."""

    name: str
    scopes: tuple[str, ...]
    expires_at: int | None = None


class NewToken(Struct, frozen=True):
    """A token just made; `secret` is the token itself, which nobody can show again."""

    token: ApiToken
    secret: str

    def __repr__(self) -> str:
        return f"NewToken(id={self.token.id})"


async def create_token(
    db: Database, vault: Vault, tenant_slug: str, terms: TokenTerms, *, actor: str, member_id: int | None = None
) -> NewToken:
    """A new token of a storefront; `member_id`: of whom, None for the operator. Raises InvalidRequest, NotFound."""
    now = now_us()
    terms = _checked(terms, now)
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        if member_id is not None:
            await _require_member(connection, tenant, member_id)
        secret = apitoken.generate(tenant.settings.get("brand", {}).get("key_prefix", "sk"))
        token = ApiToken(
            id=new_id("tok"),
            tenant_id=tenant.id,
            member_id=member_id,
            prefix=apikey.shown_part(secret),
            name=terms.name,
            scopes=terms.scopes,
            made_by="" if member_id is None else actor.partition(":")[2],
            expires_at=terms.expires_at,
            revoked_at=None,
            last_used_at=None,
            created_at=now,
        )
        await api_tokens.add(connection, tenant.id, token, token_digest(vault.pepper, _PURPOSE, secret))
        await audit_log.record(connection, tenant.id, actor, "token.create", "token", token.id, after=_facts(token))
    return NewToken(token, secret)


async def list_tokens(db: Database, tenant_slug: str, window: Window) -> Page[ApiToken]:
    """A tenant's tokens, newest first, those that ended too."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await api_tokens.page(connection, tenant.id, window.limit + 1, str(key[0]) if key else None)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def revoke_token(db: Database, tenant_slug: str, token_id: str, *, actor: str) -> ApiToken:
    """Refuse a token from now on, for good. Repeating is harmless. Raises NotFound."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        found = await api_tokens.find(connection, tenant.id, token_id) if is_public_id(token_id, "tok") else None
        if found is None:
            raise NotFound("There is no such token.", fix="See: reseller-kit token list --tenant TENANT")
        if found.revoked_at is not None:
            return found
        now = now_us()
        await api_tokens.revoke(connection, tenant.id, token_id, now)
        await audit_log.record(connection, tenant.id, actor, "token.revoke", "token", token_id, before=_facts(found))
    return msgspec.structs.replace(found, revoked_at=now)


async def recognise_token(db: Database, vault: Vault, tenant_id: int, secret: str) -> ApiToken:
    """The tenant's token that was sent. Raises Unauthenticated, alike for all that do not work."""
    unknown = Unauthenticated("The token is not valid.", fix="Make one on the console's page of API tokens.")
    if not apitoken.is_well_formed(secret):
        raise unknown
    now = now_us()
    async with db.read(tenant_id) as connection:
        known = await api_tokens.by_digest(connection, tenant_id, token_digest(vault.pepper, _PURPOSE, secret))
    if known is None or not known.token.works_at(now):
        raise unknown
    if known.role is not None and not may(known.role, "tokens", edit=True):
        raise unknown
    if (known.token.last_used_at or 0) < now - _TOUCH_US:
        async with db.write(tenant_id) as connection:
            await api_tokens.touch(connection, tenant_id, known.token.id, now)
    return known.token


def status_of(token: ApiToken, now: int) -> str:
    """Active | expired | revoked, at a moment (µs)."""
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.works_at(now) else "expired"


async def _require_member(connection: Connection, tenant: Tenant, member_id: int) -> None:
    member = await members.by_id(connection, tenant.id, member_id)
    if member is None or member.status != "active" or not may(member.role, "tokens", edit=True):
        raise NotFound("There is no such member.")


def _checked(terms: TokenTerms, now: int) -> TokenTerms:
    name = terms.name.strip()
    if not name or len(name) > MAX_NAME or not is_line(name):
        fix = f"Give one of at most {MAX_NAME} characters."
        raise InvalidRequest("The token needs a name.", param="name", fix=fix)
    unknown = [scope for scope in terms.scopes if scope not in SCOPES]
    if unknown or not terms.scopes:
        fix = f"Choose among {', '.join(SCOPES)}."
        message = f"There is no scope {unknown[0][:40]!r}." if unknown else "The token needs a scope."
        raise InvalidRequest(message, param="scopes", fix=fix)
    if terms.expires_at is not None and terms.expires_at <= now:
        raise InvalidRequest("The token would be expired at once.", param="expires", fix="Give a time in the future.")
    return msgspec.structs.replace(terms, name=name, scopes=tuple(one for one in SCOPES if one in terms.scopes))


def _facts(token: ApiToken) -> dict[str, object]:
    facts = {name: getattr(token, name) for name in ("name", "prefix", "expires_at")}
    return {**facts, "scopes": list(token.scopes)}
