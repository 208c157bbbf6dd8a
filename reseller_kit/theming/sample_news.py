"""Sample views of the console's announcements and vouchers. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec.structs import replace

from .console_news import (
    AnnouncementLine,
    AnnouncementsView,
    BatchLine,
    BatchView,
    CodesView,
    VoucherLine,
    VouchersView,
)
from .forms import FormProblem, FormView
from .sample_console import page

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_LINE: Final = AnnouncementLine(
    id="ann_1",
    number=0,
    kind="maintenance",
    title="Maintenance on Sunday",
    body="We are **away** from 2 to 3 in the morning.",
    state="current",
    starts=_AT,
    ends=_AT + dt.timedelta(days=2),
)
_LINES: Final = (
    replace(_LINE, number=0, kind="news", state="planned", title="Two new models", ends=None),
    replace(_LINE, number=1),
    replace(_LINE, number=2, kind="incident", state="over", title="Slow answers", body=""),
    replace(_LINE, number=3, kind="news", state="withdrawn", title="A typo"),
)
_BATCH: Final = BatchLine(
    name="spring-fair", query="name=spring-fair", count=50, open=37, redeemed=13, amount=5_000_000_000, made=_AT
)
_TERMS: Final = replace(_BATCH, expires=_AT, valid_days=90, max_redemptions=3)
_WRONG: Final = FormView(
    values={"amount": "12,5", "title": ""},
    problems=(FormProblem(field="amount", key="{text}", values={"text": "Not an amount."}),),
)
_UNTOLD: Final = FormView(values={"title": ""}, problems=(FormProblem(field="title", key="form.needed"),))


def _voucher(status: str) -> VoucherLine:
    return VoucherLine(id=f"vch_{status}", prefix="K7QM", status=status, redeemed=1, max_redemptions=3)


PAGES: Final = (
    page(
        "/console/announcements",
        AnnouncementsView(
            lines=_LINES, may_edit=True, older_url="/console/announcements?cursor=1", done="publish", mails=12
        ),
        template="console/announcements.html",
    ),
    page("/console/announcements", AnnouncementsView(newest=False), template="console/announcements.html"),
    page(
        "/console/announcements",
        AnnouncementsView(may_edit=True, form=_UNTOLD, preview=_LINE),
        template="console/announcements.html",
    ),
    page(
        "/console/vouchers",
        VouchersView(
            lines=(_BATCH, replace(_BATCH, name="friends", open=0)),
            older_url="/console/vouchers?cursor=1",
            may_edit=True,
            most=1000,
        ),
        template="console/vouchers.html",
    ),
    page("/console/vouchers", VouchersView(may_edit=True, form=_WRONG), template="console/vouchers.html"),
    page(
        "/console/vouchers",
        CodesView(batch=_BATCH, codes=("K7QM-2XVT-9WLD", "P3HN-8RCY-4ZKE")),
        template="console/voucher_codes.html",
    ),
    page(
        "/console/vouchers/batch",
        BatchView(
            batch=_TERMS,
            lines=tuple(_voucher(status) for status in ("active", "used", "expired", "revoked")),
            models=("gpt-*",),
            older_url="/console/vouchers/batch?name=spring-fair&cursor=1",
            may_edit=True,
            done="revoke",
        ),
        template="console/voucher_batch.html",
    ),
)
