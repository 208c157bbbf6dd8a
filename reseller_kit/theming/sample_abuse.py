"""Sample views of reports of abuse, on the consoles and in the portal. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import msgspec

from .console_abuse import CATEGORIES, ReportLine, ReportsView, ReportView
from .forms import FormProblem, FormView
from .restriction import RestrictionRow, RestrictionView
from .sample_console import page
from .sample_page import SAMPLE_VISITOR, SamplePage
from .sample_platform import platform_page

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_STATES: Final = ("open", "restricted", "appealed", "upheld", "lifted", "dismissed")
_WORDS: Final = ("A report says that calls of yours asked for phishing pages.", "Our terms do not allow that.")
_RESTRICTED: Final = msgspec.structs.replace(SAMPLE_VISITOR, restricted=_WORDS[0])
_WRONG: Final = FormProblem(field="words", key="{text}", values={"text": "It has 1 to 2000 characters."})


def _line(state: str = "open", category: str = "fraud", *, base: str = "/console") -> ReportLine:
    return ReportLine(
        id="rep_1",
        url=f"{base}/abuse/rep_1",
        customer="ada@example.com",
        category=category,
        state=state,
        at=_AT,
        tenant="" if base else "aurora",
    )


def _report(state: str, *moves: str, base: str = "/console", **more: Any) -> ReportView:
    view = ReportView(
        base=base,
        line=_line(state, base=base),
        customer_url="/console/customers/cus_1",
        paragraphs=("Calls that ask for phishing pages, on three days.",),
        request_id="req_1",
        happened=_AT,
        moves=moves,
        words=_WORDS[0],
    )
    return msgspec.structs.replace(view, **more)


_HELD: Final[dict[str, Any]] = {
    "reason": _WORDS,
    "restricted": _AT,
    "until": _AT,
    "appeal": ("That was a test.",),
    "appealed": _AT,
}
_FORM: Final = FormView(values={"words": ""}, problems=(_WRONG,))
_REPORTER: Final = ("bigcloud", "T-1", "eu_0123456789abcdef0123456789abcdef")


def _portal(view: RestrictionView) -> SamplePage:
    return SamplePage(path="/account/restriction", template="account/restriction.html", view=view, visitor=_RESTRICTED)


PAGES: Final = (
    page(
        "/console/abuse",
        ReportsView(
            base="/console",
            rows=tuple(_line(state, category) for state, category in zip(_STATES, CATEGORIES, strict=False)),
            older_url="/console/abuse?cursor=1",
        ),
        template="console/abuse.html",
    ),
    page("/console/abuse", ReportsView(base="/console", state="open", newest=False), template="console/abuse.html"),
    *(
        page("/console/abuse/rep_1", view, template="console/abuse_report.html")
        for view in (
            _report("open", "restrict", "dismiss"),
            _report("open", "restrict", "dismiss", action="restrict", form=_FORM),
            _report("appealed", "uphold", "lift", done="restrict", **_HELD),
            _report("upheld", forced=True, answer=("It stays.",), answered=_AT, **_HELD),
        )
    ),
    platform_page(
        "/abuse",
        "abuse",
        ReportsView(
            base="",
            rows=(_line(base=""),),
            upstreams=("bigcloud", "smallcloud"),
            form=FormView(
                values={"whom": "ada", "upstream": "smallcloud"},
                problems=(FormProblem(field="upstream", key="{text}", values={"text": "There is no such upstream."}),),
            ),
        ),
    ),
    msgspec.structs.replace(
        platform_page(
            "/abuse/rep_1", "abuse", _report("dismissed", "force", base="", reporter=_REPORTER, done="filed")
        ),
        template="console/abuse_report.html",
    ),
    msgspec.structs.replace(
        platform_page(
            "/abuse/rep_1", "abuse", _report("appealed", "force", "withdraw", base="", reporter=_REPORTER, **_HELD)
        ),
        template="console/abuse_report.html",
    ),
    *(
        _portal(view)
        for view in (
            RestrictionView(),
            RestrictionView(
                rows=(
                    RestrictionRow(id="rep_1", state="restricted", since=_AT, until=_AT, reason=_WORDS),
                    RestrictionRow(id="rep_2", state="lifted", since=_AT, reason=_WORDS, answer=("Cleared.",)),
                ),
                sent="rep_1",
                form=FormView(problems=(FormProblem(field="text", key="form.needed"),)),
            ),
            RestrictionView(
                rows=tuple(
                    RestrictionRow(id="rep_1", state=state, since=_AT, reason=_WORDS, appeal=("No.",), answer=("Yes.",))
                    for state in ("appealed", "upheld")
                ),
                done=True,
            ),
        )
    ),
)
"""Lists, reports in their states, and what a restricted customer reads."""
