"""What must hold between the values of a manifest. Of routes it is in `route_checks`, of prices in `price_checks`.

Each check sees the whole document, in which refused values are blank, and stays silent about those.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from ..domain import contains_any, telling_words
from ..price_catalogue import NO_CATALOGUE, CatalogueOn
from ..toml_lines import Path
from .brand_checks import check_brand
from .findings import Report, check_unique, format_path
from .price_checks import check_prices
from .reader import suggest
from .route_checks import check_routes
from .shop_structs import Package, PaymentAccount
from .structs import Document, Tenant

_PACKAGE_KEYS: Final = {
    "topup": ({"min", "max"}, {"presets", "bonus"}),
    "package": ({"price", "credits"}, {"daily_allowance"}),
    "subscription": ({"price", "credits", "period"}, {"roll_over", "roll_over_periods", "daily_allowance"}),
}
_OPTIONAL_TERMS: Final = (
    "price", "credits", "min", "max", "presets", "bonus", "period", "roll_over", "roll_over_periods",
    "daily_allowance",
)  # fmt: skip


def check_document(document: Document, report: Report, on: CatalogueOn = NO_CATALOGUE) -> None:
    """Report everything that does not fit together. `on`: the catalogue that the document was priced by."""
    _check_platform(document, report)
    _check_hosts(document, report)
    check_routes(document, report)
    check_unique(
        (tenant.slug for tenant in document.tenants), lambda i: ("tenants", i, "slug"), "RK301", "slug", report
    )
    for index, tenant in enumerate(document.tenants):
        _check_tenant(document, tenant, ("tenants", index), report)
    check_prices(document, report, on)


def _check_platform(document: Document, report: Report) -> None:
    _check_account(document.platform.payments, ("platform", "payments"), report)
    platform, words = document.platform, telling_words(document.platform.name)
    shown = (
        ("suffix", ("storefront_suffix",), platform.storefront_suffix),
        ("target of CNAME records", ("ingress", "cname"), platform.ingress.cname),
    )
    for what, place, host in shown:
        if host and contains_any(host, words):
            report.add(
                "RK313",
                ("platform", *place),
                f"The {what} holds the platform's name, and customers of every storefront would see it.",
                "Use a neutral domain.",
                level="warning",
            )


def _check_hosts(document: Document, report: Report) -> None:
    """Each host names one tenant or the platform; fallback hosts count too."""
    holders: dict[str, tuple[str, Path]] = {}
    for index, host in enumerate(document.platform.hosts):
        _claim(host, "the platform", ("platform", "hosts", index), holders, report)
    for number, tenant in enumerate(document.tenants):
        for index, domain in enumerate(tenant.domains):
            holder = f"tenant {tenant.slug!r}"
            _claim(domain.host, holder, ("tenants", number, "domains", index, "host"), holders, report)
    suffix = document.platform.storefront_suffix
    for tenant in document.tenants:
        if suffix and tenant.slug:
            host = f"{tenant.slug}.{suffix}"
            holder, path = holders.get(host, ("", ()))
            if holder and holder != f"tenant {tenant.slug!r}":
                message = f"The host {host!r} is the fallback host of tenant {tenant.slug!r}."
                report.add("RK303", path, message, "Choose another host here, or another slug there.")


def _claim(host: str, holder: str, path: Path, holders: dict[str, tuple[str, Path]], report: Report) -> None:
    if not host:
        return
    if host in holders:
        other, first = holders[host]
        report.add(
            "RK303",
            path,
            f"The host {host!r} belongs to {other} (line {report.line_of(first)}).",
            "Give each host once.",
        )
    else:
        holders[host] = (holder, path)


def _check_tenant(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    _check_domains(tenant, path, report)
    check_unique(tenant.owners, lambda i: (*path, "owners", i), "RK311", "owner", report)
    _check_aliases(document, tenant, path, report)
    check_unique(
        (package.id for package in tenant.packages), lambda i: (*path, "packages", i, "id"), "RK311", "package", report
    )
    for index, package in enumerate(tenant.packages):
        _check_package(package, (*path, "packages", index), report)
    check_brand(tenant.brand, (*path, "brand"), report)
    _check_thresholds(tenant, path, report)
    _check_payments(document, tenant, (*path, "payments"), report)
    smtp = tenant.email.smtp
    if smtp is not None and (smtp.user is None) != (smtp.password is None) and not report.is_broken((*path, "email")):
        report.add(
            "RK314",
            (*path, "email", "smtp"),
            "A mail server takes user and password together, or neither.",
            "Give both.",
        )


def _check_payments(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    payments, shared = tenant.payments, document.platform.payments
    if payments.account == "platform" and payments.provider != shared.provider:
        fix = "Set provider to the same in both places, and the account's credentials in [platform.payments]."
        report.add("RK314", path, f"The operator has no account at {payments.provider}.", fix)
    elif payments.account == "own":
        _check_account(payments, path, report)


def _check_account(payments: PaymentAccount, path: Path, report: Report) -> None:
    """An account at a provider comes with its credentials."""
    if payments.provider != "paddle" or report.is_broken(path):
        return
    missing = [name for name in ("api_key", "webhook_secret") if getattr(payments, name) is None]
    if missing:
        fix = 'Give references such as "env:PADDLE_API_KEY".'
        report.add("RK314", path, f"Paddle needs {' and '.join(missing)}.", fix)
    if payments.checkout == "overlay" and payments.client_token is None:
        fix = 'Give client_token, or set checkout = "hosted".'
        report.add("RK314", path, "A checkout over the page needs the client-side token.", fix)


def _check_thresholds(tenant: Tenant, path: Path, report: Report) -> None:
    place = (*path, "wholesale", "notify_below")
    falling = all(upper > lower for upper, lower in pairwise(tenant.wholesale.notify_below))
    if not falling and not report.is_broken(place):
        fix = 'Write each once, the largest first: ["50.00", "10.00"].'
        report.add("RK321", place, "The thresholds do not fall.", fix)


def _check_domains(tenant: Tenant, path: Path, report: Report) -> None:
    primaries = [index for index, domain in enumerate(tenant.domains) if domain.primary]
    for index in primaries:
        place = (*path, "domains", index, "primary")
        if index != primaries[0]:
            report.add(
                "RK304", place, "The tenant has another primary domain already.", "Keep primary = true on one domain."
            )
        if tenant.domains[index].role != "storefront":
            report.add(
                "RK304",
                place,
                f"A domain with role {tenant.domains[index].role!r} can't be primary.",
                'Make a "storefront" primary.',
            )
    if not any(domain.role == "storefront" for domain in tenant.domains) and not report.is_broken((*path, "domains")):
        report.add(
            "RK305",
            path,
            f"Tenant {tenant.slug!r} has no storefront domain, so it has no pages but on its fallback host.",
            'Add [[tenants.domains]] with role = "storefront".',
            level="warning",
        )


def _check_aliases(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    for alias, target in tenant.catalog.aliases.items():
        place = (*path, "catalog", "aliases", alias)
        if alias in document.models:
            report.add("RK308", place, f"{alias!r} is a public model already.", "Choose another name for the alias.")
        if target and target not in document.models:
            fix = suggest(target, document.models) or f"Define it as {format_path(('models', target))}."
            if target in tenant.catalog.aliases:
                fix = "An alias stands for a model, not for another alias."
            report.add("RK309", place, f"There is no model {target!r}.", fix)


def _check_package(package: Package, path: Path, report: Report) -> None:
    if report.is_broken(path):
        return
    needed, optional = _PACKAGE_KEYS[package.kind]
    terms = {name: getattr(package, name) for name in _OPTIONAL_TERMS}
    # A price of 0 is given, though it equals False.
    given = {name for name, value in terms.items() if value is not None and value is not False and value != ()}
    for name in sorted(needed - given):
        report.add("RK312", path, f"A {package.kind} needs {name}.", f"Add {name}, or choose another kind.")
    for name in sorted(given - needed - optional):
        report.add("RK312", (*path, name), f"A {package.kind} has no {name}.", "Remove it, or choose another kind.")
    for name in ("price", "credits", "min", "max", "daily_allowance"):
        if getattr(package, name) == 0:
            report.add(
                "RK312", (*path, name), f"{name} is zero.", "Give an amount above 0; gifts are made by credit grant."
            )
    if package.roll_over_periods is not None and not package.roll_over:
        report.add("RK312", (*path, "roll_over_periods"), "Nothing rolls over.", "Set roll_over = true, or remove it.")
    if package.daily_allowance and package.credits and package.daily_allowance >= package.credits:
        report.add(
            "RK312", (*path, "daily_allowance"), "The allowance is all of the credit.", "Lower it, or remove it."
        )
    _check_amounts(package, path, report)
    if package.kind == "topup":
        _check_bonus(package, path, report)


def _check_amounts(package: Package, path: Path, report: Report) -> None:
    low, high = package.min or 0, package.max
    if high is not None and low > high:
        report.add("RK312", (*path, "min"), "min is larger than max.", "Swap them.")
    for index, preset in enumerate(package.presets):
        if high is not None and not low <= preset <= high:
            report.add(
                "RK312",
                (*path, "presets", index),
                "The preset lies outside min and max.",
                "Give an amount between them.",
            )


def _check_bonus(package: Package, path: Path, report: Report) -> None:
    """Each tier begins above the one before it, within what can be bought, and gives something."""
    least = 0
    for index, tier in enumerate(package.bonus):
        place = (*path, "bonus", index)
        if tier.percent <= 0:
            report.add("RK312", (*place, "percent"), "The bonus is nothing.", 'Give a percentage above "0%".')
        if package.max is not None and tier.from_ > package.max:
            report.add("RK312", (*place, "from"), "The bonus begins above max.", "Give an amount up to max.")
        if tier.from_ <= least and index:
            report.add("RK312", (*place, "from"), "The tiers do not rise.", "Write them with rising amounts.")
        least = tier.from_
