"""Use cases of the operator: look for what is missing or wrong, on the platform or at one tenant. Mends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.money import format_amount
from ..core.paging import MAX_LIMIT
from ..core.times import DAY_US, format_time
from ..core.wholesale import wholesale_terms
from ..db import (
    customers,
    hook_endpoints,
    margins,
    operator,
    outbox,
    partitions,
    prices,
    scheduled_prices,
    schema,
    tenants,
)
from ..db.accounts import Balance, drawn_on
from ..db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from ..db.hook_endpoints import HookEndpoint
from ..db.operator_payments import FailingPoll, failing_polls
from ..db.outbox import ParkedMail
from ..db.scheduled_prices import StoredChange
from ..db.tenants import Connection, Tenant
from ..dns import Resolver
from ..mail import mailbox
from ..theming.library import installed_themes
from .brand import storefront_host
from .complaint import Complaint
from .complaint import complaint as _complaint
from .doctor_domains import about_domains, visit_hosts
from .doctor_hooks import about_hooks
from .doctor_mail import about_mail
from .doctor_supply import examine_supply
from .domains import DomainView
from .domains.look import read_domains
from .prices import offered_models
from .tenants import TenantDetail, require_tenant, show_tenant

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
    "DR115": "An upstream whose plugin is not installed, or can't be used.",
    "DR121": "A clock that differs from the database server's, or is behind what was written.",
    "DR122": "Little room on the disk of the data dir.",
    "DR123": "A schema of another version than this one's, which still fits.",
    "DR124": "A database file without a backup in the last seven days.",
    "DR125": "A secret key file that others on the machine may read.",
    "DR126": "An environment variable with the product's prefix that nothing reads.",
    "DR131": "A server that does not answer or is not ready (`doctor --server URL`).",
    "DR132": "A host that the certificate gate refuses (`doctor --server URL`).",
    "DR133": "A certificate gate that lets in a host of nobody (`doctor --server URL`).",
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
    "DR214": "A payment provider that can't be asked what happened, so that lost deliveries stay unknown.",
    "DR221": "A domain that fails its hourly checks, so that it will be taken out of use.",
    "DR222": "A domain whose CAA records forbid its certificate.",
    "DR223": "A domain that was taken out of use.",
    "DR224": "A host that does not answer, or shows no certificate that is to be trusted (`tenant doctor --visit`).",
    "DR225": "A host whose page is not the brand's own (`tenant doctor --visit`).",
    "DR226": "A page that names another brand or the platform (`tenant doctor --visit`).",
    "DR231": "No SPF record, or several, where mails come from (`tenant doctor --visit`).",
    "DR232": "No DKIM key where mails come from (`tenant doctor --visit`).",
    "DR233": "No DMARC policy where mails come from (`tenant doctor --visit`).",
    "DR241": "A way to be paid that lacks something, so that nobody can pay.",
    "DR242": "A payment provider that refused when it was last tried.",
    "DR251": "A webhook endpoint that fails, or that was switched off because it did.",
    "DR301": "A month that is coming without a partition of its own (PostgreSQL).",
    "DR302": "Rows that lie in no month's partition (PostgreSQL).",
}
"""Rule code → meaning. A code keeps its meaning."""
_RECENT_US: Final = 7 * DAY_US


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
    unasked: list[FailingPoll]
    parked: ParkedMail
    held: list[StoredChange]
    domains: list[DomainView]
    hooks: list[HookEndpoint]
    mail_domain: str | None


async def examine_tenant(
    db: Database, slug: str, visitor: Resolver | None = None
) -> tuple[TenantDetail, list[Complaint]]:
    """A tenant, and what keeps it from selling; with a `visitor` its hosts are visited too. Raises NotFound."""
    themes = frozenset(installed_themes())
    detail = await show_tenant(db, slug)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        found = await _facts(connection, tenant)
    complaints = list(_complaints(found, themes))
    if visitor is not None:
        complaints += await visit_hosts(db, visitor, found.tenant, found.hosts)
        if found.mail_domain is not None:
            complaints += await about_mail(visitor, slug, found.mail_domain)
    return detail, complaints


async def examine(db: Database) -> list[Complaint]:
    """What is missing or wrong on the platform and at every tenant that is not archived."""
    themes = frozenset(installed_themes())
    fix = "Run: reseller-kit db upgrade"
    found = [_complaint("DR104", "database", problem, fix) for problem in await schema.lock_problems(db)]
    found += await examine_database(db)
    async with db.read(EVERY_TENANT) as connection:
        if not await tenants.platform_settings(connection):
            fix = "Run: reseller-kit init, edit tenants.toml, then reseller-kit apply."
            return [*found, _complaint("DR101", "platform", "No configuration was applied yet.", fix)]
        found += await examine_supply(connection)
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
        unasked=await failing_polls(connection, tenant.id),
        parked=await outbox.parked(connection, tenant.id, now_us() - _RECENT_US),
        domains=await read_domains(connection, tenant.id),
        hooks=await hook_endpoints.page(connection, tenant.id, MAX_LIMIT, None),
        mail_domain=await _mail_domain(connection, tenant, platform),
    )


async def _mail_domain(connection: Connection, tenant: Tenant, platform: Mapping[str, Any]) -> str | None:
    """Behind the @ of whom the tenant's mails come from."""
    given = tenant.settings.get("email", {}).get("from")
    if given:
        return mailbox(given).address.rpartition("@")[2]
    return await storefront_host(connection, tenant, platform)


