"""The page `/account/playground` and what its script asks: chat by the customer's own session, charged as any call.

The script sends a chat request as it would go to the API, with the session's cookie in the place of a key. It is
believed when it comes from our own page: its Origin, and the session's token in a header that no other site can set.
From there on it is the gateway's own path: the same decoding, limits, hold, routes, meter and record.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from litestar import Request, Response, asgi, get
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler

from ...core.errors import AccountSuspended, InsufficientCredit, KitError, MethodNotAllowed, ServiceUnavailable
from ...core.storefront import Storefront
from ...db.engine import now_us
from ...flows.playground import playground_account
from ...flows.runtime import Runtime
from ...theming.account import PlaygroundView
from ...wire import openai_chat
from ...wire.errors import error_response
from ..access import NOTE_KEY
from ..cookies import proves
from ..dispatch import RUNTIME_KEY, STOREFRONT_KEY
from ..forms import FormRefused, check_origin
from ..gateway.body import ClientGone, read_body
from ..gateway.calling import Calling
from ..gateway.request import Request as Call
from ..guards import known
from ..hosts import named_headers
from ..pages import Handler, Pages, storefront_of
from ..responses import REQUEST_ID_KEY, Receive, Send, respond
from ..sessions import Session, required_session, session_of

_log = logging.getLogger(__name__)
ANSWER: Final = "/account/playground/answer"
_CSRF: Final = b"x-csrf-token"
_NEEDED: Final = ("input", "output")


def playground_handlers(pages: Pages) -> list[HTTPRouteHandler | ASGIRouteHandler]:
    """The playground's page, and the answers that it streams."""

    @get("/account/playground", guards=[known])
    async def show(request: Handler) -> Response[Any]:
        session = required_session(request)
        why_not = "suspended" if session.status == "suspended" else "" if session.verified else "unverified"
        view = PlaygroundView(
            models=_chat_models(storefront_of(request)),
            ready=not why_not,
            why_not=why_not,
        )
        return pages.answer(request, "account/playground.html", view=view, noindex=True)

    @asgi(ANSWER, copy_scope=False)
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await _answer(scope, receive, send)

    return [show, answer]


def _chat_models(storefront: Storefront) -> tuple[str, ...]:
    """What takes and gives text."""
    offered = sorted(storefront.models.items())
    return tuple(name for name, each in offered if all(kind in each.retail.price_list.prices for kind in _NEEDED))


async def _answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    runtime: Runtime = scope[RUNTIME_KEY]
    storefront: Storefront = scope[STOREFRONT_KEY]
    call = Call(
        id=scope[REQUEST_ID_KEY],
        scope=scope,
        receive=receive,
        send=send,
        storefront=storefront,
        path=ANSWER,
        method=scope["method"],
        headers=scope["headers"],
        named=named_headers(scope),
        dialect="openai",
        started_ns=time.monotonic_ns(),
        now=now_us(),
        note=scope[NOTE_KEY],
    )
    try:
        await _serve(runtime, call)
    except ClientGone:
        return
    except KitError as error:
        await _refuse(runtime, call, error)
    except Exception:  # noqa: BLE001  # the last line: whatever happens is an answer that the page can show
        _log.exception("%s: unexpected failure", call.id)
        await _refuse(runtime, call, ServiceUnavailable("Something went wrong here. Please try again."))


async def _serve(runtime: Runtime, call: Call) -> int:
    if call.method != "POST":
        raise MethodNotAllowed("Only POST is allowed here.", allow="POST")
    request: Request[Any, Any, Any] = Request(call.scope)  # type: ignore[arg-type]
    session = _believed(request, call)
    account = await playground_account(runtime.db, call.storefront, session.customer_id)
    body = await read_body(call.receive, call.headers, call.named)
    # Headers of the page's request are the browser's own, and say nothing about the call.
    return await Calling(runtime).generate(call, account, openai_chat.decode(body, ()))


def _believed(request: Request[Any, Any, Any], call: Call) -> Session:
    check_origin(request)
    session = session_of(request)
    if session is None:
        raise FormRefused("You are not logged in any more.", fix="Log in again.")
    given = next((value for name, value in call.headers if name == _CSRF), b"")
    if not proves(given.decode("latin-1"), session.csrf):
        raise FormRefused("The page was open for too long.", fix="Load it again.")
    if session.status == "suspended":
        raise AccountSuspended("This account is suspended. Please contact support.")
    return session


async def _refuse(runtime: Runtime, call: Call, error: KitError) -> None:
    if isinstance(error, ServiceUnavailable) and error.__cause__ is not None:
        _log.error("%s: %s (%r)", call.id, error.message, error.__cause__)
    if isinstance(error, InsufficientCredit):
        error.fix = ""
    answer = error_response(error, "openai", request_id=call.id)
    runtime.metrics.refusals.labels(call.storefront.slug, error.code).inc()
    call.note.outcome = call.note.outcome or error.code
    await respond(call.send, answer.status, answer.headers, answer.body)
