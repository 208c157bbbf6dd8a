"""Whether the plugins that a manifest names are installed, can be loaded and are given what they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ...core.manifest import Document, PaymentAccount, Report, Upstream, suggest
from ...core.toml_lines import Path
from ...plugins import PaymentPlugin, UpstreamPlugin
from ...plugins.installed import PluginUnusable, payment_plugin, upstream_plugin

_OWN: Final = ("manual", "paddle")


def check_plugins(document: Document, report: Report) -> None:
    """Reports everything that is wrong with the plugins of a manifest."""
    for path, upstream in _upstreams(document):
        if not report.is_broken((*path, "plugin")):
            _check_upstream(upstream, path, report)
    for path, account in _accounts(document):
        if not report.is_broken((*path, "provider")):
            _check_account(account, path, report)
    check_renewals(document, report)


def check_renewals(document: Document, report: Report) -> None:
    """Reports subscriptions that are sold through a plugin that renews none."""
    for index, tenant in enumerate(document.tenants):
        if _renews(tenant.payments.provider):
            continue
        for number, package in enumerate(tenant.packages):
            if package.kind == "subscription":
                message = f"The payment provider {tenant.payments.provider!r} renews no subscriptions."
                path: Path = ("tenants", index, "packages", number, "kind")
                report.add("RK312", path, message, 'Sell it as kind = "package".')


def _renews(provider: str) -> bool:
    """Whether it does, as far as that can be told."""
    try:
        return provider in _OWN or payment_plugin(provider).renews
    except PluginUnusable:
        return True


def _upstreams(document: Document) -> Iterator[tuple[Path, Upstream]]:
    for name, upstream in document.upstreams.items():
        yield ("upstreams", name), upstream
    for index, tenant in enumerate(document.tenants):
        for name, upstream in tenant.upstreams.items():
            yield ("tenants", index, "upstreams", name), upstream


def _accounts(document: Document) -> Iterator[tuple[Path, PaymentAccount]]:
    yield ("platform", "payments"), document.platform.payments
    for index, tenant in enumerate(document.tenants):
        if tenant.payments.account == "own":
            yield ("tenants", index, "payments"), tenant.payments


def _check_upstream(upstream: Upstream, path: Path, report: Report) -> None:
    if upstream.plugin is None:
        _refuse_options(upstream.options, path, report, "plugin")
        return
    try:
        plugin = upstream_plugin(upstream.plugin)
    except PluginUnusable as error:
        report.add("RK509", (*path, "plugin"), error.message, error.fix or "")
        return
    _check_options(upstream.options, plugin, path, report)


def _check_account(account: PaymentAccount, path: Path, report: Report) -> None:
    if account.provider in _OWN:
        _refuse_options(account.options, path, report, "provider")
        return
    try:
        plugin = payment_plugin(account.provider)
    except PluginUnusable as error:
        near = suggest(account.provider, _OWN)
        report.add("RK509", (*path, "provider"), error.message, f"{near} {error.fix or ''}".strip())
        return
    _check_options(account.options, plugin, path, report)
    missing = [name for name in plugin.secrets if getattr(account, name) is None]
    if missing:
        fix = f'Give references such as "env:{account.provider.upper()}_{missing[0].upper()}".'
        report.add("RK314", path, f"The plugin {account.provider!r} needs {' and '.join(missing)}.", fix)


def _check_options(
    options: Mapping[str, str], plugin: UpstreamPlugin | PaymentPlugin, path: Path, report: Report
) -> None:
    known = tuple(dict.fromkeys((*plugin.required, *plugin.options)))
    for name in options:
        if name not in known:
            fix = suggest(name, known) or (f"It reads {', '.join(known)}." if known else "It reads none.")
            report.add("RK102", (*path, "options", name), f"The plugin has no option {name!r}.", fix)
    missing = [name for name in plugin.required if name not in options]
    if missing:
        fix = f'Write options = {{ {missing[0]} = "…" }}.'
        report.add("RK314", path, f"The plugin needs the option {' and '.join(missing)}.", fix)


def _refuse_options(options: Mapping[str, str], path: Path, report: Report, key: str) -> None:
    if options:
        report.add("RK102", (*path, "options"), "Only plugins have options.", f"Name the {key}, or take them out.")
