"""Sample views of the console's pages of groups. Never shown to anybody."""

from __future__ import annotations

from typing import Final

from .console_groups import GroupLine, GroupPriceLine, GroupsView, GroupView
from .forms import FormProblem, FormView
from .sample_console import page

_MARK: Final = "groups.0123456789abcdef"
_LOST: Final = "Retail lies below wholesale: gpt-5 input 1.30 < 1.375. Raise it, or allow prices below wholesale."
_WRONG: Final = FormView(
    values={"title": "Partners", "markup": "-5%", "requests_per_minute": "many"},
    problems=tuple(
        FormProblem(field=field, key="{text}", values={"text": _LOST})
        for field in ("", "title", "code", "markup", "requests_per_minute", "tokens_per_minute", "concurrent_requests")
    ),
)
_SAVED: Final = FormView(values={"title": "Partners", "markup": "20%", "requests_per_minute": "6000"})
_LINES: Final = (
    GroupLine(
        id="partners",
        title="Partners",
        markup="20%",
        allow_loss=True,
        limits=("6,000 requests a minute", "40 requests at once"),
        customers=12,
    ),
    GroupLine(id="trial", title="On trial", markup="", allow_loss=False, limits=(), customers=0),
)
_PRICE: Final = GroupPriceLine(
    model="gpt-5", label="Input", unit="1M tokens", paid="$1.375", usual="$1.925", retail="$1.65", percent="16.7%"
)
_LOSING: Final = GroupPriceLine(
    model="gpt-5",
    label="Output",
    unit="1M tokens",
    paid="$11.00",
    usual="$15.40",
    retail="$10.45",
    percent="−5.3%",
    tone="bad",
)


def _group(form: FormView, *prices: GroupPriceLine, is_new: bool = False, more: int = 0) -> GroupView:
    return GroupView(
        id="" if is_new else "partners",
        title="" if is_new else "Partners",
        is_new=is_new,
        customers=0 if is_new else 12,
        markup="40%",
        mark=_MARK,
        may_edit=True,
        form=form,
        prices=prices,
        more=more,
        previewed=bool(more),
    )


PAGES: Final = (
    page(
        "/console/customers/groups",
        GroupsView(
            lines=_LINES, left=(("gold", 3),), markup="40%", mark=_MARK, may_edit=True, form=_WRONG, done="withdrawn"
        ),
        template="console/groups.html",
    ),
    page(
        "/console/customers/groups",
        GroupsView(lines=(), left=(), markup="40%", mark=_MARK, may_edit=True),
        template="console/groups.html",
    ),
    page("/console/customers/groups/new", _group(_WRONG, is_new=True), template="console/group.html"),
    page(
        "/console/customers/groups/edit/partners",
        _group(_SAVED, _PRICE, _LOSING, more=4),
        template="console/group.html",
    ),
)
