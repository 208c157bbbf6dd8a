"""Groups of customers for the management API: thin handlers over the flows of the console. Shows no operator's cost."""

from __future__ import annotations

from typing import Any, Final, TypedDict

import msgspec
from msgspec import Struct

from ...core.errors import InvalidRequest
from ...core.manifest.texts import NAME
from ...flows import customers, group_editor, shapes
from ...flows import documents as doc
from ...flows.group_editor import GroupRow
from ...flows.price_shapes import group_line
from .endpoint import Call, Endpoint

_ONE: Final = "/groups/{group}"


class GroupLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of each customer; what is left out has none of the group's."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None


class GroupTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """All terms of a group. Without a markup its customers pay what all others pay."""

    title: str | None = None
    markup: str | None = None
    allow_loss: bool = False
    limits: GroupLimits = GroupLimits()


class Membership(Struct, frozen=True, forbid_unknown_fields=True):
    """The group of a customer; null for none."""

    group: str | None


class Group(TypedDict):
    """A group with its terms, and how many customers are in it."""

    id: str
    title: str | None
    markup: str | None
    allow_loss: bool
    limits: GroupLimits
    customers: int


class PricedGroup(Group):
    """A group with what it pays, beside what all others pay and what it costs the storefront."""

    prices: list[doc.GroupLine]


class Groups(TypedDict):
    """All groups; one page."""

    groups: list[Group]
    next_cursor: str | None


async def _list(call: Call) -> Groups:
    found = await group_editor.groups_of(call.db, call.slug)
    return {"groups": [_document(row) for row in found.rows], "next_cursor": None}


async def _show(call: Call) -> PricedGroup:
    name = call.path["group"]
    found = await group_editor.groups_of(call.db, call.slug)
    row = found.find(name)
    return {**_document(row), "prices": [group_line(one) for one in group_editor.prices_of(found.levels, name)]}


async def _put(call: Call) -> PricedGroup:
    name, body = call.path["group"], call.body
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            "That is no id of a group.", param="group", fix="Use letters, digits, hyphen and underscore, at most 63."
        )
    found = await group_editor.groups_of(call.db, call.slug)
    fields: dict[str, Any] = {**msgspec.structs.asdict(body), "limits": msgspec.structs.asdict(body.limits)}
    fields["allow_loss"] = body.allow_loss or None
    await group_editor.save_group(call.db, call.vault, call.slug, name, fields, expected=found.mark, actor=call.actor)
    return await _show(call)


async def _withdraw(call: Call) -> Group:
    name = call.path["group"]
    found = await group_editor.groups_of(call.db, call.slug)
    row = found.find(name)
    await group_editor.withdraw_group(call.db, call.vault, call.slug, name, expected=found.mark, actor=call.actor)
    return _document(row)


async def _join(call: Call) -> doc.Customer:
    body: Membership = call.body
    row = await customers.set_customer_group(call.db, call.slug, call.path["customer"], body.group, call.actor)
    return shapes.customer(row, call.slug)


def _document(row: GroupRow) -> Group:
    limits = row.terms.get("limits") or {}
    return {
        "id": row.terms["id"],
        "title": row.terms.get("title"),
        "markup": row.terms.get("markup"),
        "allow_loss": bool(row.terms.get("allow_loss")),
        "limits": GroupLimits(**limits),
        "customers": row.customers,
    }


GROUPS: Final = (
    Endpoint(
        method="GET", path="/groups", scope="prices:read", summary="Groups of customers and their terms.", handle=_list
    ),
    Endpoint(
        method="GET",
        path=_ONE,
        scope="prices:read",
        summary="One group, with what it pays for every model.",
        handle=_show,
    ),
    Endpoint(
        method="PUT",
        path=_ONE,
        scope="prices:write",
        summary="Let a group have these terms, at once: a new one, or one that there is.",
        handle=_put,
        body=GroupTerms,
    ),
    Endpoint(
        method="DELETE",
        path=_ONE,
        scope="prices:write",
        summary="Serve a group's customers as all others.",
        handle=_withdraw,
    ),
    Endpoint(
        method="PUT",
        path="/customers/{customer}/group",
        scope="credits",
        summary="Put a customer into a group, or into none.",
        handle=_join,
        body=Membership,
    ),
)
