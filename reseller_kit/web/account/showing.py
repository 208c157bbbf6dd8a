"""What the identity pages share: showing a form, and what its flows work with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Response

from ...flows.identity.visit import Identity
from ..pages import Handler, Pages
from ..pages.answer import runtime_of
from ..sessions import keep_form_cookie, open_form

_PRIVATE: Final = {"referrer-policy": "same-origin"}
"""Addresses of these pages may hold tokens; other sites hear nothing of them."""


def show(
    pages: Pages,
    request: Handler,
    template: str,
    view: Any,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[Any]:
    """A page with a form, for whoever asks."""
    open_form(request)
    answer = pages.answer(
        request, template, view=view, status=status, headers={**_PRIVATE, **(headers or {})}, noindex=True
    )
    keep_form_cookie(request, answer)
    return answer


def identity_of(request: Handler) -> Identity:
    """What identity's flows work with."""
    return runtime_of(request).identity
