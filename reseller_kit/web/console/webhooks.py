"""The pages `/console/webhooks`: where a storefront's events go, and the log of what was sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.errors import Conflict, InvalidForm, InvalidRequest
from ...core.hook import EVENTS, EVERY_EVENT
from ...core.hook_address import MAX_URL
from ...core.paging import MAX_LIMIT, Window
from ...flows import hooks
from ...flows.hooks import EndpointTerms
from ...theming.console_webhooks import EventChoice, WebhooksView, WebhookView
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..members import member_of
from ..pages import Handler, Pages
from ..pages.answer import runtime_of, storefront_of
from .guards import member_may
from .webhook_rows import delivery_line, webhook_line

_PATH: Final = "/console/webhooks"
_PAGE: Final = 25
_CHOICES: Final = tuple(EventChoice(name, text) for name, (text, _) in EVENTS.items())
_DONE: Final = frozenset({"saved", "tested", "again", "enabled", "disabled"})
Action = Callable[[Handler, str, Form], Awaitable[str]]


def webhook_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list with the form of a new endpoint, and a page for each."""

    @get(_PATH, guards=[member_may("tokens")])
    async def look(request: Handler) -> Response[Any]:
        return await _list(pages, request)

    @post(_PATH, guards=[member_may("tokens", edit=True)])
    async def add(request: Handler) -> Response[Any]:
        form, runtime = await read_form(request), runtime_of(request)
        slug, actor = storefront_of(request).slug, member_of(request).actor
        try:
            made = await hooks.create_endpoint(runtime.db, runtime.vault, slug, _terms(form), actor=actor)
        except (InvalidRequest, Conflict) as error:
            problem = _problem(error)
            return await _list(pages, request, form=form.view(problem), chosen=_ticked(form), status=problem.status)
        return await _show(pages, request, made.endpoint.id, secret=made.secret)

    @get(_PATH + "/{webhook:str}", guards=[member_may("tokens")])
    async def one(request: Handler, webhook: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, webhook)

    @post(_PATH + "/{webhook:str}", guards=[member_may("tokens", edit=True)])
    async def change(request: Handler, webhook: FromPath[str]) -> Response[Any]:
        form, runtime = await read_form(request), runtime_of(request)
        if form.raw("action") == "rotate":
            slug, actor = storefront_of(request).slug, member_of(request).actor
            made = await hooks.rotate_hook_secret(runtime.db, runtime.vault, slug, webhook, actor=actor)
            return await _show(pages, request, webhook, secret=made.secret, rotated=True)
        action = _ACTIONS.get(form.raw("action"))
        if action is None:
            return see_other(f"{_PATH}/{webhook}")
        try:
            done = await action(request, webhook, form)
        except (InvalidRequest, Conflict) as error:
            problem = _problem(error)
            shown = form.view(problem)
            return await _show(pages, request, webhook, form=shown, chosen=_ticked(form), status=problem.status)
        return see_other(f"{_PATH}?done=removed" if done == "removed" else f"{_PATH}/{webhook}?done={done}")

    return [look, add, one, change]


async def _save(request: Handler, webhook: str, form: Form) -> str:
    slug, actor = storefront_of(request).slug, member_of(request).actor
    await hooks.change_endpoint(runtime_of(request).db, slug, webhook, _terms(form), actor=actor)
    return "saved"


async def _test(request: Handler, webhook: str, _: Form) -> str:
    slug, actor = storefront_of(request).slug, member_of(request).actor
    await hooks.send_test(runtime_of(request).db, slug, webhook, actor=actor)
    return "tested"


async def _again(request: Handler, webhook: str, form: Form) -> str:
    slug, actor = storefront_of(request).slug, member_of(request).actor
    await hooks.redeliver(runtime_of(request).db, slug, webhook, form.raw("delivery")[:80], actor=actor)
    return "again"


async def _switch(request: Handler, webhook: str, *, enabled: bool) -> str:
    slug, actor = storefront_of(request).slug, member_of(request).actor
    await hooks.switch_endpoint(runtime_of(request).db, slug, webhook, enabled=enabled, actor=actor)
    return "enabled" if enabled else "disabled"


