"""Use cases of the operator on API keys: create, look up, rotate, revoke. Shows a key once, at its creation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from ..core import apikey
from ..core.addresses import parse_networks
from ..core.errors import Conflict, InvalidRequest, NotFound
from ..core.ids import is_public_id, new_id
from ..core.paging import Page, Window, after, page_of
from ..core.periods import Reset, period_of, resets_at
from ..core.times import DAY_US
from ..db import audit_log, keys, operator, outbox, revisions
from ..db.engine import NO_TENANT, Database, now_us
from ..db.keys import ApiKey, OwnedKey
from ..db.tenants import Connection, Tenant
from ..vault import Vault, key_digest
from . import events
from .customers import require_customer
from .grants import check_models
from .tenants import require_tenant, scope_of

LimitReset = Reset
MAX_REQUESTS_PER_MINUTE: Final = 1_000_000
MAX_TOKENS_PER_MINUTE: Final = 1_000_000_000
MAX_CONCURRENT_REQUESTS: Final = 100_000
MAX_OVERLAP_US: Final = 30 * DAY_US
_LIST: Final = "keys"
_SHOWN: Final = (
    *("id", "customer_id", "prefix", "name", "limit_nano", "limit_reset"),
    *("requests_per_minute", "tokens_per_minute", "concurrent_requests", "expires_at"),
)
"""What the audit log says of a key, beside its models."""


class KeyTerms(Struct, frozen=True, kw_only=True):
    """What a key may do. `limit` in nano-USD per period of `reset`, or for ever; no `models` means every model.

    `allow_ips`: addresses and networks that it may be used from, none meaning any.
    """

    name: str = ""
    limit: int | None = None
    reset: LimitReset | None = None
    models: tuple[str, ...] = ()
    expires_at: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    allow_ips: tuple[str, ...] = ()


class KeyUse(Struct, frozen=True):
    """What a key with a limit has spent and reserved in its present period (nano-USD), and when that ends (µs)."""

    spent: int
    reserved: int
    resets_at: int | None


class KeyView(Struct, frozen=True):
    """A key and its owner; `use` is None for a key without a limit."""

    owned: OwnedKey
    use: KeyUse | None


class NewKey(Struct, frozen=True):
    """A key just made; `secret` is the key itself, which nobody can show again."""

    owned: OwnedKey
    secret: str
    use: KeyUse | None


async def create_key(
    db: Database, vault: Vault, *, tenant_slug: str, customer: str, terms: KeyTerms, actor: str
) -> NewKey:
    """A new key of a customer. Raises InvalidRequest for terms that make no sense."""
    terms = _checked(terms)
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        owner = await require_customer(connection, tenant, customer)
        secret, key = _make(tenant, owner.id, terms)
        await keys.add(connection, tenant.id, key, key_digest(vault.pepper, secret))
        await _tell(connection, tenant.id, key, owner.email)
        await audit_log.record(connection, tenant.id, actor, "key.create", "key", key.id, after=_facts(key))
        await revisions.bump(connection, "key", key.id)
    return NewKey(OwnedKey(key, owner.email), secret, _use(tenant, key, now_us(), {}))


async def list_keys(db: Database, tenant_slug: str, customer: str | None, window: Window) -> Page[KeyView]:
    """A tenant's keys, or one customer's, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        owner = None if customer is None else (await require_customer(connection, tenant, customer)).id
        rows = await keys.page(connection, tenant.id, owner, window.limit + 1, str(key[0]) if key else None)
        views = await _views(connection, tenant, rows)
    return page_of(views, window, _LIST, lambda view: (view.owned.key.id,))


async def show_key(db: Database, key_id: str, tenant_slug: str | None, *, customer_id: str | None = None) -> KeyView:
    """One key with what it has spent; `customer_id` narrows to one customer's. Raises NotFound."""
    async with db.read(scope_of(tenant_slug)) as connection:
        tenant, owned = await _require_key(connection, key_id, tenant_slug, customer_id)
        (view,) = await _views(connection, tenant, [owned])
    return view


