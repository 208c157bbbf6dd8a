"""Which way a tenant is paid: its provider, built from its settings and secrets. Places no order, moves no money.

A tenant is paid through an account of its own, or through the operator's (`account = "platform"`). The platform's own
tenant, which sells to resellers, always is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.errors import InvalidRequest, NotFound
from ..core.tenant import RESERVED_SLUGS
from ..db import operator, secrets, tenants
from ..db.engine import EVERY_TENANT, Connection, Database
from ..db.secrets import StoredSecret
from ..db.tenants import Tenant
from ..payments import Account, Manual, Paddle, Provider
from ..plugins import PaymentSetup, installed
from ..vault import Vault, token_digest

DEFAULT: Final = "manual"
_MAX_KEPT: Final = 1_000


class PaidThrough(Struct, frozen=True, kw_only=True):
    """How a tenant is paid: the provider, and which of its accounts; names that one gives mean nothing in another.

    `checkout` and `client_token` are for the pages; the token is public.
    """

    provider: Provider
    account: str
    shared: bool = False
    checkout: str = "hosted"
    checkout_url: str = ""
    client_token: str = ""
    environment: str = ""


class Providers:
    """The providers of all tenants, each made when it is first asked for and again when its settings changed."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._kept: dict[tuple[int, str], tuple[object, PaidThrough]] = {}

    async def __call__(self, tenant_id: int) -> Provider:
        """The tenant's provider. Raises as `of` does."""
        return (await self.of(tenant_id)).provider

    async def of(self, tenant_id: int) -> PaidThrough:
        """How the tenant is paid now. Raises InvalidRequest where credentials are missing."""
        return await self._get(tenant_id, None)

    async def named(self, tenant_id: int, name: str) -> PaidThrough:
        """The tenant's account at a provider, also when it is paid otherwise by now. Raises as `of` does."""
        return await self._get(tenant_id, name)

    def close(self) -> None:
        """Close all connections."""
        for _, held in self._kept.values():
            _close(held.provider)
        self._kept.clear()

    async def _get(self, tenant_id: int, name: str | None) -> PaidThrough:
        found = await _read(self._db, tenant_id)
        name = name or str(found.payments.get("provider", DEFAULT))
        kept = self._kept.get((tenant_id, name))
        mark = (found.payments, [one.ciphertext for one in found.secrets])
        if kept is not None and kept[0] == mark:
            return kept[1]
        made = build(found, self._vault, name)
        if kept is not None:
            _close(kept[1].provider)
        elif len(self._kept) >= _MAX_KEPT:
            _close(self._kept.pop(next(iter(self._kept)))[1].provider)
        self._kept[tenant_id, name] = (mark, made)
        return made


class Found(Struct, frozen=True, kw_only=True):
    """What is stored of a tenant's way to be paid; `payments` as in tenants.toml, with its shared account's members."""

    tenant_id: int
    payments: dict[str, Any]
    secrets: tuple[StoredSecret, ...]
    shared: bool = False
    of_all: bool = False
    """The account is the operator's, and other tenants may be paid through it too."""


async def _read(db: Database, tenant_id: int) -> Found:
    async with db.read(EVERY_TENANT) as connection:
        tenant = await operator.tenant_by_id(connection, tenant_id)
        if tenant is None:
            raise NotFound("There is no such tenant.")
        return await found_of(connection, tenant)


async def found_of(connection: Connection, tenant: Tenant) -> Found:
    """What is stored of how this tenant is paid."""
    payments = dict(tenant.settings.get("payments", {}))
    prefixes = [f"tenant:{tenant.slug}:payments."]
    reserved = tenant.slug in RESERVED_SLUGS
    shared = not reserved and payments.get("account") == "platform"
    if reserved or shared:
        platform = (await tenants.platform_settings(connection)).get("payments", {})
        own = {name: payments[name] for name in ("webhook_secret", "checkout", "checkout_url") if name in payments}
        payments = {**platform, **own}
        # A destination of its own for webhooks has a secret of its own; the credentials are the operator's.
        prefixes = ["platform:platform:payments.", f"tenant:{tenant.slug}:payments.webhook_secret"]
    stored = [one for prefix in prefixes for one in await secrets.fetch(connection, prefix)]
    return Found(
        tenant_id=tenant.id, payments=payments, secrets=tuple(stored), shared=shared, of_all=reserved or shared
    )


