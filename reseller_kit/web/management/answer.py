"""Answers one request to the management API: token, scope, rate, body, the endpoint's handler, and errors as JSON.

Raw ASGI, outside of sessions: what a browser sends along by itself counts for nothing here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from ...core.apitoken import is_covered
from ...core.errors import (
    Archived,
    InvalidManifest,
    InvalidRequest,
    KitError,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    Unauthenticated,
)
from ...core.ids import new_id
from ...core.limits import Limit
from ...core.storefront import Storefront
from ...core.times import SECOND_US
from ...db.api_tokens import ApiToken
from ...flows.api_tokens import recognise_token
from ...flows.once import MAX_KEY, Answered, once
from ...flows.patience import limited_wait
from ...flows.provision.edit import problems_of
from ...flows.runtime import Runtime
from ...telemetry.access import Note
from ..access import NOTE_KEY
from ..gateway.body import ClientGone, read_body
from ..hosts import named_headers
from ..responses import JSON, NO_STORE, Header, Receive, Send, respond
from .endpoint import Call, Endpoint
from .openapi import openapi
from .table import find

_log = logging.getLogger(__name__)
BASE: Final = "/console/api/v1"
_MAX_BODY: Final = 256 * 1024
REQUESTS_A_MINUTE: Final = 600
_NUL: Final = rb"\u0000"
"""As JSON writes it: no database keeps it."""
_SERVER_FAULT: Final = 500
_OPERATORS_OWN: Final = ("reseller-kit", "--", "tenants.toml")
"""What advice for the operator is told by: it is none for a reseller."""


class NotInScope(KitError):
    """The token works, but not for this."""

    code = "not_permitted"
    status = 403


class _Asked(Struct, frozen=True, kw_only=True):
    """A request as it came."""

    runtime: Runtime
    storefront: Storefront
    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    note: Note


def is_management(path: str) -> bool:
    """Whether a path is the management API's."""
    return path == BASE or path.startswith(f"{BASE}/")


async def answer(
    runtime: Runtime, storefront: Storefront, scope: dict[str, Any], receive: Receive, send: Send, *, port: int
) -> None:
    """Answer one request."""
    request_id, extra = new_id("req"), tuple[Header, ...]()
    try:
        body = await read_body(receive, scope["headers"], named_headers(scope), _MAX_BODY)
        asked = _asked(runtime, storefront, scope, body, request_id)
        found = await _answered(asked, port)
    except ClientGone:
        return
    except KitError as error:
        found, extra = _refused(error), _extra(error)
    except Exception as fault:  # noqa: BLE001  # the last line: the log says what it was, under the id that is answered
        _log.error("%s: the management API failed", request_id, exc_info=fault)
        found = _refused(ServiceUnavailable("Something went wrong here. Please try again."))
    if found.repeated:
        extra = (*extra, (b"idempotent-replayed", b"true"))
    headers = (JSON, NO_STORE, (b"x-request-id", request_id.encode()), *extra)
    await respond(send, found.status, headers, found.body, head=scope["method"] == "HEAD")


def _asked(runtime: Runtime, storefront: Storefront, scope: dict[str, Any], body: bytes, request_id: str) -> _Asked:
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        if name in headers and name in {"authorization", "idempotency-key"}:
            raise InvalidRequest(f"There is more than one header {name}.", fix="Send one.")
        headers[name] = value.decode("latin-1")
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    path = scope["path"].removeprefix(BASE).rstrip("/") or "/"
    return _Asked(
        runtime=runtime,
        storefront=storefront,
        method=method,
        path=path,
        query=scope["query_string"],
        headers=headers,
        body=body,
        request_id=request_id,
        note=scope[NOTE_KEY],
    )


async def _answered(asked: _Asked, port: int) -> Answered:
    if asked.storefront.status == "archived":
        raise Archived("This storefront is closed for good.")
    token = await _token(asked)
    await _make_room(asked, token)
    if asked.path == "/openapi.json" and asked.method == "GET":
        # It tells of what a team pays, which customers of its storefront need not know of.
        asked.note.route = f"{BASE}/openapi.json"
        return Answered(200, msgspec.json.encode(openapi(asked.storefront.name, BASE)))
    endpoint, values = _endpoint(asked)
    if not is_covered(endpoint.scope, token.scopes):
        raise NotInScope(f"The token has not the scope {endpoint.scope}.", fix="Make a token with this scope.")
    key = _key(asked) if endpoint.method == "POST" else None
    call = Call(
        runtime=asked.runtime,
        storefront=asked.storefront,
        token=token,
        path=values,
        query=_query(asked, endpoint),
        body=_body(asked, endpoint),
        port=port,
        once=None if key is None else f"{token.id}:{key}",
    )
    if key is None:
        return await _carried_out(endpoint, call, asked)
    sent = b"\0".join((asked.method.encode(), asked.path.encode(), asked.query, asked.body))
    return await once(call.db, call.vault, token, key, sent, lambda: _carried_out(endpoint, call, asked))


