"""Reports of abuse for the management API: what was reported of the storefront's customers, and its own decisions.

Says nothing of who reported.
"""

from __future__ import annotations

from typing import Final, Literal, TypedDict

from msgspec import Struct

from ...core.abuse import STATES, Category, Move, State, team_moves
from ...core.errors import InvalidRequest
from ...core.times import format_time
from ...db.abuse import Listed
from ...flows import documents as doc
from ...flows import shapes
from ...flows.abuse import decide, reports
from .endpoint import PAGE, Call, Endpoint, Handle, time_of

_ONE: Final = "/abuse/{report}"
_Move = Literal["restrict", "dismiss", "uphold", "lift"]


class Restriction(Struct, frozen=True, forbid_unknown_fields=True):
    """What the customer reads, and until when its calls are refused; left out: until it is lifted."""

    words: str
    until: str | None = None


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """What the customer reads; whoever upholds has to say it."""

    words: str = ""


class AbuseReport(TypedDict):
    """A report of abuse. `decisions`: what can be done now; `forced`: the team can't lift the restriction."""

    id: str
    customer_id: str
    email: str
    request_id: str | None
    category: Category
    body: str
    status: State
    forced: bool
    reason: str
    appeal: str
    answer: str
    decisions: list[Move]
    happened_at: doc.Time | None
    restricted_at: doc.Time | None
    until: doc.Time | None
    created_at: doc.Time
    changed_at: doc.Time


class Reports(TypedDict):
    """A page of reports."""

    reports: list[AbuseReport]
    next_cursor: str | None


async def _list(call: Call) -> Reports:
    state = call.query.get("status")
    if state is not None and state not in STATES:
        raise InvalidRequest("There is no such status.", param="status", fix=f"One of {', '.join(STATES)}.")
    page = await reports.list_reports(call.db, call.tenant_id, call.window(), state)
    return {"reports": [_document(row) for row in page.items], "next_cursor": page.next_cursor}


async def _show(call: Call) -> AbuseReport:
    return _document(await reports.show_report(call.db, call.tenant_id, call.path["report"]))


async def _restrict(call: Call) -> AbuseReport:
    body: Restriction = call.body
    decision = decide.Decision(move="restrict", words=body.words, until=time_of(body.until, "until"))
    return _document(await decide.decide(call.db, call.slug, call.path["report"], decision, call.actor))


def _deciding(move: _Move) -> Handle:
    async def handle(call: Call) -> AbuseReport:
        body: Words = call.body
        decision = decide.Decision(move=move, words=body.words)
        return _document(await decide.decide(call.db, call.slug, call.path["report"], decision, call.actor))

    return handle


def _document(listed: Listed) -> AbuseReport:
    row = listed.report
    return {
        "id": row.id,
        "customer_id": row.customer_id,
        "email": listed.email,
        "request_id": row.request_id or None,
        "category": row.category,
        "body": row.body,
        "status": row.state,
        "forced": row.forced,
        "reason": row.reason,
        "appeal": row.appeal,
        "answer": row.answer,
        "decisions": list(team_moves(row.state, forced=row.forced)),
        "happened_at": shapes.optional_time(row.happened_at),
        "restricted_at": shapes.optional_time(row.restricted_at),
        "until": shapes.optional_time(row.until),
        "created_at": format_time(row.created_at),
        "changed_at": format_time(row.changed_at),
    }


_SUMMARIES: Final[dict[_Move, str]] = {
    "dismiss": "Dismiss a report that nothing follows from.",
    "uphold": "Answer an appeal: the restriction stays.",
    "lift": "Serve the customer again.",
}
ABUSE: Final = (
    Endpoint(
        method="GET",
        path="/abuse",
        scope="customers:read",
        summary="Reports of abuse, newest first.",
        handle=_list,
        query=("status", *PAGE),
    ),
    Endpoint(method="GET", path=_ONE, scope="customers:read", summary="One report of abuse.", handle=_show),
    Endpoint(
        method="POST",
        path=f"{_ONE}/restrict",
        scope="customers:write",
        summary="Refuse the calls of the customer whom it is about.",
        handle=_restrict,
        body=Restriction,
    ),
    *(
        Endpoint(
            method="POST",
            path=f"{_ONE}/{move}",
            scope="customers:write",
            summary=summary,
            handle=_deciding(move),
            body=Words,
        )
        for move, summary in _SUMMARIES.items()
    ),
)
