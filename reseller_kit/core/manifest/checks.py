"""What must hold between the values of a manifest: names, hosts, routes and terms. Prices are `price_checks`.

Each check sees the whole document, in which refused values are blank, and stays silent about those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

from ..price_catalogue import NO_CATALOGUE, CatalogueOn
from ..tenant import is_loopback_host
from ..toml_lines import Path
from .findings import Refusal, Report, format_path
from .leaves import check_header
from .price_checks import check_prices
from .reader import suggest
from .structs import Document, Model, Package, Tenant, Upstream
from .texts import is_private_address

_GENERIC_WORDS: Final = frozenset({"platform", "store", "stores", "cloud", "host", "hosting", "systems"})
_PACKAGE_KEYS: Final = {
    "topup": ({"min", "max"}, {"presets"}),
    "package": ({"price", "credits"}, set()),
    "subscription": ({"price", "credits", "period"}, {"roll_over"}),
}
_OPTIONAL_TERMS: Final = ("price", "credits", "min", "max", "presets", "period", "roll_over")


def check_document(document: Document, report: Report, on: CatalogueOn = NO_CATALOGUE) -> None:
    """Report everything that does not fit together. `on`: the catalogue that the document was priced by."""
    _check_platform(document, report)
    _check_hosts(document, report)
    for name, upstream in document.upstreams.items():
        _check_upstream(upstream, ("upstreams", name), report)
    for name, model in document.models.items():
        _check_model(document, model, ("models", name), report)
    _check_unique(
        (tenant.slug for tenant in document.tenants), lambda i: ("tenants", i, "slug"), "RK301", "slug", report
    )
    for index, tenant in enumerate(document.tenants):
        _check_tenant(document, tenant, ("tenants", index), report)
    check_prices(document, report, on)


def _check_unique(items: Iterable[object], path: Callable[[int], Path], code: str, what: str, report: Report) -> None:
    first: dict[object, int] = {}
    for index, item in enumerate(items):
        if item in first and item != "":
            line = report.line_of(path(first[item]))
            report.add(code, path(index), f"The {what} {item!r} stands on line {line} already.", "Remove one of them.")
        first.setdefault(item, index)


def _check_platform(document: Document, report: Report) -> None:
    suffix = document.platform.storefront_suffix
    words = document.platform.name.lower().split()
    telling = {"".join(words), *(word for word in words if len(word) >= 4 and word not in _GENERIC_WORDS)}
    if suffix and any(word and word in suffix.replace("-", "") for word in telling):
        report.add(
            "RK313",
            ("platform", "storefront_suffix"),
            "The suffix holds the platform's name, and customers of every storefront would see it.",
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


def _check_upstream(upstream: Upstream, path: Path, report: Report) -> None:
    url = urlsplit(upstream.base_url)
    host = url.hostname or ""
    if url.scheme == "http" and is_private_address(host) and not is_loopback_host(host):
        report.add(
            "RK315",
            (*path, "base_url"),
            "Keys and prompts travel unencrypted to a private address.",
            "Use https:// unless the network between is yours alone.",
            level="warning",
        )
    if upstream.dialect == "anthropic" and url.path.rstrip("/").endswith("/v1"):
        report.add(
            "RK209",
            (*path, "base_url"),
            "An anthropic base URL is written without /v1.",
            f"Write {upstream.base_url[:-3]!r}.",
        )
    _check_unique(upstream.api_keys, lambda i: (*path, "api_keys", i), "RK311", "reference", report)
    for name, value in upstream.headers.items():
        try:
            check_header(name, value)
        except Refusal as refusal:
            report.add(refusal.code, (*path, "headers", name), refusal.message, refusal.fix)


def _check_model(document: Document, model: Model, path: Path, report: Report) -> None:
    for index, route in enumerate(model.routes):
        if route.upstream and route.upstream not in document.upstreams:
            message = f"There is no upstream {route.upstream!r}."
            fix = suggest(route.upstream, document.upstreams) or f"Define it as [upstreams.{route.upstream}]."
            report.add("RK306", (*path, "routes", index, "upstream"), message, fix)
    pairs = [f"{route.upstream}/{route.model}" if route.upstream and route.model else "" for route in model.routes]
    _check_unique(pairs, lambda i: (*path, "routes", i), "RK311", "route", report)
    if model.context and model.max_output and model.max_output > model.context:
        report.add(
            "RK203", (*path, "max_output"), "max_output is larger than context.", "An answer is part of the context."
        )


def _check_tenant(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    _check_domains(tenant, path, report)
    _check_unique(tenant.owners, lambda i: (*path, "owners", i), "RK311", "owner", report)
    _check_aliases(document, tenant, path, report)
    _check_unique(
        (package.id for package in tenant.packages), lambda i: (*path, "packages", i, "id"), "RK311", "package", report
    )
    for index, package in enumerate(tenant.packages):
        _check_package(package, (*path, "packages", index), report)
    if tenant.brand.logo is not None:
        message = "This version shows the brand's initial and name, not the logo."
        report.add("RK316", (*path, "brand", "logo"), message, "Nothing needs to be done.", level="warning")
    _check_thresholds(tenant, path, report)
    payments, smtp = tenant.payments, tenant.email.smtp
    if payments.provider == "paddle" and not report.is_broken((*path, "payments")):
        missing = [name for name in ("api_key", "webhook_secret") if getattr(payments, name) is None]
        if missing:
            report.add(
                "RK314",
                (*path, "payments"),
                f"Paddle needs {' and '.join(missing)}.",
                'Give references such as "env:PADDLE_API_KEY".',
            )
    if smtp is not None and (smtp.user is None) != (smtp.password is None) and not report.is_broken((*path, "email")):
        report.add(
            "RK314",
            (*path, "email", "smtp"),
            "A mail server takes user and password together, or neither.",
            "Give both.",
        )


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
    for name in ("price", "credits", "min", "max"):
        if getattr(package, name) == 0:
            report.add(
                "RK312", (*path, name), f"{name} is zero.", "Give an amount above 0; gifts are made by credit grant."
            )
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
