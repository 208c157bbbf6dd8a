"""What an edit is checked for, and how what is wrong is told to a reseller. Decides on no change.

A reseller hears nothing of other tenants, of the operator's costs or of the platform.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from ...core.manifest import Document, Finding, Report, Resources, check_document
from ...theming.library import Theme, installed_themes
from .addresses import address_check
from .plugins import check_renewals
from .themes import theme_check

_TENANT: Final = re.compile(r"tenants\[\d+\]\.?")
_ITEM: Final = re.compile(r"^(packages|domains|owners)\[(\d+)\]")
_HOST_TAKEN: Final = "This host is not available."
_PLAIN: Final[Mapping[str, tuple[str, str]]] = {
    "RK303": (_HOST_TAKEN, "Choose another host."),
    "RK402": ("A model can't be sold at present.", "Ask whoever runs the platform."),
}
_FIXES: Final[Mapping[str, str]] = {
    "RK310": "Correct it, or take it out.",
    "RK401": "Raise it, or allow prices below wholesale.",
    "RK406": "Raise it: your terms allow no less.",
    "RK404": "Leave the price out, or narrow the pattern.",
}
"""What to do about it where there is no file."""
_WORDS: Final = (
    (", whose cost does not name it.", ", which is not charged by that."),
    ("The preset lies outside min and max.", "An amount to choose from lies outside the least and the most."),
    (", without quotes.", "."),
    ("Expected a whole number, found a string.", "This is no whole number."),
    ("min is larger than max.", "The least amount is larger than the most."),
    ("begins above max.", "begins above the most that can be paid."),
    ("Give an amount up to max.", "Give a smaller amount."),
    ("; gifts are made by credit grant.", "; credit is given away on a customer's page."),
    ("Set roll_over = true, or remove it.", "Let unused credit stay, or leave the periods out."),
    ("Write the text, or leave the key out.", "Write something, or leave it out."),
    ("Choose another name for the alias.", "Choose another name."),
)
"""Words of the file → those of a form."""
_DEFINE: Final = re.compile(r"Define it as .*")


def check_edited(document: Document, report: Report, addresses: Mapping[str, list[str]]) -> None:
    """Everything that `apply` checks, of a document of one tenant."""
    check_document(document, report)
    theme_check(_themes())(document, report)
    check_renewals(document, report)
    address_check(lambda hosts: {host: addresses.get(host, []) for host in hosts})(document, report)


def check_foreign_hosts(everything: Resources, document: Document, slug: str, *, before: Document) -> Iterator[Finding]:
    """Hosts of the tenant that were not its own before and that are another's, or another's fallback host."""
    known = {domain.host for tenant in before.tenants for domain in tenant.domains}
    suffix = document.platform.storefront_suffix
    taken = {name for (kind, name), fields in everything.items() if kind == "domain" and fields["tenant"] != slug}
    fallbacks = {f"{name}.{suffix}" for (kind, name) in everything if suffix and kind == "tenant" and name != slug}
    for tenant in document.tenants:
        for domain in tenant.domains:
            if domain.host not in known and domain.host in taken | fallbacks:
                yield _finding("RK303", f"domains.{domain.host}.host", *_PLAIN["RK303"])
        if not before.tenants and suffix and f"{slug}.{suffix}" in taken:
            yield _finding("RK303", "slug", "This slug is not available.", "Choose another slug.")


def taken_host(host: str) -> Finding:
    """A host that another tenant holds: proven and not pointed here yet, detached, or removed and not released."""
    return _finding("RK303", f"domains.{host}.host", *_PLAIN["RK303"])


def check_own_machine(document: Document, *, before: Document) -> Iterator[Finding]:
    """A payment environment on this machine that the operator's file did not set.

    Keys of a reseller's choice would be sent to programs that trust whoever reaches them.
    """
    known = {tenant.payments.environment for tenant in before.tenants}
    for tenant in document.tenants:
        environment = tenant.payments.environment
        if "://" in environment and environment not in known and not document.platform.private_upstreams:
            message = "This environment is the operator's to set."
            yield _finding("RK204", "payments.environment", message, "Choose sandbox or live.")


def named(finding: Finding, document: Document, slug: str) -> Finding:
    """The finding as the tenant may read it: its path within the tenant, items by what they are called."""
    path = _TENANT.sub("", finding.path, count=1)
    item = _ITEM.match(path)
    if item and document.tenants:
        path = f"{item[1]}.{_called(document, item[1], int(item[2]))}{path[item.end() :]}"
    message, fix = _PLAIN.get(finding.code, (finding.message, _FIXES.get(finding.code, finding.fix)))
    message, fix = _worded(message), _worded(_DEFINE.sub("Choose one of the models that there are.", fix))
    return msgspec.structs.replace(finding, path=path or slug, message=message, fix=fix)


def _worded(text: str) -> str:
    for of_file, of_form in _WORDS:
        text = text.replace(of_file, of_form)
    return text


def _called(document: Document, kind: str, index: int) -> str:
    tenant = document.tenants[0]
    names = {
        "packages": [package.id for package in tenant.packages],
        "domains": [domain.host for domain in tenant.domains],
        "owners": list(tenant.owners),
    }[kind]
    return names[index] if index < len(names) else str(index)


def _finding(code: str, path: str, message: str, fix: str) -> Finding:
    return Finding(file="", line=1, level="error", code=code, path=path, message=message, fix=fix)


@functools.cache
def _themes() -> Mapping[str, Theme]:
    """Themes are installed with the program, so they are read once."""
    return installed_themes()
