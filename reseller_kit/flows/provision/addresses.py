"""Whether resellers' own upstreams lie on the public internet, by what their hosts' names lead to. Stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

from ...core.manifest import Document, Report, refuse_address
from ...core.public_addresses import is_address, is_public
from ...core.tenant import is_loopback_host
from ...core.toml_lines import Path

LookUp: TypeAlias = Callable[[Iterable[str]], Mapping[str, list[str]]]
"""Hosts → the addresses of each, none for one that can't be told."""


def address_check(look_up: LookUp) -> Callable[[Document, Report], None]:
    """A check of a manifest that looks its resellers' own hosts up.

    It tells of a mistake early. What keeps calls out of private networks is the look at each connection's address.
    """

    def check(document: Document, report: Report) -> None:
        if document.platform.private_upstreams:
            return
        hosts = {path: host for path, host in _own_hosts(document) if not report.is_broken((*path, "base_url"))}
        found = look_up(hosts.values())
        for path, host in hosts.items():
            addresses = found.get(host, [])
            if not addresses:
                message = f"The host {host} of this upstream can't be looked up from here."
                fix = "Check its name. Calls are answered once it leads to a public address."
                report.add("RK506", (*path, "base_url"), message, fix, level="warning")
            elif not all(map(is_public, addresses)):
                refuse_address(path, report)

    return check


def _own_hosts(document: Document) -> Iterable[tuple[Path, str]]:
    """Where each upstream of a reseller's stands in the file, and its host; literals are judged already."""
    for index, tenant in enumerate(document.tenants):
        for name, upstream in tenant.upstreams.items() if tenant.status != "archived" else ():
            host = urlsplit(upstream.base_url).hostname or ""
            if host and not is_address(host) and not is_loopback_host(host):
                yield ("tenants", index, "upstreams", name), host
