"""Use cases of a reseller on its groups of customers: look at them, make, change and withdraw them.

Who is in which group is `customers`' to say. Nothing here holds what the operator pays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.catalog import USAGE_CLASSES, price_of
from ..core.errors import InvalidRequest, NotFound
from ..core.manifest import Levels
from ..db import customers
from ..db.engine import NO_TENANT, Database
from ..vault import Vault
from .provision.edit import Current, Edit, edit, preview, read_current
from .tenants import require_tenant

MOST: Final = 50
"""Each of them has its own version of every model's price."""
PART: Final = "groups"
_GONE: Final = "There is no such group."


class GroupRow(Struct, frozen=True, kw_only=True):
    """A group as the configuration says it, and how many customers are in it."""

    terms: Mapping[str, Any]
    customers: int


class GroupPrice(Struct, frozen=True, kw_only=True):
    """One usage class of a model, in pico-USD per unit: what the reseller pays, what all pay, what the group pays."""

    model: str
    usage_class: str
    paid: int | None
    usual: int
    retail: int


class Groups(Struct, frozen=True, kw_only=True):
    """All groups in the file's order, and the mark to change them against.

    `left`: customers in groups that are gone. `levels` holds the operator's cost too, which no reseller sees.
    """

    rows: tuple[GroupRow, ...]
    left: Mapping[str, int]
    markup: str
    mark: str
    levels: Mapping[str, Levels]

    def find(self, group_id: str) -> GroupRow:
        """The group of this id. Raises NotFound."""
        for row in self.rows:
            if row.terms["id"] == group_id:
                return row
        raise NotFound(_GONE)


async def groups_of(db: Database, tenant_slug: str) -> Groups:
    """The groups of a tenant. Raises NotFound."""
    current = await read_current(db, tenant_slug)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        counts = await customers.groups(connection, tenant.id)
    stored = _stored(current)
    return Groups(
        rows=tuple(GroupRow(terms=terms, customers=counts.get(terms["id"], 0)) for terms in stored),
        left={name: count for name, count in counts.items() if name not in {terms["id"] for terms in stored}},
        markup=str(current.resources["tenant", tenant_slug].get("pricing.markup", "0%")),
        mark=current.mark(PART),
        levels=current.levels,
    )


async def prices_with(
    db: Database, tenant_slug: str, group_id: str, fields: Mapping[str, Any]
) -> tuple[GroupPrice, ...]:
    """The prices that a group would pay on these terms. Changes nothing. Raises InvalidManifest for refused ones."""
    current = await read_current(db, tenant_slug)
    edits = [_edit(tenant_slug, _with(_stored(current), group_id, fields))]
    outcome = await preview(db, tenant_slug=tenant_slug, edits=edits)
    return tuple(prices_of(outcome.levels, group_id))


async def save_group(
    db: Database,
    vault: Vault,
    tenant_slug: str,
    group_id: str,
    fields: Mapping[str, Any],
    *,
    expected: str,
    actor: str,
) -> None:
    """Let a group have these terms from now on, a new one or one that there is; None unsets one.

    Raises InvalidManifest, InvalidRequest for one too many, and Conflict when the groups were changed since `expected`.
    """
    current = await read_current(db, tenant_slug)
    wanted = _with(_stored(current), group_id, fields)
    if len(wanted) > MOST:
        raise InvalidRequest(f"There may be {MOST} groups.", fix="Withdraw one that nobody needs.")
    edits = [_edit(tenant_slug, wanted)]
    await edit(db, vault, tenant_slug=tenant_slug, edits=edits, actor=actor, expected=expected)


async def withdraw_group(
    db: Database, vault: Vault, tenant_slug: str, group_id: str, *, expected: str, actor: str
) -> None:
    """Serve a group's customers as all others from now on. Raises NotFound, and Conflict as `save_group`."""
    stored = _stored(await read_current(db, tenant_slug))
    left = [terms for terms in stored if terms["id"] != group_id]
    if len(left) == len(stored):
        raise NotFound(_GONE)
    edits = [_edit(tenant_slug, left)]
    await edit(db, vault, tenant_slug=tenant_slug, edits=edits, actor=actor, expected=expected)


def prices_of(levels: Mapping[str, Levels], group_id: str) -> Iterator[GroupPrice]:
    """A group's base prices beside everybody's, model by model."""
    for model, found in sorted(levels.items()):
        prices, paid = found.retail_for(group_id).prices, found.spent.prices
        for usage_class in USAGE_CLASSES:
            if usage_class in prices:
                yield GroupPrice(
                    model=model,
                    usage_class=usage_class,
                    paid=price_of(paid, usage_class),
                    usual=found.retail.prices[usage_class],
                    retail=prices[usage_class],
                )


def _stored(current: Current) -> list[dict[str, Any]]:
    stored = current.resources["tenant", current.tenant.slug].get(PART)
    return [dict(terms) for terms in stored or ()]


def _with(stored: list[dict[str, Any]], group_id: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups with these terms in one of them; what the fields don't speak of stays as it is."""
    known: dict[str, Any] = next((terms for terms in stored if terms["id"] == group_id), {"id": group_id})
    limits = _stated({**known.get("limits", {}), **fields.get("limits", {})})
    made = _stated({**known, **fields, "limits": limits or None})
    return [made if terms is known else terms for terms in stored] + ([] if known in stored else [made])


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _edit(slug: str, groups: list[dict[str, Any]]) -> Edit:
    return Edit("tenant", slug, {PART: groups or None})
