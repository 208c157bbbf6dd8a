"""Sample views of the console's pages of API tokens. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Final

from .console_tokens import EndpointGroup, EndpointLine, ReferenceView, TokenLine, TokensView
from .forms import FormProblem, FormView
from .sample_console import page

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_SCOPES: Final = ("customers:read", "customers:write", "keys")
_BASE: Final = "https://aurora.example/console/api/v1"


def _token(status: str = "active", **changes: object) -> TokenLine:
    given = {
        "id": f"tok_{status}",
        "name": "CRM",
        "prefix": "sk-admin_AbCdEf",
        "scopes": _SCOPES,
        "by": "ada@a.example",
    }
    return TokenLine(status=status, created=_AT, **{**given, **changes})  # type: ignore[arg-type]


_ENDPOINT: Final = EndpointLine(
    method="POST",
    path="/customers",
    scope="customers:write",
    summary="Make a customer.",
    query=("limit",),
    fields=(("email", "text", True), ("name", "text", False)),
)
_WRONG: Final = FormView(
    values={"name": "CRM"},
    problems=(FormProblem(field="scopes", key="{text}", values={"text": "The token needs a scope."}),),
)

PAGES: Final = (
    page(
        "/console/tokens",
        TokensView(
            lines=(_token(used=_AT, expires=_AT), _token("expired"), _token("revoked", by="")),
            scopes=_SCOPES,
            base=_BASE,
            secret="sk-admin_" + "0" * 36,
            older_url="/console/tokens?cursor=1",
        ),
        template="console/tokens.html",
    ),
    page(
        "/console/tokens",
        TokensView(lines=(), scopes=_SCOPES, base=_BASE, form=_WRONG, chosen=("keys",), done="revoked", newest=False),
        template="console/tokens.html",
    ),
    page(
        "/console/tokens/reference",
        ReferenceView(base=_BASE, rate=600, groups=(EndpointGroup(name="customers", lines=(_ENDPOINT,)),)),
        template="console/api_reference.html",
    ),
)
