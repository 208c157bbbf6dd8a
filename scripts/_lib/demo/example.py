"""Reads the demo's tenants.toml: its storefronts, what each offers, and the loopback upstream. Applies nothing."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_ENV_REFERENCE: Final = re.compile(r'"env:([A-Za-z_][A-Za-z0-9_]*)"')


class UnfitExample(ValueError):
    """The file is no demo: it would leave this machine, or has no storefront on a loopback address."""


@dataclass(frozen=True)
class Storefront:
    """A tenant of the file with what the demo calls: a model for the plain call and one for the streamed call."""

    slug: str
    name: str
    address: str
    hosts: tuple[str, ...]
    plain_model: str
    streamed_model: str


@dataclass(frozen=True)
class Example:
    """The parsed file, the address its upstreams share, and its storefronts."""

    document: Mapping[str, Any]
    text: str
    upstream_host: str
    upstream_port: int
    storefronts: tuple[Storefront, ...]

    def secret_names(self) -> list[str]:
        """The environment variables that the file refers to."""
        return _ENV_REFERENCE.findall(_without_comments(self.text))

    def with_upstream_port(self, port: int) -> str:
        """The file's text with its upstream on another port, for when the written one is taken."""
        return self.text.replace(f"{self.upstream_host}:{self.upstream_port}", f"{self.upstream_host}:{port}")


def read(path: Path) -> Example:
    """Read the file. Raises UnfitExample."""
    text = path.read_text(encoding="utf-8")
    document = tomllib.loads(text)
    host, port = _upstream_address(document)
    storefronts = tuple(_storefront(document, tenant) for tenant in document["tenants"])
    return Example(document, text, host, port, storefronts)


def _upstream_address(document: Mapping[str, Any]) -> tuple[str, int]:
    parts = {name: urlsplit(upstream["base_url"]) for name, upstream in document["upstreams"].items()}
    addresses = {(part.hostname or "", part.port or 0) for part in parts.values()}
    if len(addresses) != 1 or not _is_loopback(next(iter(addresses))[0]):
        raise UnfitExample("the demo needs all upstreams at one loopback address: nothing may leave this machine")
    return addresses.pop()


def _storefront(document: Mapping[str, Any], tenant: Mapping[str, Any]) -> Storefront:
    hosts = tuple(domain["host"] for domain in tenant["domains"] if domain["role"] == "storefront")
    address = next((host for host in hosts if _is_loopback(host)), None)
    if address is None:
        raise UnfitExample(f"tenant {tenant['slug']} has no storefront on a loopback address such as 127.0.0.2")
    catalog = tenant.get("catalog", {})
    models = [name for name in document["models"] if _offers(catalog, name)]
    # A branded name in one of the two calls shows that aliases are priced like the model behind them.
    aliases = list(catalog.get("aliases", {}))
    return Storefront(
        slug=tenant["slug"],
        name=tenant["name"],
        address=address,
        hosts=hosts,
        plain_model=models[-1],
        streamed_model=(aliases or models)[0],
    )


def _offers(catalog: Mapping[str, Any], model: str) -> bool:
    allowed = any(fnmatchcase(model, pattern) for pattern in catalog.get("allow", ["*"]))
    return allowed and not any(fnmatchcase(model, pattern) for pattern in catalog.get("deny", []))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
