"""Use cases of opening a draft: what has to be there before, its team opens it or asks the operator to. Closes none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from ..core.errors import Conflict, NotFound
from ..core.urls import DEFAULT_PORT, public_url
from ..core.wholesale import wholesale_terms
from ..db import audit_log, outbox, tenants
from ..db.accounts import drawn_on
from ..db.engine import EVERY_TENANT, NO_TENANT, Connection, Database, now_us
from ..db.tenants import Tenant
from ..vault import Vault
from .brand import origin_of
from .payment_setup import Setup, read_setup
from .providers import DEFAULT, Providers
from .provision.edit import Current, Edit, edit, read_current
from .tenants import require_tenant

Need = Literal["legal", "models", "prices", "payment", "wallet"]
"""What a storefront can't be opened without.

`legal`: the company, its address and its country; `models`: something with a price; `prices`: none at a loss that
nobody allowed; `payment`: a way to be paid; `wallet`: a prepaid balance that pays for calls.
"""
NEEDS: Final[tuple[Need, ...]] = get_args(Need)
LEGAL: Final = ("company", "address", "country")
_STATUS: Final = "status"


class Launch(Struct, frozen=True, kw_only=True):
    """How far a draft is: what is missing, whether the operator opens it, and since when it is asked to (µs)."""

    missing: tuple[Need, ...]
    review: bool
    asked_at: int | None

    @property
    def ready(self) -> bool:
        """Whether nothing that matters is missing."""
        return not self.missing


async def look(db: Database, providers: Providers, slug: str) -> Launch | None:
    """How far the tenant is; None for one that is no draft. Asks no provider. Raises NotFound."""
    found = await _read(db, providers, slug)
    return None if found is None else found[1]


async def open_own(
    db: Database, vault: Vault, providers: Providers, slug: str, *, actor: str, port: int = DEFAULT_PORT
) -> bool:
    """A team opens its draft; False for a tenant that is no draft, which stays as it is.

    Raises Conflict where something is missing, where the operator has the last word, and where it is suspended.
    """
    found = await _read(db, providers, slug)
    if found is None:
        return False
    current, launch, tenant = found
    if launch.review:
        raise Conflict("Whoever runs the service opens this storefront.", fix="Ask for a review.")
    _check_ready(launch, tenant)
    return await _open(db, vault, current, actor, port)


async def open_any(db: Database, vault: Vault, slug: str, *, actor: str, port: int = DEFAULT_PORT) -> bool:
    """The operator opens a draft, whatever it lacks; False for a tenant that is none. Raises NotFound."""
    current = await read_current(db, slug)
    if current.tenant.status != "draft":
        return False
    return await _open(db, vault, current, actor, port)


async def ask_for_review(
    db: Database, providers: Providers, slug: str, *, actor: str, port: int = DEFAULT_PORT
) -> bool:
    """A team asks the operator to open its draft; False when it did before, or when there is nothing to open.

    Raises Conflict where something is missing, where the team opens it itself, and where it is suspended.
    """
    found = await _read(db, providers, slug)
    if found is None:
        return False
    _, launch, tenant = found
    if not launch.review:
        raise Conflict("Your team opens this storefront itself.", fix="Load the page again.")
    _check_ready(launch, tenant)
    async with db.write(EVERY_TENANT) as connection:
        if not await tenants.ask_for_review(connection, tenant.id, now_us()):
            return False
        await audit_log.record(connection, tenant.id, actor, "tenant.review", "tenant", slug)
        await _tell_operator(connection, tenant, port)
    return True


def takes_payments(setup: Setup) -> bool:
    """Whether customers can pay: their provider can be asked, or they are told how."""
    if setup.missing:
        return False
    told = setup.fields.get("provider", DEFAULT) != DEFAULT or setup.shared
    return told or bool(setup.fields.get("instructions"))


def has_legal(settings: Mapping[str, Any]) -> bool:
    """Whether a tenant says who sells, where, and under whose law."""
    given = settings.get("brand", {}).get("legal", {})
    return all(given.get(name) for name in LEGAL)


async def _read(db: Database, providers: Providers, slug: str) -> tuple[Current, Launch, Tenant] | None:
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        if tenant.status != "draft":
            return None
        platform = await tenants.platform_settings(connection)
        terms = wholesale_terms(tenant.settings)
        wallet = await drawn_on(connection, tenant.id, terms.settlement)
    current = await read_current(db, slug)
    there: dict[Need, bool] = {
        "legal": has_legal(tenant.settings),
        "models": bool(current.levels),
        "prices": not current.loses,
        "payment": takes_payments(await read_setup(db, providers, slug)),
        "wallet": terms.settlement != "prepaid" or wallet.balance - wallet.reserved + terms.overdraft > 0,
    }
    launch = Launch(
        missing=tuple(name for name in NEEDS if not there[name]),
        review=bool(platform.get("review_launch", False)),
        asked_at=tenant.review_asked_at,
    )
    return current, launch, tenant


def _check_ready(launch: Launch, tenant: Tenant) -> None:
    if not launch.ready:
        missing = ", ".join(launch.missing)
        raise Conflict(f"Something is missing before the storefront can open: {missing}.", fix="Finish these steps.")
    if tenant.suspended_at is not None:
        raise Conflict("This storefront is suspended.", fix="Ask whoever runs the service.")


async def _open(db: Database, vault: Vault, current: Current, actor: str, port: int) -> bool:
    slug = current.tenant.slug

    async def tell(connection: Connection) -> None:
        await _tell_owners(connection, slug, port)

    try:
        await edit(
            db,
            vault,
            tenant_slug=slug,
            edits=[Edit("tenant", slug, {_STATUS: "active"})],
            actor=actor,
            expected=current.mark(_STATUS),
            also=tell,
        )
    except Conflict:
        # Two people at once: the other one opened it, and told of it.
        return False
    return True


async def _tell_owners(connection: Connection, slug: str, port: int) -> None:
    tenant = await tenants.find(connection, slug)
    if tenant is None:
        raise NotFound(f"There is no tenant {slug[:80]!r}.")
    now, url = now_us(), await origin_of(connection, tenant, port)
    for member in await tenants.members(connection, tenant.id):
        if member.role == "owner" and member.status != "removed":
            await outbox.add(
                connection,
                tenant.id,
                kind="storefront_open",
                recipient=member.email,
                payload={"storefront": tenant.name, "url": url or ""},
                dedupe=f"storefront_open:{now}:{member.email}"[:200],
                now=now,
            )


async def _tell_operator(connection: Connection, tenant: Tenant, port: int) -> None:
    platform, now = await tenants.platform_settings(connection), now_us()
    hosts = platform.get("hosts", ())
    page = f"{public_url(hosts[0], platform.get('public_url'), port)}/tenants/{tenant.slug}" if hosts else ""
    for recipient in platform.get("alert_emails", ()):
        await outbox.add(
            connection,
            None,
            kind="launch_review",
            recipient=recipient,
            payload={"storefront": tenant.name, "slug": tenant.slug, "url": page},
            dedupe=f"launch_review:{tenant.slug}:{now}:{recipient}"[:200],
            now=now,
        )
