"""What the identity pages share: showing a form, its failure, and taking the same time whatever was found."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any, Final

from litestar import Response

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity.visit import Identity
from ..pages import Handler, Pages
from ..pages.answer import runtime_of
from ..sessions import keep_form_cookie, open_form

_TICK_SECONDS: Final = 0.4
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


def too_many(error: RateLimited) -> tuple[InvalidForm, int, dict[str, str]]:
    """A refused attempt as a form's problem, with its status and headers."""
    minutes = max(1, math.ceil(error.retry_after_seconds / 60))
    problem = InvalidForm({"": ("form.too_many", {"minutes": minutes})})
    return problem, 429, {"retry-after": str(error.retry_after_seconds)}


async def until_tick(began: float) -> None:
    """Wait for the next full tick since `began`: what was found out meanwhile can't be told from the time it took."""
    passed = time.monotonic() - began
    await asyncio.sleep(math.ceil(passed / _TICK_SECONDS) * _TICK_SECONDS - passed)
