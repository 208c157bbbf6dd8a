"""Dispatches API requests: authenticate, find the handler, and answer every fault in the caller's dialect."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Final

import msgspec

from ...core.errors import (
    AccountRestricted,
    InsufficientCredit,
    KitError,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    UpgradeRequired,
)
from ...core.ids import new_id
from ...core.storefront import Storefront
from ...core.urls import public_url
from ...db.authentication import KeyAccount
from ...db.engine import now_us
from ...flows.authenticate import authenticate
from ...flows.call import Counter
from ...flows.runtime import Runtime
from ...wire import anthropic_messages, openai_chat
from ...wire.errors import error_response
from ...wire.rate_headers import rate_headers
from ...wire.task import PATHS
from ..access import NO_ROUTE, NOTE_KEY
from ..hosts import Headers, Peers, Scope, client_of, named_headers
from ..keys import key_of, refuse_key_in_query
from ..price_feed import feed_of
from ..responses import JSON, WRITER_KEY, Receive, Send, respond
from . import cors, gemini, reads, text_completions
from .body import ClientGone
from .calling import Calling
from .kept import Kept
from .paths import canonical, dialect_of, model_named, names_verb
from .request import Handler, Request, id_headers, send_json

_log = logging.getLogger(__name__)


_MESSAGES_COUNTER: Final = Counter(
    path=lambda _call, _sending: anthropic_messages.COUNT_PATH,
    encode=anthropic_messages.encode_count,
    read=anthropic_messages.read_count,
)


class Gateway:
    """The API of every storefront."""

    def __init__(self, runtime: Runtime, *, port: int, trusted_proxies: Peers) -> None:
        self._runtime = runtime
        self._port = port
        self._trusted = trusted_proxies
        calling, kept = Calling(runtime), Kept(runtime)
        self._read_model: dict[str, Handler] = {"GET": self._model}
        self._ask_model: dict[str, Handler] = {"POST": gemini.handler(calling)}
        self._exact: dict[str, dict[str, Handler]] = {
            "/v1/chat/completions": {"POST": calling.generating(openai_chat.decode)},
            "/v1/completions": {"POST": text_completions.handler(calling)},
            "/v1/responses": {"POST": calling.respond},
            "/v1/responses/input_tokens": {"POST": calling.count_response},
            "/v1/messages": {"POST": calling.generating(anthropic_messages.decode)},
            "/v1/messages/count_tokens": {
                "POST": calling.counting(
                    anthropic_messages.decode_count, _MESSAGES_COUNTER, anthropic_messages.count_body
                )
            },
            **{"/v1" + PATHS[api]: {"POST": handler} for api, handler in calling.tasks().items()},
            "/v1" + PATHS["transcriptions"]: {"POST": calling.transcribe},
            "/v1/models": {"GET": self._models},
            "/v1beta/models": {"GET": self._models},
            "/v1/credits": {"GET": self._credits},
            "/v1/usage": {"GET": self._usage_list},
            "/pricing.json": {"GET": self._prices},
        }
        self._below: dict[str, dict[str, Handler]] = {
            "/v1/models/": self._read_model,
            "/v1beta/models/": self._read_model,
            "/v1/responses/": {"GET": kept.read, "DELETE": kept.remove},
            "/v1/usage/": {"GET": self._usage_record},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send, storefront: Storefront) -> None:
        """Answer one request on a storefront's host."""
        request = _request(scope, receive, send, storefront)
        try:
            if cors.is_preflight(request.method, request.headers):
                await self._permit(request)
                return
            refuse_key_in_query(scope["query_string"])
            handler = self._handler(request)
            if handler is None:
                await self._probe(request)
                return
            found = authenticate(
                self._runtime.keys,
                storefront,
                key_of(request.headers, request.named),
                request.now,
                address=partial(client_of, scope, self._trusted),
            )
            account = await request.note.step.around("authenticate", found)
            met = storefront.as_met_by(account.group_id)
            if met is not storefront:
                request = msgspec.structs.replace(request, storefront=met)
            await handler(request, account)
        except ClientGone:
            return
        except KitError as error:
            await self._refuse(request, error)
        except Exception:  # noqa: BLE001  # the last line: whatever happens is an answer in the caller's dialect
            _log.exception("%s: unexpected failure", request.id)
            await self._refuse(request, ServiceUnavailable("Something went wrong here. Please try again."))

    def _handler(self, request: Request) -> Handler | None:
        """The route's handler; None for a probe. Raises NotFound or MethodNotAllowed."""
        if request.method == "HEAD" or (request.path == "/api/hello" and request.method == "GET"):
            return None
        note = request.note
        if request.path == "/v1/responses" and request.method == "GET" and _wants_socket(request.headers):
            raise UpgradeRequired("Responses are not served over a WebSocket here. Send them with POST.")
        methods, note.route = self._exact.get(request.path), request.path
        if methods is None:
            methods, note.route = self._find_below(request.path)
        if methods is None:
            note.route = NO_ROUTE
            raise NotFound(f"There is nothing at {request.method} {request.path[:200]}.")
        handler = methods.get(request.method)
        if handler is None:
            raise MethodNotAllowed(
                f"{request.method} is not allowed at {request.path[:200]}.", allow=", ".join(sorted(methods))
            )
        return handler

    def _find_below(self, path: str) -> tuple[dict[str, Handler] | None, str]:
        """The methods of a path that ends with a name, and its route."""
        prefix = next((prefix for prefix in self._below if path.startswith(prefix)), "")
        methods = self._below.get(prefix)
        return self._by_model(path) if methods is self._read_model else methods, f"{prefix}{{name}}"

    def _by_model(self, path: str) -> dict[str, Handler]:
        """The methods of a path that names a model. Names may have a colon of their own."""
        if names_verb(path):
            return self._ask_model
        return {**self._read_model, **self._ask_model} if ":" in path else self._read_model

    async def _probe(self, request: Request) -> None:
        """Clients probe a base URL before they use it; a bare yes says that the address is right."""
        head = request.method == "HEAD"
        await respond(request.send, 200, (JSON, *id_headers(request.id, request.dialect)), b"{}", head=head)

    async def _permit(self, request: Request) -> None:
        """Lets a browser send what its page wants to."""
        headers = [*id_headers(request.id, request.dialect), *cors.permission(request.headers)]
        await request.send({"type": "http.response.start", "status": 204, "headers": headers})
        await request.send({"type": "http.response.body", "body": b""})

    async def _models(self, request: Request, account: KeyAccount) -> int:
        return await send_json(request, reads.model_list(request.storefront, account, request.dialect))

    async def _model(self, request: Request, account: KeyAccount) -> int:
        name = request.path.partition("/models/")[2]
        if request.dialect == "gemini":
            name = model_named(name)
        return await send_json(request, reads.model(request.storefront, account, name, request.dialect))

    async def _prices(self, request: Request, _: KeyAccount) -> int:
        return await send_json(request, msgspec.json.encode(feed_of(request.storefront)))

    async def _credits(self, request: Request, account: KeyAccount) -> int:
        return await send_json(request, await reads.balance(self._runtime, account, request.now))

    async def _usage_list(self, request: Request, account: KeyAccount) -> int:
        return await send_json(request, await reads.usage_list(self._runtime, account, request.scope["query_string"]))

    async def _usage_record(self, request: Request, account: KeyAccount) -> int:
        record_id = request.path[len("/v1/usage/") :]
        return await send_json(request, await reads.usage_record(self._runtime, account, record_id))

    async def _refuse(self, request: Request, error: KitError) -> None:
        if isinstance(error, ServiceUnavailable) and error.__cause__ is not None:
            _log.error("%s: %s (%r)", request.id, error.message, error.__cause__)
        if isinstance(error, InsufficientCredit):
            origin = public_url(request.storefront.primary_host, self._runtime.snapshot.public_url, self._port)
            what = "Raise its limit" if error.page == "/account/keys" else "Add credit"
            error.fix = f"{what} at {origin}{error.page}."
        if isinstance(error, AccountRestricted):
            origin = public_url(request.storefront.primary_host, self._runtime.snapshot.public_url, self._port)
            error.fix = f"Read why, and how to appeal, at {origin}{error.page}."
        user_agent = next((value for name, value in request.headers if name == b"user-agent"), b"")
        answer = error_response(error, request.dialect, user_agent=user_agent.decode("latin-1"), request_id=request.id)
        self._runtime.metrics.refusals.labels(request.storefront.slug, error.code).inc()
        request.note.outcome = request.note.outcome or error.code
        headers = answer.headers
        if isinstance(error, RateLimited):
            headers = [*headers, *rate_headers(error.rates, request.dialect, now_us())]
        await respond(
            request.send, answer.status, headers, answer.body, head=request.method == "HEAD", writer=request.writer
        )


def _request(scope: Scope, receive: Receive, send: Send, storefront: Storefront) -> Request:
    """What the gateway knows of a request at its start; its id is noted."""
    headers, named, note = scope["headers"], named_headers(scope), scope[NOTE_KEY]
    path, of_a_page = canonical(scope["path"]), b"origin" in named
    note.request_id = request_id = new_id("req")
    return Request(
        id=request_id,
        scope=scope,
        receive=receive,
        send=cors.readable(send) if of_a_page else send,
        storefront=storefront,
        path=path,
        method=scope["method"],
        headers=headers,
        named=named,
        dialect=dialect_of(path, headers),
        started_ns=time.monotonic_ns(),
        now=now_us(),
        note=note,
        writer=None if of_a_page else scope.get(WRITER_KEY),
    )


def _wants_socket(headers: Headers) -> bool:
    return any(name == b"upgrade" and value.strip().lower() == b"websocket" for name, value in headers)
