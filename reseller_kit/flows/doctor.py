"""Use cases of the operator: look for what is missing or wrong, on the platform or at one tenant. Mends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from ..core.money import format_amount
from ..core.paging import MAX_LIMIT
from ..core.times import DAY_US, format_time
from ..core.upstream_keys import KeyState
from ..core.wholesale import wholesale_terms
from ..db import (
    customers,
    endpoints,
    margins,
    operator,
    operator_upstreams,
    outbox,
    partitions,
    prices,
    scheduled_prices,
    schema,
    tenants,
    upstream_keys,
    upstreams,
)
from ..db.accounts import Balance, drawn_on
from ..db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from ..db.outbox import ParkedMail
from ..db.scheduled_prices import StoredChange
from ..db.tenants import Connection, Tenant
from ..db.upstreams import Upstream
from ..theming.library import read_themes, themes_dir
from .prices import offered_models
from .tenants import TenantDetail, require_tenant, show_tenant

Severity = Literal["error", "warning"]

_LOSSES_DAYS: Final = 7
RULES: Final = {
    "DR101": "Nothing was applied yet.",
    "DR102": "An upstream without a stored key.",
    "DR103": "A model without an upstream.",
    "DR104": "Row-level security, PostgreSQL's second lock, is missing or weaker than it should be.",
    "DR111": "A key of an upstream that is parked.",
    "DR112": "An upstream whose keys are all parked, so that it serves no call.",
    "DR113": "Mails to the operator that were given up in the last seven days.",
    "DR114": "An endpoint that is not asked because it kept failing: the circuit is open.",
    "DR201": "A tenant that serves nothing because of its status.",
    "DR202": "A tenant that is suspended.",
    "DR203": "A tenant without a storefront host.",
    "DR204": "A tenant whose theme is not installed.",
    "DR205": "A tenant without a priced model.",
    "DR206": "A model that the catalogue lets through and that has no price.",
    "DR207": "A reseller whose balance does not pay for another call.",
    "DR208": "A tenant without an owner.",
    "DR209": "A tenant without customers where nobody may sign up.",
    "DR210": "Mails that were given up in the last seven days.",
    "DR211": "A scheduled price that was held back in the last seven days, because it would have lost money.",
    "DR212": "Calls that cost the operator more, at an upstream, than the reseller paid.",
    "DR213": "Customers in a group that is gone.",
    "DR301": "A month that is coming without a partition of its own (PostgreSQL).",
    "DR302": "Rows that lie in no month's partition (PostgreSQL).",
}
"""Rule code → meaning. A code keeps its meaning."""
_RECENT_US: Final = 7 * DAY_US


class Complaint(Struct, frozen=True, kw_only=True):
    """One thing that is missing or wrong, and what to do about it."""

    code: str
    level: Severity
    where: str
    message: str
    fix: str


class _Facts(Struct, frozen=True, kw_only=True):
    tenant: Tenant
    hosts: list[str]
    priced: list[str]
    models: list[str]
    wallet: Balance
    losses: list[margins.Loss]
    has_owner: bool
    has_customer: bool
    groups: dict[str, int]
    parked: ParkedMail
    held: list[StoredChange]


async def examine_tenant(db: Database, slug: str) -> tuple[TenantDetail, list[Complaint]]:
    """A tenant, and what keeps it from selling. Raises NotFound."""
    themes = frozenset(read_themes(themes_dir()))
    detail = await show_tenant(db, slug)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        found = await _facts(connection, tenant)
    return detail, list(_complaints(found, themes))


async def examine(db: Database) -> list[Complaint]:
    """What is missing or wrong on the platform and at every tenant that is not archived."""
    themes = frozenset(read_themes(themes_dir()))
    fix = "Run: reseller-kit db upgrade"
    found = [_complaint("DR104", "database", problem, fix) for problem in await schema.lock_problems(db)]
    found += await examine_database(db)
    async with db.read(EVERY_TENANT) as connection:
        if not await tenants.platform_settings(connection):
            fix = "Run: reseller-kit init, edit tenants.toml, then reseller-kit apply."
            return [*found, _complaint("DR101", "platform", "No configuration was applied yet.", fix)]
        found += await _examine_supply(connection)
        parked = await outbox.parked(connection, None, now_us() - _RECENT_US)
        if parked.count:
            message = f"{parked.count} mails to you were given up lately. The latest reason: {parked.last_error}"
            fix = "Correct [platform] alert_emails or RESELLER_KIT_MAIL_URL, then run: reseller-kit mail retry"
            found.append(_complaint("DR113", "platform", message, fix, level="warning"))
        for tenant in await operator.tenants(connection, MAX_LIMIT, None):
            if tenant.status != "archived":
                found += _complaints(await _facts(connection, tenant), themes)
    return found


async def examine_database(db: Database) -> list[Complaint]:
    """What is missing where the database keeps what calls leave behind."""
    missing, strays = await partitions.missing(db), await partitions.stray_rows(db)
    fix = "Run reseller-kit db upgrade as the owner of the tables."
    found = []
    if missing:
        message = f"These partitions were not made yet: {', '.join(missing)}."
        found.append(_complaint("DR301", "database", message, fix, level="warning"))
    if strays:
        message = f"Rows lie in the default partition of {', '.join(strays)}: a month was missing, or ids are odd."
        found.append(_complaint("DR302", "database", message, fix, level="warning"))
    return found


async def _examine_supply(connection: Connection) -> list[Complaint]:
    found = []
    routed: set[str] = set()
    states = await upstream_keys.states(connection)
    for upstream in await upstreams.every(connection):
        if upstream.status == "active":
            routed.update(upstream.models)
            if not upstream.keys:
                fix = "Give it api_keys in tenants.toml, then run reseller-kit apply."
                found.append(_complaint("DR102", upstream.name, "No key of this upstream is stored.", fix))
            found += _about_keys(upstream, states.get(upstream.name, {}))
    found += await _examine_circuits(connection)
    for own in await operator_upstreams.own_upstreams(connection):
        if own.status == "active":
            found += _about_keys(own, states.get(own.name, {}))
    for model in await prices.active_models(connection):
        if model not in routed:
            fix = "Give it routes in tenants.toml, then run reseller-kit apply."
            found.append(_complaint("DR103", model, "No active upstream serves this model.", fix))
    return found


async def _examine_circuits(connection: Connection) -> list[Complaint]:
    routed = set(await upstreams.endpoints(connection))
    fix = "It is tried again by itself. See: reseller-kit upstream list"
    return [
        _complaint(
            "DR114",
            f"{row.upstream}/{row.upstream_model}",
            f"The circuit is open since {format_time(row.changed_at)}: {row.reason}",
            fix,
            level="warning",
        )
        for row in await endpoints.every(connection)
        if row.state == "open" and (row.upstream, row.upstream_model) in routed
    ]


def _about_keys(upstream: Upstream, states: Mapping[str, KeyState]) -> Iterator[Complaint]:
    parked = {
        key.fingerprint: states[key.fingerprint]
        for key in upstream.keys
        if key.fingerprint in states and states[key.fingerprint].standing == "parked"
    }
    fix = (
        f"Mend it with the provider, then run: reseller-kit upstream check {upstream.name}."
        " Or change its secret and run reseller-kit apply."
    )
    for fingerprint, state in parked.items():
        message = f"Key {fingerprint} is parked since {format_time(state.since)}: {state.reason}"
        yield _complaint("DR111", upstream.name, message, fix)
    if parked and len(parked) == len({key.fingerprint for key in upstream.keys}):
        yield _complaint("DR112", upstream.name, "Every key of this upstream is parked: it serves no call.", fix)


async def _facts(connection: Connection, tenant: Tenant) -> _Facts:
    platform = await tenants.platform_settings(connection)
    hosts = [
        d.host for d in await tenants.domains(connection, tenant.id) if (d.role, d.state) == ("storefront", "live")
    ]
    if platform.get("storefront_suffix"):
        hosts.append(f"{tenant.slug}.{platform['storefront_suffix']}")
    published = await prices.in_force(connection, tenant.id, now_us())
    offered = await offered_models(connection, tenant)
    members = await tenants.members(connection, tenant.id)
    newest = await customers.page(connection, tenant.id, 1, None)
    return _Facts(
        tenant=tenant,
        hosts=hosts,
        priced=[row.model for row in published if row.model in offered],
        models=list(offered),
        wallet=await drawn_on(connection, tenant.id, wholesale_terms(tenant.settings).settlement),
        losses=await margins.losses(connection, tenant.id, now_us() - _LOSSES_DAYS * DAY_US),
        has_owner=any(member.role == "owner" for member in members),
        has_customer=bool(newest),
        held=await scheduled_prices.held(connection, tenant.id, now_us() - _RECENT_US),
        groups=await customers.groups(connection, tenant.id),
        parked=await outbox.parked(connection, tenant.id, now_us() - _RECENT_US),
    )


def _complaints(found: _Facts, themes: frozenset[str]) -> Iterator[Complaint]:
    yield from _about_state(found)
    yield from _about_shop(found, themes)
    yield from _about_money_and_people(found)


def _about_state(found: _Facts) -> Iterator[Complaint]:
    tenant, slug = found.tenant, found.tenant.slug
    if tenant.status != "active":
        fix = 'Set status = "active" in tenants.toml, then run reseller-kit apply.'
        yield _complaint("DR201", slug, f"The tenant is {tenant.status}: its calls are refused.", fix, level="warning")
    if tenant.suspended_at is not None:
        fix = f"Run: reseller-kit tenant resume {slug}"
        yield _complaint("DR202", slug, f"The tenant is suspended: {tenant.suspend_reason}.", fix, level="warning")


def _about_shop(found: _Facts, themes: frozenset[str]) -> Iterator[Complaint]:
    tenant, slug = found.tenant, found.tenant.slug
    if not found.hosts:
        fix = "Give it a domain in tenants.toml, or a storefront_suffix to the platform."
        yield _complaint("DR203", slug, "No host leads to this storefront.", fix)
    if tenant.theme not in themes:
        fix = f"Install it, or choose one of {', '.join(sorted(themes))}."
        yield _complaint("DR204", slug, f"The theme {tenant.theme} is not installed.", fix)
    if not found.priced:
        fix = "Give the platform models that the tenant's catalogue allows, then run reseller-kit apply."
        yield _complaint("DR205", slug, "No model is priced, so nothing can be sold.", fix)
    for model in found.models:
        if found.priced and model not in found.priced:
            fix = "Run reseller-kit apply, which publishes prices."
            yield _complaint(
                "DR206", slug, f"The model {model} is not priced, so it is not offered.", fix, level="warning"
            )


def _about_money_and_people(found: _Facts) -> Iterator[Complaint]:
    tenant, slug = found.tenant, found.tenant.slug
    terms = wholesale_terms(tenant.settings)
    free = found.wallet.balance - found.wallet.reserved + terms.overdraft
    if terms.settlement == "prepaid" and free <= 0:
        shown = format_amount(found.wallet.balance)
        fix = f"Run: reseller-kit wholesale deposit --tenant {slug} --amount USD --reason TEXT"
        yield _complaint("DR207", slug, f"The wholesale balance is {shown} USD: every call is refused.", fix)
    if terms.settlement == "revenue_share" and free < 0:
        shown = format_amount(found.wallet.balance)
        fix = f"Raise its overdraft, or run: reseller-kit wholesale deposit --tenant {slug} --amount USD --reason TEXT"
        yield _complaint("DR207", slug, f"The reseller's share is {shown} USD: calls on given credit are refused.", fix)
    for loss in found.losses:
        yield _about_loss(slug, loss)
    if not found.has_owner:
        fix = "Name owners in tenants.toml, then run reseller-kit apply."
        yield _complaint("DR208", slug, "Nobody of the reseller can log in.", fix, level="warning")
    if not found.has_customer and tenant.settings.get("signup", {}).get("mode") == "closed":
        fix = f"Run: reseller-kit customer create --tenant {slug} --email EMAIL"
        yield _complaint("DR209", slug, "There is no customer and nobody may sign up.", fix, level="warning")
    known = {group["id"] for group in tenant.settings.get("groups", ())}
    for group, count in found.groups.items():
        if group not in known:
            message = f"{count} customers are in the group {group}, which is gone: they are served like all others."
            fix = f"Write the group again, or run: reseller-kit customer update --tenant {slug} --group none CUSTOMER"
            yield _complaint("DR213", slug, message, fix, level="warning")
    for stored in found.held:
        moment = format_time(stored.change.effective_from)
        message = f"The price change scheduled for {moment} was held back; the prices before it go on. {stored.reason}"
        fix = f"Run: reseller-kit price schedule --tenant {slug} with prices that cover wholesale."
        yield _complaint("DR211", slug, message, fix)
    if found.parked.count:
        message = f"{found.parked.count} mails were given up lately. The latest reason: {found.parked.last_error}"
        fix = "Correct [tenants.email] or RESELLER_KIT_MAIL_URL, then run: reseller-kit mail retry --tenant " + slug
        yield _complaint("DR210", slug, message, fix, level="warning")


def _about_loss(slug: str, loss: margins.Loss) -> Complaint:
    lost = format_amount(loss.amount)
    message = (
        f"Of {loss.model} through {loss.upstream}, {loss.calls} of the last {_LOSSES_DAYS} days' calls cost you"
        f" {lost} USD more than the reseller paid."
    )
    fix = "Give the model a cost that covers this route, or take the route out; then run reseller-kit apply."
    return _complaint("DR212", slug, message, fix, level="warning")


def _complaint(code: str, where: str, message: str, fix: str, *, level: Severity = "error") -> Complaint:
    return Complaint(code=code, level=level, where=where, message=message, fix=fix)