async def _carried_out(endpoint: Endpoint, call: Call, asked: _Asked) -> Answered:
    """What the endpoint answers; a refusal is an answer, too."""
    try:
        document = await endpoint.handle(call)
    except KitError as error:
        if error.status >= _SERVER_FAULT and not isinstance(error, ServiceUnavailable):
            _log.error("%s: the management API failed", asked.request_id, exc_info=error)
        return _refused(error)
    return Answered(endpoint.status, msgspec.json.encode(document))


async def _token(asked: _Asked) -> ApiToken:
    scheme, _, secret = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("There is no token.", fix="Send one as Authorization: Bearer TOKEN.")
    async with limited_wait():
        return await recognise_token(asked.runtime.db, asked.runtime.vault, asked.storefront.tenant_id, secret.strip())


async def _make_room(asked: _Asked, token: ApiToken) -> None:
    limit = Limit("token", "requests", token.id, REQUESTS_A_MINUTE)
    taken = await asked.runtime.limiter.take([limit])
    if taken.room.refused is not None:
        seconds = max(1, -(-taken.room.wait // SECOND_US))
        raise RateLimited(
            f"A token may ask {REQUESTS_A_MINUTE} times a minute.",
            retry_after_seconds=seconds,
            fix=f"Wait for {seconds} seconds.",
        )
    asked.runtime.limiter.end(taken, 0)


def _endpoint(asked: _Asked) -> tuple[Endpoint, dict[str, str]]:
    found = find(asked.path) if asked.path.isprintable() else None
    if found is None:
        raise NotFound("There is no such path.", fix=f"{BASE}/openapi.json lists them all.")
    asked.note.route = BASE + next(iter(found.by_method.values())).path
    endpoint = found.by_method.get(asked.method)
    if endpoint is None:
        allow = ", ".join(sorted(found.by_method))
        raise MethodNotAllowed(f"This path takes {allow}.", allow=allow)
    return endpoint, found.values


def _key(asked: _Asked) -> str | None:
    key = asked.headers.get("idempotency-key")
    if key is None:
        return None
    if not (key.strip() and key.isascii() and key.isprintable() and len(key) <= MAX_KEY):
        raise InvalidRequest(
            "The idempotency key can't be taken.",
            param="idempotency-key",
            fix=f"Send up to {MAX_KEY} printable ASCII characters.",
        )
    return key


def _query(asked: _Asked, endpoint: Endpoint) -> dict[str, str]:
    try:
        pairs = parse_qsl(asked.query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise InvalidRequest("The query can't be read.", fix="Encode it as UTF-8 in percent signs.") from None
    query: dict[str, str] = {}
    for name, value in pairs:
        if name not in endpoint.query or name in query:
            known = ", ".join(endpoint.query) or "nothing"
            raise InvalidRequest(f"{name[:40]!r} can't be asked.", param=name[:40], fix=f"Ask once each: {known}.")
        if not value.isprintable():
            raise InvalidRequest(f"{name} holds what can't be shown.", param=name, fix="Send plain text.")
        query[name] = value
    return query


def _body(asked: _Asked, endpoint: Endpoint) -> Any:
    if endpoint.body is None:
        return None
    if _NUL in asked.body:
        raise InvalidRequest("The body holds a character that no text has.", fix="Leave out NUL.")
    try:
        body = msgspec.json.decode(asked.body or b"{}", type=endpoint.body)
        json.loads(asked.body or b"{}", object_pairs_hook=_refuse_twice)
        return body
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The body does not fit: {error}.", fix=f"See {BASE}/openapi.json.") from None
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise InvalidRequest("The body is no JSON.", fix="Send one JSON object.") from None


def _refuse_twice(members: list[tuple[str, object]]) -> None:
    """Of a key that stands twice in an object one value would be lost, and it might be the one that was meant."""
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            fix = "Send each key once."
            raise InvalidRequest(f"The key {name[:80]!r} appears more than once.", param=name[:200], fix=fix)
        seen.add(name)


def _refused(error: KitError) -> Answered:
    """An error in the form of every JSON document of ours."""
    if error.status >= _SERVER_FAULT and not isinstance(error, ServiceUnavailable):
        error = ServiceUnavailable("Something went wrong here. Please try again.")
    message, fix, details = error.message, error.fix, list(error.details)
    if isinstance(error, InvalidManifest):
        found = problems_of(error.details)
        details = [{"field": path, "message": text} for path, text in found.items()]
        message, fix = "This can't be taken.", "Correct what the details name."
    elif isinstance(error, InvalidRequest) and error.param:
        details.append({"field": error.param, "message": message})
    if any(word in fix for word in _OPERATORS_OWN):
        fix = ""
    code = "invalid_token" if isinstance(error, Unauthenticated) else error.code
    document = {"error": {"code": code, "message": message, "fix": fix, "details": details}}
    return Answered(error.status, msgspec.json.encode(document))


def _extra(error: KitError) -> tuple[Header, ...]:
    if isinstance(error, MethodNotAllowed):
        return ((b"allow", error.allow.encode()),)
    if isinstance(error, Unauthenticated):
        return ((b"www-authenticate", b"Bearer"),)
    if isinstance(error, RateLimited):
        return ((b"retry-after", b"%d" % error.retry_after_seconds),)
    return ()
