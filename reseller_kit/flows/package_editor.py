"""Use cases of a reseller on what it sells: look at its packages, make, change, order and withdraw them.

A package that is changed becomes a new version; orders keep the version that they were placed with.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.errors import NotFound
from ..core.manifest import Package, package_terms
from ..db import packages
from ..db.engine import NO_TENANT, Database
from ..db.packages import Offer
from ..vault import Vault
from .provision.edit import Current, Edit, edit, preview, read_current
from .tenants import require_tenant

_NOT_CODE: Final = re.compile(r"[^a-z0-9]+")


class PackageRow(Struct, frozen=True, kw_only=True):
    """A package on offer or, if `past`, not any more. `sold`: paid orders of any version; `waiting`: unpaid ones."""

    offer: Offer
    sold: int
    waiting: int
    past: bool = False


class Shelf(Struct, frozen=True, kw_only=True):
    """All packages in the order of pages, and the mark to change them against."""

    offered: tuple[PackageRow, ...]
    past: tuple[PackageRow, ...]
    mark: str


async def shelf(db: Database, tenant_slug: str) -> Shelf:
    """What the tenant sells and sold. Raises NotFound."""
    current = await read_current(db, tenant_slug)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        offered = await packages.offers(connection, tenant.id)
        past = await packages.past(connection, tenant.id)
        sold = await packages.sold(connection, tenant.id)
    return Shelf(
        offered=tuple(_row(offer, sold) for offer in offered),
        past=tuple(_row(offer, sold, past=True) for offer in past),
        mark=_mark(current),
    )


async def preview_package(db: Database, tenant_slug: str, code: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The terms that a package would have, in canonical spelling. Raises InvalidManifest for what can't be sold."""
    edits = [_edit(tenant_slug, code, fields)]
    outcome = await preview(db, tenant_slug=tenant_slug, edits=edits)
    found: Package = next(one for one in outcome.tenant.packages if one.id == code)
    return package_terms(found)


async def save_package(
    db: Database,
    vault: Vault,
    tenant_slug: str,
    code: str,
    fields: Mapping[str, Any],
    *,
    expected: str,
    actor: str,
) -> None:
    """Offer a package with these terms from now on: a new one, or a new version of one.

    Raises InvalidManifest, and Conflict when the packages were changed since `expected`.
    """
    await edit(
        db,
        vault,
        tenant_slug=tenant_slug,
        edits=[_edit(tenant_slug, code, fields)],
        actor=actor,
        expected=expected,
    )


async def withdraw_package(
    db: Database, vault: Vault, tenant_slug: str, code: str, *, expected: str, actor: str
) -> None:
    """Sell a package no longer. Raises NotFound, and Conflict as `save_package`."""
    await _require(db, tenant_slug, code)
    edits = [Edit("package", f"{tenant_slug}/{code}", None)]
    await edit(db, vault, tenant_slug=tenant_slug, edits=edits, actor=actor, expected=expected)


async def move_package(
    db: Database, vault: Vault, tenant_slug: str, code: str, step: int, *, expected: str, actor: str
) -> None:
    """Show a package so many places later; earlier if negative. Raises NotFound, and Conflict as `save_package`."""
    codes = [row.offer.code for row in (await shelf(db, tenant_slug)).offered]
    if code not in codes:
        raise NotFound("There is no such package on offer.")
    place = codes.index(code)
    codes.insert(max(0, min(place + step, len(codes) - 1)), codes.pop(place))
    edits = [Edit("tenant", tenant_slug, {"package_order": codes})]
    await edit(db, vault, tenant_slug=tenant_slug, edits=edits, actor=actor, expected=expected)


def new_code(title: str, taken: set[str], usual: str = "package") -> str:
    """An id from a title, one that is not taken; made of `usual` where the title gives none."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    base = _NOT_CODE.sub("-", plain).strip("-")[:40].strip("-") or usual
    number, code = 1, base
    while code in taken:
        number += 1
        code = f"{base}-{number}"
    return code


async def _require(db: Database, tenant_slug: str, code: str) -> None:
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        if await packages.offered(connection, tenant.id, code) is None:
            raise NotFound("There is no such package on offer.")


def _edit(slug: str, code: str, fields: Mapping[str, Any]) -> Edit:
    return Edit("package", f"{slug}/{code}", fields)


def _mark(current: Current) -> str:
    return current.mark("packages", "package_order")


def _row(offer: Offer, sold: Mapping[str, tuple[int, int]], *, past: bool = False) -> PackageRow:
    paid, waiting = sold.get(offer.code, (0, 0))
    return PackageRow(offer=offer, sold=paid, waiting=waiting, past=past)
