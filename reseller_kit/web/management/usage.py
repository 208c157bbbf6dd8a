"""Usage for the management API, as a reseller may see it: what it charges and what it pays."""

from __future__ import annotations

from typing import Final, TypedDict, get_args

from ...core.errors import InvalidRequest
from ...flows import documents as doc
from ...flows import usage_shapes
from ...flows.usage import list_usage
from ...flows.usage_summary import By, summarize
from .endpoint import PAGE, Call, Endpoint

_BY: Final[tuple[By, ...]] = get_args(By)


class Calls(TypedDict):
    """A page of calls."""

    records: list[doc.Call]
    next_cursor: str | None


async def _records(call: Call) -> Calls:
    page = await list_usage(
        call.db,
        tenant_slug=call.slug,
        customer=call.query.get("customer") or None,
        since=call.since(),
        window=call.window(),
    )
    return {"records": [usage_shapes.resellers_usage(row) for row in page.items], "next_cursor": page.next_cursor}


async def _summary(call: Call) -> doc.Summary:
    asked = call.query.get("by", "day")
    by = next((one for one in _BY if one == asked), None)
    if by is None:
        raise InvalidRequest("There is no such sum.", param="by", fix=f"One of {', '.join(_BY)}.")
    customer = call.query.get("customer") or None
    found = await summarize(call.db, tenant_slug=call.slug, customer=customer, since=call.since(), by=by)
    return usage_shapes.resellers_summary(found)


USAGE: Final = (
    Endpoint(
        method="GET",
        path="/usage",
        scope="usage:read",
        summary="Calls, newest first.",
        handle=_records,
        query=("customer", "since", *PAGE),
    ),
    Endpoint(
        method="GET",
        path="/usage/summary",
        scope="usage:read",
        summary="Sums by day, model or key; of the last 30 days unless since says otherwise.",
        handle=_summary,
        query=("customer", "since", "by"),
    ),
)
