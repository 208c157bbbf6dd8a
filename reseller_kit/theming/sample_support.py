"""Sample views of contact, support, announcements and legal pages. Never shown to customers."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from .forms import FormProblem, FormView
from .legal import DOCUMENTS, LegalText, LegalVersion, LegalView
from .sample_page import SAMPLE_VISITOR, SamplePage
from .status import DayRow, StatusView
from .support import (
    AnnouncementRow,
    AnnouncementsView,
    CaseRow,
    CaseView,
    ContactView,
    MessageRow,
    SupportView,
    UnsubscribeView,
)

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_CASE: Final = CaseRow(
    id="case_01KKAH8DZG0000000000000598",
    subject="A charge I don't understand",
    state="answered",
    opened=_AT,
    changed=_AT,
)
ANNOUNCEMENTS: Final = (
    AnnouncementRow(
        id="ann_01KKAH8DZG0000000000000598",
        kind="maintenance",
        title="Short maintenance on Sunday",
        body="Calls may take longer **for some minutes**.",
        starts=_AT,
        ends=_AT + dt.timedelta(hours=1),
        current=True,
    ),
    AnnouncementRow(id="ann_01KKAH8D080000000000000597", kind="incident", title="Slow answers", body="", starts=_AT),
)
_WRONG: Final = FormView(
    values={"subject": "Hello", "about": "req_1"}, problems=(FormProblem(field="body", key="form.needed", values={}),)
)


def _legal(document: str, **changes: Any) -> LegalView:
    text = LegalText(document=document, lang="en", version="0c1f29ab0c1f29ab", body="## What it says\n\nA sentence.")
    versions = (LegalVersion(version="0c1f29ab0c1f29ab", since=_AT.date()), LegalVersion(version="1", since=_AT.date()))
    return LegalView(text=text, since=_AT.date(), versions=versions, **changes)


_PAST: Final = StatusView(
    {
        "gpt-5-mini": tuple(
            DayRow(dt.date(2026, 1, 3) + dt.timedelta(days=day), 40 * (day % 5), 0 if day % 7 else 20 * (day % 5))
            for day in range(30)
        )
    }
)
PAGES: Final = (
    SamplePage(path="/status", template="storefront/status.html", view=_PAST),
    SamplePage(path="/contact", template="storefront/contact.html", view=ContactView()),
    SamplePage(
        path="/contact",
        template="storefront/contact.html",
        view=ContactView(form=_WRONG, known=True),
        visitor=SAMPLE_VISITOR,
    ),
    SamplePage(
        path="/contact",
        template="storefront/contact.html",
        view=ContactView(sent=True, known=True, email="jane@example.com", about=_CASE.id),
        visitor=SAMPLE_VISITOR,
    ),
    SamplePage(
        path="/announcements", template="storefront/announcements.html", view=AnnouncementsView(rows=ANNOUNCEMENTS)
    ),
    SamplePage(path="/announcements", template="storefront/announcements.html", view=AnnouncementsView()),
    *(
        SamplePage(path="/unsubscribe", template="storefront/unsubscribe.html", view=view)
        for view in (
            *(UnsubscribeView(state=state) for state in ("ask", "done", "unknown")),
            *(UnsubscribeView(state=state, kind="credit") for state in ("ask", "done")),
        )
    ),
    SamplePage(path="/account/support", template="account/support.html", view=SupportView(), visitor=SAMPLE_VISITOR),
    SamplePage(
        path="/account/support",
        template="account/support.html",
        view=SupportView(rows=(_CASE,), older="/account/support?cursor=x"),
        visitor=SAMPLE_VISITOR,
    ),
    SamplePage(
        path=f"/account/support/{_CASE.id}",
        template="account/case.html",
        view=CaseView(
            case=_CASE,
            about="req_01KKAH8DZG0000000000000598",
            about_url="/account/usage/req_01KKAH8DZG0000000000000598",
            messages=(
                MessageRow(author="customer", at=_AT, paragraphs=("What is this call?", "I did not make it.")),
                MessageRow(author="team", at=_AT, paragraphs=("It came from your key Production.",)),
            ),
            form=_WRONG,
        ),
        visitor=SAMPLE_VISITOR,
    ),
    *(
        SamplePage(path=f"/legal/{document.replace('_', '-')}", template="storefront/legal.html", view=_legal(document))
        for document in DOCUMENTS
    ),
    SamplePage(path="/legal/terms", template="storefront/legal.html", view=_legal("terms", earlier=True)),
)
_MAILED: Final = {"case": _CASE.id, "subject": _CASE.subject, "about": "req_01KKAH8DZG0000000000000598"}
_TEAM: Final = {
    **_MAILED,
    "tenant_origin": "https://aurora.example",
    "storefront": "Aurora AI",
    "from": "jane@example.com",
    "body": "Hello?",
}
MAILS: Final = {
    "announcement": {
        "title": "Short maintenance on Sunday",
        "body": "Calls may take longer.",
        "unsubscribe_url": "https://aurora.example/unsubscribe?customer=cus_1&token=0",
    },
    "case_answered": {**_MAILED, "body": "It came from your key.\n\nSee its page.", "known": "yes"},
    "case_opened": _TEAM,
    "case_replied": _TEAM,
}