def build(found: Found, vault: Vault, name: str) -> PaidThrough:
    """The provider of that name. Raises InvalidRequest where it is not known or its credentials are missing."""
    if name == DEFAULT:
        return PaidThrough(provider=Manual(), account="")
    chosen = str(found.payments.get("provider", DEFAULT))
    if name != chosen and (name != "paddle" or chosen != DEFAULT):
        # What is stored are the credentials of whoever was chosen: they go to nobody else.
        raise InvalidRequest(f"There is no payment provider {name[:40]!r}.", param="provider")
    opened = _opened(found.secrets, vault)
    if name != "paddle":
        return _plugged(found, vault, name, opened)
    account = paddle_account(found.payments, opened, reference_key(vault, found.tenant_id), shared=found.of_all)
    return PaidThrough(
        provider=Paddle(account),
        account=f"{account.environment}:{vault.fingerprint(account.api_key)}",
        shared=found.shared,
        checkout=account.checkout,
        checkout_url=account.checkout_url,
        client_token=account.client_token,
        environment=account.environment,
    )


def _plugged(found: Found, vault: Vault, name: str, opened: Mapping[str, str]) -> PaidThrough:
    """A plugin's provider; its account is told from others by its credentials and options."""
    require_secrets(opened, installed.payment_plugin(name).secrets)
    options = dict(found.payments.get("options") or {})
    setup = PaymentSetup(
        name=name,
        api_key=opened.get("api_key", ""),
        webhook_secret=opened.get("webhook_secret", ""),
        reference_key=reference_key(vault, found.tenant_id),
        environment=str(found.payments.get("environment", "sandbox")),
        options=options,
        shared=found.of_all,
    )
    marks = [setup.api_key or setup.webhook_secret, *(f"{key}={options[key]}" for key in sorted(options))]
    return PaidThrough(
        provider=installed.make_provider(name, setup),
        account=f"{setup.environment}:{vault.fingerprint(chr(0).join(marks))}",
        shared=found.shared,
        environment=setup.environment,
    )


def require_secrets(opened: Mapping[str, str], names: Iterable[str]) -> None:
    """Raises InvalidRequest, naming those of `names` that are not stored."""
    missing = [name for name in names if not opened.get(name)]
    if missing:
        raise InvalidRequest(
            f"{' and '.join(missing)} of the payment provider are not stored.", fix="Enter them, or run apply."
        )


def paddle_account(
    payments: Mapping[str, Any], opened: Mapping[str, str], key: bytes, *, shared: bool = False
) -> Account:
    """An account from settings and opened secrets. Raises InvalidRequest where one is missing."""
    require_secrets(opened, ("api_key", "webhook_secret"))
    return Account(
        api_key=opened["api_key"],
        webhook_secret=opened["webhook_secret"],
        environment=str(payments.get("environment", "sandbox")),
        reference_key=key,
        shared=shared,
        checkout=str(payments.get("checkout", "hosted")),
        checkout_url=str(payments.get("checkout_url") or ""),
        client_token=str(payments.get("client_token") or ""),
        tax_category=str(payments.get("tax_category", "standard")),
    )


def reference_key(vault: Vault, tenant_id: int) -> bytes:
    """What signs the ids of a tenant's orders on their way through a provider."""
    return token_digest(vault.pepper, "payment-reference", str(tenant_id))


def item_key(vault: Vault, tenant_id: int, package_id: int) -> str:
    """The name of a version of a package at a provider: the same for ever, and no other installation's."""
    return token_digest(vault.pepper, "payment-item", f"{tenant_id}:{package_id}").hex()[:32]


def _opened(stored: tuple[StoredSecret, ...], vault: Vault) -> dict[str, str]:
    return {
        one.name.rpartition(".")[2]: vault.open(one.name, one.key_id, one.ciphertext)
        for one in stored
        if one.key_id is not None
    }


def _close(provider: Provider) -> None:
    """Close what a provider holds open, if it holds anything."""
    close = getattr(provider, "close", None)
    if callable(close):
        close()