async def rotate_key(
    db: Database,
    vault: Vault,
    key_id: str,
    tenant_slug: str | None,
    actor: str,
    *,
    customer_id: str | None = None,
    overlap: int = 0,
) -> NewKey:
    """A new key with the same terms, in the same limit period; the old one is revoked in the same transaction.

    With an `overlap` (µs) the old one works for so long beside it; each then has its own limit, the new one's begun
    with what the old one had spent until now. What calls under way have reserved counts as spent. `customer_id` narrows
    to one customer's keys. Raises NotFound, and Conflict when the old one was revoked or has expired before.
    """
    now = now_us()
    if not 0 <= overlap <= MAX_OVERLAP_US:
        raise InvalidRequest("The overlap is out of range.", param="overlap", fix="Give at most 30 days.")
    async with db.write(scope_of(tenant_slug)) as connection:
        tenant, old = await _require_key(connection, key_id, tenant_slug, customer_id)
        if not old.key.works_at(now):
            state = "is revoked" if old.key.revoked_at is not None else "has expired"
            raise Conflict(f"The key {key_id} {state}.", fix="Create a new one: reseller-kit key create")
        secret, key = _make(tenant, old.key.customer_id, _terms(old.key))
        await keys.add(connection, tenant.id, key, key_digest(vault.pepper, secret))
        if overlap:
            until = min(now + overlap, old.key.expires_at or now + overlap)
            await keys.change(connection, tenant.id, msgspec.structs.replace(old.key, expires_at=until))
        else:
            await keys.revoke(connection, tenant.id, key_id, now)
            await _tell_of_end(connection, old.key)
        spent = 0
        if key.limit_nano is not None:
            period = period_of(key.limit_reset, tenant.timezone, now)
            spent = await keys.carry_use(connection, tenant.id, key_id, key.id, period)
        await _tell(connection, tenant.id, key, old.email)
        await audit_log.record(
            connection, tenant.id, actor, "key.rotate", "key", key_id, before=_facts(old.key), after=_facts(key)
        )
        await revisions.bump(connection, "key", key_id)
    return NewKey(OwnedKey(key, old.email), secret, _use(tenant, key, now, {key.id: (spent, 0)}))


async def edit_key(
    db: Database, key_id: str, tenant_slug: str, actor: str, *, customer_id: str, terms: KeyTerms
) -> KeyView:
    """Give a customer's key other terms, from its next call on. Raises NotFound, Conflict for one that is revoked.

    An expiry that stays as it was is taken also when it has passed.
    """
    async with db.write(scope_of(tenant_slug)) as connection:
        tenant, old = await _require_key(connection, key_id, tenant_slug, customer_id)
        if old.key.revoked_at is not None:
            raise Conflict(f"The key {key_id} is revoked.", fix="Create a new one: reseller-kit key create")
        kept = terms.expires_at == old.key.expires_at
        terms = _checked(msgspec.structs.replace(terms, expires_at=None) if kept else terms)
        key = msgspec.structs.replace(
            old.key,
            name=terms.name,
            limit_nano=terms.limit,
            limit_reset=terms.reset,
            models=terms.models,
            expires_at=old.key.expires_at if kept else terms.expires_at,
            requests_per_minute=terms.requests_per_minute,
            concurrent_requests=terms.concurrent_requests,
            allow_ips=terms.allow_ips,
        )
        await keys.change(connection, tenant.id, key)
        await audit_log.record(
            connection, tenant.id, actor, "key.edit", "key", key_id, before=_facts(old.key), after=_facts(key)
        )
        await revisions.bump(connection, "key", key_id)
        (view,) = await _views(connection, tenant, [OwnedKey(key, old.email)])
    return view


async def revoke_key(
    db: Database, key_id: str, tenant_slug: str | None, actor: str, *, customer_id: str | None = None
) -> OwnedKey:
    """Refuse a key from now on, for good. Repeating is harmless. `customer_id` narrows to one customer's keys."""
    async with db.write(scope_of(tenant_slug)) as connection:
        tenant, owned = await _require_key(connection, key_id, tenant_slug, customer_id)
        if owned.key.revoked_at is not None:
            return owned
        revoked = msgspec.structs.replace(owned.key, revoked_at=now_us())
        await keys.revoke(connection, tenant.id, key_id, revoked.revoked_at or 0)
        await _tell_of_end(connection, revoked)
        await audit_log.record(connection, tenant.id, actor, "key.revoke", "key", key_id, before=_facts(owned.key))
        await revisions.bump(connection, "key", key_id)
    return OwnedKey(revoked, owned.email)


async def _views(connection: Connection, tenant: Tenant, rows: Sequence[OwnedKey]) -> list[KeyView]:
    now = now_us()
    limited = [owned.key for owned in rows if owned.key.limit_nano is not None]
    periods = {key.id: period_of(key.limit_reset, tenant.timezone, now) for key in limited}
    found = await keys.uses(connection, tenant.id, periods) if periods else {}
    return [KeyView(owned, _use(tenant, owned.key, now, found)) for owned in rows]


def _use(tenant: Tenant, key: ApiKey, now: int, found: Mapping[str, tuple[int, int]]) -> KeyUse | None:
    if key.limit_nano is None:
        return None
    return KeyUse(*found.get(key.id, (0, 0)), resets_at(key.limit_reset, tenant.timezone, now))


