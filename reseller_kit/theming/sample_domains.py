"""Sample views of the console's pages of domains. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from .console_domains import DomainLine, DomainLook, DomainPageView, DomainsView, FoundLine, RecordLine
from .forms import FormProblem, FormView
from .sample_console import page
from .sample_page import SamplePage

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_HOST: Final = "chat.aurora.example"
_WRONG: Final = FormView(
    values={"host": "co.uk"},
    problems=(FormProblem(field="host", key="{text}", values={"text": "co.uk is not a domain of yours alone."}),),
)
_PROOF: Final = RecordLine(
    kind="TXT",
    name=f"_storefront-challenge.{_HOST}",
    value="storefront-challenge=6d1f0c83b6c94f2aa5d2f6a2f4f1a9b0",
    found=True,
)
_ELSEWHERE: Final = RecordLine(kind="A", name=_HOST, value="198.51.100.7")


def _line(look: DomainLook = "live", **changes: Any) -> DomainLine:
    return DomainLine(**{"host": _HOST, "role": "storefront", "look": look, "checked": _AT, **changes})


def _one(look: DomainLook, **changes: Any) -> SamplePage:
    given: dict[str, Any] = {
        "line": _line(look),
        "proof": _PROOF,
        "alias": RecordLine(kind="CNAME", name=_HOST, value="edge.stores.example", found=False),
        "addresses": (RecordLine(kind="A", name=_HOST, value="192.0.2.10", found=False),),
        "surplus": (_ELSEWHERE,),
        "found": (
            FoundLine(kind="TXT", name=_PROOF.name, values=(_PROOF.value, "v=spf1 -all")),
            FoundLine(kind="CNAME", name=_HOST, values=()),
            FoundLine(kind="A", name=_HOST, values=("198.51.100.7",)),
            FoundLine(kind="AAAA", name=_HOST, values=None),
        ),
        "proven": True,
        "pointed": False,
        "message": f"Please set these DNS records for {_HOST}:\nTXT   {_PROOF.name}   {_PROOF.value}",
        "may_edit": True,
    }
    return page(f"/console/domains/{_HOST}", DomainPageView(**{**given, **changes}), template="console/domain.html")


PAGES: Final = (
    page(
        "/console/domains",
        DomainsView(
            rows=(
                _line(primary=True),
                _line("claimed", host="aurora.example", role="api", checked=None),
                _line(host="aurora.stores.example", fallback=True, vouched=True),
            ),
            gone=(_line("tombstone", host="old.aurora.example"),),
            may_edit=True,
            done="removed",
        ),
    ),
    page("/console/domains", DomainsView(rows=(_line(vouched=True),), may_edit=True, form=_WRONG)),
    page("/console/domains", DomainsView(rows=(_line("failing"),))),
    _one("claimed", proven=False, expires=_AT, done="added"),
    _one("verified", done="checked", forbidden=True, issuers=("letsencrypt.org",)),
    _one("failing", failing=_AT, ends=_AT, done="checked", proven=None),
    _one("detached", proven=False, ended=_AT, done="checked"),
    _one("live", surplus=(), found=(), pointed=True, done="checked", addresses=()),
    _one("live", surplus=(), pointed=True, secured=_AT),
    _one("live", line=_line(primary=True, vouched=True, url="https://chat.aurora.example"), done="role"),
    _one("tombstone", line=_line("tombstone", vouched=True), may_edit=False),
)
