"""The pages `/models`, `/models/compare`, `/models/{name}` and `/pricing`, and prices as JSON. Changes nothing."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...theming.forms import FormProblem, FormView
from ...theming.models import (
    CONTEXTS,
    MOST_COMPARED,
    PRICES,
    SORTS,
    Calculation,
    CalculatorView,
    ComparisonView,
    ModelSearch,
    ModelView,
    calculator_form,
)
from ...theming.page import MODALITIES
from ..model_rows import models_of
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import SECURITY_HEADERS
from ..price_feed import feed_of
from ..sessions import session_of

_MAX_WORDS: Final = 100
_MAX_ASKED: Final = 40
_BOUNDS: Final = {
    "chats": (1, 1_000_000_000),
    "input": (0, 10_000_000),
    "output": (0, 10_000_000),
    "cached": (0, 100),
}
"""Field of the calculator → least and most; the dearest price times all of them stays within what pages can show."""
_MAX_DIGITS: Final = 12
_FEED_HEADERS: Final = {
    **SECURITY_HEADERS,
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "public, max-age=60",
    "vary": "cookie",
}
_OWN_FEED_HEADERS: Final = {**SECURITY_HEADERS, "cache-control": "no-store"}
"""Of somebody's own prices, which are nobody else's to read or to keep."""


def model_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """What anybody may know of models and prices."""

    @get("/models")
    async def search(request: Handler) -> Response[Any]:
        return pages.answer(request, "storefront/models.html", view=_search(request))

    @get("/models/compare")
    async def compare(request: Handler) -> Response[Any]:
        view = _comparison(request)
        return pages.answer(request, "storefront/compare.html", view=view, noindex=True)

    @get("/models/{path:path}")
    async def show(request: Handler, path: FromPath[str]) -> Response[Any]:
        name = path.lstrip("/")
        model = next((row for row in models_of(storefront_of(request)) if row.name == name), None)
        if model is None:
            raise NotFoundException
        return pages.answer(request, "storefront/model.html", view=ModelView(model=model))

    @get("/pricing")
    async def calculate(request: Handler) -> Response[Any]:
        view = _calculator(request)
        status = 422 if view.form.problems else 200
        return pages.answer(request, "storefront/pricing.html", view=view, status=status)

    @get("/pricing.json")
    async def feed(request: Handler) -> Response[Any]:
        body = msgspec.json.encode(feed_of(storefront_of(request)))
        headers = _FEED_HEADERS if session_of(request) is None else _OWN_FEED_HEADERS
        return Response(body, media_type="application/json", headers=headers)

    return [search, compare, show, calculate, feed]


def _search(request: Handler) -> ModelSearch:
    """What was asked for; what is no choice of the page asks for nothing."""
    asked = request.query_params
    context, price, sort = asked.get("context", ""), asked.get("price", ""), asked.get("sort", "")
    modality = asked.get("modality", "")
    return ModelSearch(
        words=asked.get("q", "").strip()[:_MAX_WORDS],
        family=asked.get("family", "")[:_MAX_WORDS],
        modality=modality if modality in MODALITIES else "",
        context=next((choice for choice in CONTEXTS if str(choice) == context), 0),
        price=price if price in PRICES else "",
        sort=sort if sort in SORTS else SORTS[0],
    )


def _comparison(request: Handler) -> ComparisonView:
    asked = list(dict.fromkeys(request.query_params.getall("m", [])))[:_MAX_ASKED]
    offered = {model.name: model for model in models_of(storefront_of(request))}
    found = [offered[name] for name in asked if name in offered][:MOST_COMPARED]
    return ComparisonView(models=tuple(found), left_out=len(asked) - len(found))


def _calculator(request: Handler) -> CalculatorView:
    """What was filled in; a field that was not given has its usual value."""
    values = {**calculator_form(Calculation()).values}
    values |= {name: request.query_params[name][:_MAX_WORDS] for name in values if name in request.query_params}
    problems = tuple(
        FormProblem(field=name, key="calculator.whole", values={"least": least, "most": most})
        for name, (least, most) in _BOUNDS.items()
        if not least <= _whole(values[name]) <= most
    )
    form = FormView(values=values, problems=problems)
    size = None if problems else Calculation(**{name: _whole(text) for name, text in values.items()})
    return CalculatorView(form=form, size=size)


def _whole(text: str) -> int:
    """A whole number as people write it, with or without separators; -1 for anything else."""
    digits = text.strip().replace(",", "").replace(" ", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS else -1