async def _require_key(
    connection: Connection, key_id: str, tenant_slug: str | None, customer_id: str | None = None
) -> tuple[Tenant, OwnedKey]:
    """The key and its tenant; `tenant_slug` and `customer_id` narrow to one's. Raises NotFound."""
    unknown = NotFound(f"There is no key {key_id[:80]!r}.", fix="See: reseller-kit key list --tenant TENANT")
    if tenant_slug is not None:
        tenant = await require_tenant(connection, tenant_slug)
    else:
        tenant_id = await operator.tenant_of_key(connection, key_id) if is_public_id(key_id, "key") else None
        found = None if tenant_id is None else await operator.tenant_by_id(connection, tenant_id)
        if found is None:
            raise unknown
        tenant = found
    owned = await keys.find(connection, tenant.id, key_id) if is_public_id(key_id, "key") else None
    if owned is None or customer_id not in {None, owned.key.customer_id}:
        raise unknown
    return tenant, owned


def _checked(terms: KeyTerms) -> KeyTerms:
    """The terms with their networks in one spelling. Raises InvalidRequest for those that make no sense."""
    if terms.limit is not None and terms.limit <= 0:
        raise InvalidRequest("The limit must be above 0.", param="limit", fix='Give an amount such as "10.00".')
    if terms.reset is not None and terms.limit is None:
        raise InvalidRequest("A reset without a limit does nothing.", param="reset", fix="Give --limit as well.")
    if terms.expires_at is not None and terms.expires_at <= now_us():
        raise InvalidRequest("The key would be expired at once.", param="expires", fix="Give a time in the future.")
    _check_range("rpm", "requests per minute", terms.requests_per_minute, MAX_REQUESTS_PER_MINUTE)
    _check_range("tpm", "tokens per minute", terms.tokens_per_minute, MAX_TOKENS_PER_MINUTE)
    _check_range("concurrency", "requests at once", terms.concurrent_requests, MAX_CONCURRENT_REQUESTS)
    check_models(terms.models)
    return msgspec.structs.replace(terms, allow_ips=parse_networks(terms.allow_ips))


def _check_range(param: str, what: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidRequest(f"{value} {what} is out of range.", param=param, fix=f"Give a number from 1 to {most}.")


def _make(tenant: Tenant, customer_id: str, terms: KeyTerms) -> tuple[str, ApiKey]:
    secret = apikey.generate(tenant.settings.get("brand", {}).get("key_prefix", "sk"))
    key = ApiKey(
        id=new_id("key"),
        tenant_id=tenant.id,
        customer_id=customer_id,
        prefix=apikey.shown_part(secret),
        name=terms.name,
        limit_nano=terms.limit,
        limit_reset=terms.reset,
        models=terms.models,
        allow_ips=terms.allow_ips,
        requests_per_minute=terms.requests_per_minute,
        tokens_per_minute=terms.tokens_per_minute,
        concurrent_requests=terms.concurrent_requests,
        expires_at=terms.expires_at,
        revoked_at=None,
        last_used_at=None,
        created_at=now_us(),
    )
    return secret, key


def _terms(key: ApiKey) -> KeyTerms:
    return KeyTerms(
        name=key.name,
        limit=key.limit_nano,
        reset=msgspec.convert(key.limit_reset, LimitReset | None),
        models=key.models,
        expires_at=key.expires_at,
        requests_per_minute=key.requests_per_minute,
        tokens_per_minute=key.tokens_per_minute,
        concurrent_requests=key.concurrent_requests,
        allow_ips=key.allow_ips,
    )


def _facts(key: ApiKey) -> dict[str, object]:
    lists = {"models": list(key.models), "allow_ips": list(key.allow_ips)}
    return {**{name: getattr(key, name) for name in _SHOWN}, **lists}


async def _tell(connection: Connection, tenant_id: int, key: ApiKey, email: str) -> None:
    """Whoever owns a key hears of it: somebody else may have made it."""
    await outbox.add(
        connection,
        tenant_id,
        kind="key_created",
        recipient=email,
        payload={"name": key.name or key.prefix, "prefix": key.prefix},
        dedupe=f"key_created:{key.id}",
        now=key.created_at,
    )
    await events.tell(connection, tenant_id, "key.created", {"key": key.id, "customer": key.customer_id})


async def _tell_of_end(connection: Connection, key: ApiKey) -> None:
    await events.tell(connection, key.tenant_id, "key.revoked", {"key": key.id, "customer": key.customer_id})