async def _enable(request: Handler, webhook: str, _: Form) -> str:
    return await _switch(request, webhook, enabled=True)


async def _disable(request: Handler, webhook: str, _: Form) -> str:
    return await _switch(request, webhook, enabled=False)


async def _remove(request: Handler, webhook: str, _: Form) -> str:
    slug, actor = storefront_of(request).slug, member_of(request).actor
    await hooks.remove_endpoint(runtime_of(request).db, slug, webhook, actor=actor)
    return "removed"


_ACTIONS: Final[Mapping[str, Action]] = {
    "save": _save,
    "test": _test,
    "again": _again,
    "enable": _enable,
    "disable": _disable,
    "remove": _remove,
}
"""What the page's forms name in their field `action`, beside `rotate`."""


def _terms(form: Form) -> EndpointTerms:
    description = form.line("description", hooks.MAX_DESCRIPTION, needed=False)
    return EndpointTerms(url=form.line("url", MAX_URL), description=description, events=_ticked(form))


def _ticked(form: Form) -> tuple[str, ...]:
    """The events that were ticked; "every event" stands for all."""
    if form.ticked("every"):
        return (EVERY_EVENT,)
    return tuple(form.fields.get("events", ())[: len(EVENTS)])


def _problem(error: InvalidRequest | Conflict) -> InvalidForm:
    if isinstance(error, InvalidForm):
        return error
    param = (error.param or "") if isinstance(error, InvalidRequest) else ""
    text = error.message if param == "events" else f"{error.message} {error.fix}".strip()
    return InvalidForm({param: ("{text}", {"text": text})})


async def _list(
    pages: Pages,
    request: Handler,
    *,
    form: FormView | None = None,
    chosen: tuple[str, ...] = (EVERY_EVENT,),
    status: int = 200,
) -> Response[Any]:
    zone, done = member_of(request).zone, request.query_params.get("done", "")
    found = await hooks.list_endpoints(runtime_of(request).db, storefront_of(request).slug, Window(MAX_LIMIT, None))
    view = WebhooksView(
        lines=tuple(webhook_line(row, zone) for row in found.items),
        choices=_CHOICES,
        most=hooks.MAX_ENDPOINTS,
        form=form or FormView(),
        chosen=chosen,
        done=done if done == "removed" else "",
    )
    return pages.answer(request, "console/webhooks.html", view=view, status=status)


async def _show(
    pages: Pages,
    request: Handler,
    webhook: str,
    *,
    form: FormView | None = None,
    chosen: tuple[str, ...] | None = None,
    secret: str = "",
    rotated: bool = False,
    status: int = 200,
) -> Response[Any]:
    db, slug, zone = runtime_of(request).db, storefront_of(request).slug, member_of(request).zone
    row = await hooks.show_endpoint(db, slug, webhook)
    reading = request.method != "POST"
    window = Window(_PAGE, (request.query_params.get("cursor") or None) if reading else None)
    found = await hooks.list_deliveries(db, slug, webhook, window)
    done = request.query_params.get("done", "")
    stored = FormView(values={"url": row.url, "description": row.description})
    saving = form is not None and "url" in form.values
    view = WebhookView(
        line=webhook_line(row, zone),
        choices=_CHOICES,
        deliveries=tuple(delivery_line(one, zone) for one in found.items),
        form=form if form is not None and saving else _with_problems(stored, form),
        chosen=chosen if saving and chosen is not None else row.events,
        secret=secret,
        rotated=rotated,
        done=done if done in _DONE and reading else "",
        older_url=f"{_PATH}/{row.id}?cursor={found.next_cursor}" if found.next_cursor else "",
        newest=window.cursor is None,
    )
    return pages.answer(request, "console/webhook.html", view=view, status=status)


def _with_problems(stored: FormView, form: FormView | None) -> FormView:
    """What is stored, and what was wrong with another form of the page."""
    return stored if form is None else FormView(values=stored.values, problems=form.problems)