def _complaints(found: _Facts, themes: frozenset[str]) -> Iterator[Complaint]:
    yield from _about_state(found)
    yield from _about_shop(found, themes)
    yield from about_domains(found.tenant.slug, found.domains)
    yield from about_hooks(found.tenant.slug, found.hooks)
    yield from _about_money_and_people(found)


def _about_state(found: _Facts) -> Iterator[Complaint]:
    tenant, slug = found.tenant, found.tenant.slug
    if tenant.status != "active":
        asked = tenant.status == "draft" and tenant.review_asked_at is not None
        waits = " Its team asks for it to be opened." if asked else ""
        pressed = f'press "Open it" at /tenants/{slug} of your own console, or ' if tenant.status == "draft" else ""
        fix = f'{pressed}set status = "active" in tenants.toml, then run reseller-kit apply.'
        fix = fix[0].upper() + fix[1:]
        message = f"The tenant is {tenant.status}: its calls are refused.{waits}"
        yield _complaint("DR201", slug, message, fix, level="warning")
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
    yield from _about_payments(slug, found.unasked)
    for stored in found.held:
        moment = format_time(stored.change.effective_from)
        message = f"The price change scheduled for {moment} was held back; the prices before it go on. {stored.reason}"
        fix = f"Run: reseller-kit price schedule --tenant {slug} with prices that cover wholesale."
        yield _complaint("DR211", slug, message, fix)
    if found.parked.count:
        message = f"{found.parked.count} mails were given up lately. The latest reason: {found.parked.last_error}"
        fix = "Correct [tenants.email] or RESELLER_KIT_MAIL_URL, then run: reseller-kit mail retry --tenant " + slug
        yield _complaint("DR210", slug, message, fix, level="warning")


def _about_payments(slug: str, unasked: list[FailingPoll]) -> Iterator[Complaint]:
    for poll in unasked:
        message = f"{poll.provider} can't be asked since {format_time(poll.failed_at)}: {poll.failure}"
        fix = f"Correct its credentials, then run: reseller-kit reconcile --provider {poll.provider} --tenant {slug}"
        yield _complaint("DR214", slug, message, fix, level="warning")


def _about_loss(slug: str, loss: margins.Loss) -> Complaint:
    lost = format_amount(loss.amount)
    message = (
        f"Of {loss.model} through {loss.upstream}, {loss.calls} of the last {_LOSSES_DAYS} days' calls cost you"
        f" {lost} USD more than the reseller paid."
    )
    fix = "Give the model a cost that covers this route, or take the route out; then run reseller-kit apply."
    return _complaint("DR212", slug, message, fix, level="warning")
