"""The page `/console/audit`: who changed what, searched and taken along."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from msgspec import Struct, structs

from ...core.days import local
from ...core.errors import InvalidRequest
from ...core.times import SECOND_US
from ...db.audit_log import AuditFilter
from ...db.engine import Database
from ...flows import trail
from ...flows.trail import ACTORS, Line, Reader
from ...theming.console import AuditLine, AuditView
from ..members import member_of
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, runtime_of
from .dates import day_of_field
from .guards import Guard, member_may

_MAX_TEXT: Final = 200
_FIELDS: Final = ("author", "member", "action", "kind", "text", "since", "until")
_MAX_ID: Final = 1 << 62
_EXPORTS: Final[Mapping[str, tuple[str, Callable[..., AsyncIterator[bytes]]]]] = {
    "export.csv": ("text/csv", trail.as_csv),
    "export.json": ("application/json", trail.as_json),
}


class _Asked(Struct, frozen=True):
    """A search as its address says it, what is wrong with it, and its fields to be shown again."""

    wanted: AuditFilter
    text: str
    fields: Mapping[str, str]
    problem: str = ""


def audit_handlers(
    pages: Pages, path: str = "/console/audit", guard: Guard | None = None, *, everything: bool = False
) -> list[HTTPRouteHandler]:
    """The page and its exports; `everything`: the operator's, on its own hosts."""
    guards = [guard or member_may("audit")]

    def reader_of(request: Handler) -> Reader:
        return Reader(None if everything else member_of(request).tenant_id)

    @get(path, guards=guards)
    async def show(request: Handler) -> Response[Any]:
        asked, reader, db = _asked(request), reader_of(request), runtime_of(request).db
        found = await trail.search(db, reader, asked.wanted, asked.text)
        actions, kinds = await trail.names(db, reader)
        query = urlencode({name: value for name, value in asked.fields.items() if value})
        older = None if found.next_before is None else f"{path}?{query}&before={found.next_before}".replace("?&", "?")
        view = AuditView(
            lines=tuple(_line(line, request) for line in found.lines),
            actions=tuple(actions),
            kinds=tuple(kinds),
            fields=dict(asked.fields),
            query=query,
            newest=asked.wanted.before_id is None,
            older_url=older,
            path=path,
            problem=asked.problem,
            everything=everything,
        )
        return pages.answer(request, "console/audit.html", view=view, status=422 if asked.problem else 200)

    @get([f"{path}/{name}" for name in _EXPORTS], guards=guards)
    async def export(request: Handler) -> Stream:
        return _export(request, reader_of(request))

    return [show, export]


def _export(request: Handler, reader: Reader) -> Stream:
    asked = _asked(request)
    if asked.problem:
        raise InvalidRequest(asked.problem)
    name = request.url.path.rpartition("/")[2]
    media_type, write = _EXPORTS[name]
    db: Database = runtime_of(request).db
    headers = {
        **SECURITY_HEADERS,
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="audit.{name.rpartition(".")[2]}"',
    }
    wanted = structs.replace(asked.wanted, before_id=None)
    return Stream(write(db, reader, wanted, asked.text), media_type=media_type, headers=headers)


def _asked(request: Handler) -> _Asked:
    fields = {name: request.query_params.get(name, "").strip()[:_MAX_TEXT] for name in _FIELDS}
    zone = member_of(request).zone
    problem, bounds = "", dict[str, int]()
    for name in ("since", "until"):
        at = day_of_field(fields[name], zone, after=name == "until")
        if fields[name] and at is None:
            problem = "Write days like 2026-01-31."
        elif at is not None:
            bounds[name] = at
    base = ACTORS.get(fields["author"], AuditFilter())
    if fields["member"]:
        base = AuditFilter(actors=(f"member:{fields['member'].casefold()}",))
    wanted = structs.replace(
        base,
        action=fields["action"] or None,
        kind=fields["kind"] or None,
        since=bounds.get("since"),
        until=bounds.get("until"),
        before_id=_before(request),
    )
    return _Asked(wanted, fields["text"], fields, problem)


def _before(request: Handler) -> int | None:
    text = request.query_params.get("before", "")
    return (
        int(text) if text.isascii() and text.isdigit() and len(text) < 19 and 0 < int(text) < _MAX_ID else None
    )  # digits of 64 bits


def _line(line: Line, request: Handler) -> AuditLine:
    return AuditLine(
        number=line.id,
        at=local(line.at - line.at % SECOND_US, member_of(request).zone),
        author=line.author,
        who=line.who,
        action=line.action,
        kind=line.kind,
        ref=line.ref,
        differences=line.differences,
        tenant=line.tenant or "",
    )
