"""The page `/console/announcements`: what the storefront tells its customers, written, looked at, told and ended."""

from __future__ import annotations

from typing import Any, Final, cast
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.days import local
from ...core.errors import Conflict, InvalidForm, InvalidRequest, KitError, NotFound
from ...core.paging import Window
from ...core.roles import may
from ...core.times import DAY_US, SECOND_US
from ...db.announcements import Announcement, AnnouncementKind
from ...db.engine import now_us
from ...flows import announce as flow
from ...flows.announce import NewAnnouncement
from ...theming.console_news import AnnouncementLine, AnnouncementsView
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..members import Member, member_of
from ..pages import Handler, Pages
from ..pages.answer import runtime_of, storefront_of
from .dates import moment_of_field
from .guards import member_may

_PATH: Final = "/console/announcements"
_PAGE: Final = 30
_YEARS_US: Final = 3_652 * DAY_US
_KINDS: Final = ("news", "maintenance", "incident")
_DONE: Final = frozenset({"publish", "end", "withdraw"})


def announcement_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list with the form of a new one; the same path takes what is sent."""

    @get(_PATH, guards=[member_may("announcements")])
    async def look(request: Handler) -> Response[Any]:
        return await _show(pages, request)

    @post(_PATH, guards=[member_may("announcements", edit=True)])
    async def act(request: Handler) -> Response[Any]:
        form = await read_form(request)
        action = form.raw("action")
        if action in {"end", "withdraw"}:
            return await _end(pages, request, form, action)
        if action not in {"preview", "publish"}:
            return see_other(_PATH)
        try:
            new = _new(request, form)
            if action == "preview":
                return await _show(pages, request, form=form.view(), preview=_preview(new, member_of(request)))
            mails = await _publish(request, new)
        except InvalidRequest as error:
            problem = _problem(error)
            return await _show(pages, request, form=form.view(problem), status=problem.status)
        return see_other(f"{_PATH}?{urlencode({'done': 'publish', 'mails': mails})}")

    return [look, act]


async def _publish(request: Handler, new: NewAnnouncement) -> int:
    """To how many customers it is mailed; none when the form was sent twice."""
    db, slug = runtime_of(request).db, storefront_of(request).slug
    for last in (await flow.list_announcements(db, slug, Window(1, None))).items:
        same = (last.kind, last.title, last.body) == (new.kind, " ".join(new.title.split()), new.body.strip())
        if same and last.withdrawn_at is None and last.created_at > now_us() - 60 * SECOND_US:
            return 0
    told = await flow.announce(db, tenant_slug=slug, new=new, actor=member_of(request).actor)
    return told.mails


async def _end(pages: Pages, request: Handler, form: Form, action: str) -> Response[Any]:
    slug, actor = storefront_of(request).slug, member_of(request).actor
    try:
        await flow.end_announcement(
            runtime_of(request).db,
            tenant_slug=slug,
            announcement_id=form.raw("id")[:80],
            withdraw=action == "withdraw",
            actor=actor,
        )
    except NotFound as error:
        raise NotFound("There is no such announcement.") from error
    except Conflict as error:
        return await _show(pages, request, form=Form({}).view(_problem(error)), status=error.status)
    return see_other(f"{_PATH}?done={action}")


def _new(request: Handler, form: Form) -> NewAnnouncement:
    """What was typed. Raises InvalidForm."""
    kind = form.raw("kind")
    body = form.raw("body").replace("\r\n", "\n")
    if len(body) > flow.MAX_BODY:
        raise InvalidForm({"body": ("form.too_long", {"count": flow.MAX_BODY})})
    new = NewAnnouncement(
        kind=cast("AnnouncementKind", kind if kind in _KINDS else "news"),
        title=form.line("title", flow.MAX_TITLE),
        body=body,
        starts_at=_at(request, form, "starts"),
        ends_at=_at(request, form, "ends"),
        mail=form.ticked("mail"),
    )
    begins = now_us() if new.starts_at is None else new.starts_at
    if new.ends_at is not None and new.ends_at <= max(begins, now_us()):
        raise InvalidForm(
            {"ends": ("{text}", {"text": "It would be over before it begins. Give a later end, or none."})}
        )
    return new


def _at(request: Handler, form: Form, name: str) -> int | None:
    typed = form.line(name, 40, needed=False)
    at = moment_of_field(typed, member_of(request).zone) if typed else None
    if typed and at is None:
        raise InvalidForm({name: ("{text}", {"text": "Write moments like 2026-01-31T12:30."})})
    if at is not None and not abs(at - now_us()) < _YEARS_US:
        raise InvalidForm({name: ("{text}", {"text": "Give a moment within ten years."})})
    return at


async def _show(
    pages: Pages,
    request: Handler,
    *,
    form: FormView | None = None,
    preview: AnnouncementLine | None = None,
    status: int = 200,
) -> Response[Any]:
    member, asked, now = member_of(request), request.query_params, now_us()
    window = Window(_PAGE, asked.get("cursor") or None)
    found = await flow.list_announcements(runtime_of(request).db, storefront_of(request).slug, window)
    done, mails = asked.get("done", ""), asked.get("mails", "")
    view = AnnouncementsView(
        lines=tuple(_line(row, number, member, now) for number, row in enumerate(found.items)),
        zone=member.zone.key,
        older_url=f"{_PATH}?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else "",
        newest=window.cursor is None,
        may_edit=may(member.role, "announcements", edit=True),
        form=form or FormView(),
        preview=preview,
        done=done if done in _DONE else "",
        mails=int(mails) if mails.isascii() and mails.isdigit() and len(mails) < 9 else 0,
    )
    return pages.answer(request, "console/announcements.html", view=view, status=status)


def _preview(new: NewAnnouncement, member: Member) -> AnnouncementLine:
    now = now_us()
    row = Announcement(
        id="preview",
        tenant_id=member.tenant_id,
        kind=new.kind,
        title=" ".join(new.title.split()),
        body=new.body,
        starts_at=now if new.starts_at is None else new.starts_at,
        ends_at=new.ends_at,
        withdrawn_at=None,
        created_at=now,
    )
    return _line(row, 0, member, now)


def _line(row: Announcement, number: int, member: Member, now: int) -> AnnouncementLine:
    return AnnouncementLine(
        id=row.id,
        number=number,
        kind=row.kind,
        title=row.title,
        body=row.body,
        state=_state(row, now),
        starts=local(row.starts_at - row.starts_at % SECOND_US, member.zone),
        ends=None if row.ends_at is None else local(row.ends_at - row.ends_at % SECOND_US, member.zone),
    )


def _state(row: Announcement, now: int) -> str:
    if row.withdrawn_at is not None:
        return "withdrawn"
    if row.ends_at is not None and row.ends_at <= now:
        return "over"
    return "planned" if row.starts_at > now else "current"


def _problem(error: KitError) -> InvalidForm:
    if isinstance(error, InvalidForm):
        return error
    field = getattr(error, "param", None) or ""
    return InvalidForm({field: ("{text}", {"text": error.message})})
