"""A tenant's way to be paid as its own team sets it up: what is there, what is missing, and whether it works.

Secrets go in and never come out: a fingerprint tells which one is stored. What is changed here is an edit of the
configuration, with all that `apply` checks and records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.errors import KitError, NotFound
from ..core.manifest import STORED
from ..db import audit_log, packages, provider_prices, secrets
from ..db.engine import NO_TENANT, Connection, Database
from ..db.provider_prices import Account
from ..db.tenants import Tenant
from ..payments import Catalogue, Checked
from ..vault import Vault
from .package_sync import synchronise
from .providers import PaidThrough, Providers
from .provision.edit import Edit, edit
from .tenants import require_tenant

SECRETS: Final = ("api_key", "webhook_secret")
FIELDS: Final = ("provider", "environment", "checkout", "checkout_url", "client_token", "instructions")
_ACTION: Final = "payments.check"
_KIND: Final = "payments"


class Tried(Struct, frozen=True, kw_only=True):
    """What a try of the credentials came to, at a moment (µs). `problem`: why it failed, in words; "" when it did not.

    `account` is the one that was tried; `domains`: hosts that its checkout may open on, with what the provider says of
    them; None where it does not tell.
    """

    at: int
    account: str
    problem: str = ""
    domains: Mapping[str, str] | None = None


class Setup(Struct, frozen=True, kw_only=True):
    """How a tenant is paid, and what is known of that.

    `fields` as in tenants.toml, without secrets; `fingerprints`: of those that are stored; `missing`: why the provider
    can't be asked, "" when it can. `offered` packages are for sale, of which the provider knows `known`.
    `tries`: the credentials can be tried.
    """

    fields: Mapping[str, Any]
    fingerprints: Mapping[str, str]
    shared: bool
    account: str
    missing: str
    keeps_catalogue: bool
    tries: bool
    offered: int
    known: int
    tried: Tried | None


class Wanted(Struct, frozen=True, kw_only=True):
    """What a team sets: fields by name, "" for none, and secrets that were typed; those left out stay as they are."""

    fields: Mapping[str, str]
    secrets: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Wanted({self.fields!r})"


async def read_setup(db: Database, providers: Providers, tenant_slug: str) -> Setup:
    """How a tenant is paid now. Asks no provider. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        prefix = f"tenant:{tenant.slug}:payments."
        stored = {one.name.removeprefix(prefix): one.fingerprint for one in await secrets.fetch(connection, prefix)}
    through, missing = await _through(providers, tenant.id)
    async with db.read(tenant.id) as connection:
        offered = {offer.id for offer in await packages.offers(connection, tenant.id)}
        known = await _known(connection, tenant, through)
        tried = await _tried(connection, tenant, through)
    payments = tenant.settings.get("payments", {})
    return Setup(
        fields=dict(payments),
        fingerprints=stored,
        shared=payments.get("account") == "platform",
        account="" if through is None else through.account,
        missing=missing,
        keeps_catalogue=through is not None and isinstance(through.provider, Catalogue),
        tries=through is None or isinstance(through.provider, Checked),
        offered=len(offered),
        known=len(offered & known),
        tried=tried,
    )


async def save_setup(db: Database, vault: Vault, *, tenant_slug: str, wanted: Wanted, actor: str) -> None:
    """Set how a tenant is paid. Raises InvalidManifest, whose findings have paths below `payments`.

    Raises NotFound for a tenant that is paid through the operator's account: whoever chose the secret of its webhooks
    could say that anything was paid.
    """
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
    if tenant.settings.get("payments", {}).get("account") == "platform":
        raise NotFound("How this storefront is paid is the operator's to set.")
    fields: dict[str, Any] = {f"payments.{name}": value or None for name, value in wanted.fields.items()}
    fields |= {f"payments.{name}": STORED for name in wanted.secrets}
    await edit(
        db,
        vault,
        tenant_slug=tenant_slug,
        edits=[Edit("tenant", tenant_slug, fields)],
        actor=actor,
        secrets={f"tenant:{tenant_slug}:payments.{name}": value for name, value in wanted.secrets.items()},
    )


async def try_setup(db: Database, providers: Providers, *, tenant_slug: str, actor: str) -> str:
    """Ask the provider something that needs the credentials, and keep what came of it: the problem, "" for none.

    Raises NotFound where there is nothing to be asked.
    """
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
    through, problem = await _through(providers, tenant.id)
    domains: dict[str, str] | None = None
    if through is not None:
        if not isinstance(through.provider, Checked):
            raise NotFound("This way to be paid can't be tried.")
        try:
            await through.provider.check()
            domains = await through.provider.domains()
        except KitError as error:
            problem = error.message
    facts = {"account": "" if through is None else through.account, "problem": problem, "domains": domains}
    async with db.write(tenant.id) as connection:
        await audit_log.record(connection, tenant.id, actor, _ACTION, _KIND, tenant.slug, after=facts)
    return problem


async def sync_packages(db: Database, vault: Vault, providers: Providers, *, tenant_slug: str) -> None:
    """Make all packages known to the provider. Raises as `package_sync.synchronise` does."""
    await synchronise(db, vault, providers, tenant_slug=tenant_slug)


async def _through(providers: Providers, tenant_id: int) -> tuple[PaidThrough | None, str]:
    try:
        return await providers.of(tenant_id), ""
    except KitError as error:
        return None, error.message


async def _known(connection: Connection, tenant: Tenant, through: PaidThrough | None) -> set[int]:
    if through is None:
        return set()
    at = Account(through.provider.name, through.account)
    return {one.package_id for one in await provider_prices.known(connection, tenant.id, at)}


async def _tried(connection: Connection, tenant: Tenant, through: PaidThrough | None) -> Tried | None:
    """The last try, if it was of the account that is set up now."""
    found = await audit_log.latest(connection, tenant.id, _ACTION, tenant.slug)
    if found is None or through is None or found[1].get("account") != through.account:
        return None
    at, facts = found
    return Tried(at=at, account=facts["account"], problem=str(facts.get("problem") or ""), domains=facts.get("domains"))
