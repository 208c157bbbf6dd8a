"""Which part of the emulator answers a request, whose key is good, and what the journal notes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from scripts._emulator import answers, anthropic, chat, exchange, gemini, media, responses, texts
from scripts._emulator.directives import BadRequest
from scripts._emulator.exchange import Options, Plan, Refused, Request, World
from scripts._emulator.heads import Dialect
from scripts._emulator.journal import Line, clock, now

_ABOUT: Final = (
    b"This is an emulator of the APIs of OpenAI, Anthropic and Google's Gemini for demonstrations and tests.\n"
    b"It answers on loopback, knows nothing and costs nothing. See scripts/emulator --help.\n"
)
_SECRETS: Final = ("auth", "key", "cookie", "token", "secret")
Handler = Callable[[Request, str, Line, World], Plan]
_OPENAI: Final[dict[str, Handler]] = {
    "/v1/chat/completions": chat.handle,
    "/v1/completions": texts.completions,
    "/v1/embeddings": texts.embeddings,
    "/v1/moderations": texts.moderations,
    "/v1/rerank": texts.rerank,
    "/v1/images/generations": media.images,
    "/v1/audio/speech": media.speech,
    "/v1/audio/transcriptions": media.transcriptions,
}


def plan(request: Request, world: World) -> Plan:
    """What is answered to a request; never raises."""
    started = clock()
    url = urlsplit(request.target)
    path = unquote(url.path)
    query = dict(parse_qsl(url.query))
    line = _line(request, path, query, world.options)
    try:
        found = _route(request, path, query, line, world)
    except Refused as error:
        found = exchange.refused(line, error)
    except BadRequest as error:
        param = error.param if line.dialect in ("openai", "responses") else None
        found = exchange.refusal(line, 400, str(error), param=param)
    found.started = started
    return found


def _route(request: Request, path: str, query: dict[str, str], line: Line, world: World) -> Plan:
    if path in ("/", "/healthz"):
        return exchange.document(line, _ABOUT, "text/plain; charset=utf-8")
    if path == "/journal":
        return exchange.document(line, world.journal.select(query), "application/x-ndjson")
    if not line.key or (world.options.api_keys and _key(request, query, line.dialect) not in world.options.api_keys):
        raise _unknown_key(line)
    world = _of_key(request, query, line, world)
    if line.dialect == "anthropic":
        return anthropic.handle(request, path, line, world)
    if line.dialect == "gemini":
        return gemini.handle(request, path, line, world)
    if line.dialect == "responses":
        return responses.handle(request, path, line, world)
    if path in _OPENAI:
        return _OPENAI[path](request, path, line, world)
    if request.method == "GET" and (path == "/v1/models" or path.startswith("/v1/models/")):
        return _models(path, line, world)
    raise Refused(404, f"Invalid URL ({request.method} {path})")


def _of_key(request: Request, query: dict[str, str], line: Line, world: World) -> World:
    """The world as it is for the request's key. Raises Refused for what a key may not even look at."""
    own = world.options.by_key.get(_key(request, query, line.dialect))
    if own is None:
        return world
    if request.method == "GET" and own.status is not None:
        raise Refused(own.status, own.message, own.code)
    return replace(world, options=replace(world.options, always=own))


def _models(path: str, line: Line, world: World) -> Plan:
    names = world.options.models or answers.DEFAULT_MODELS
    wanted = path.removeprefix("/v1/models").strip("/")
    if not wanted:
        return exchange.document(line, answers.models(names))
    if wanted not in names:
        raise exchange.UnknownModel(wanted)
    return exchange.json_document(line, answers.model_object(wanted))


def _dialect(request: Request, path: str) -> Dialect:
    """Whose API a request is for, by its path and, where two share one, by what only one of them has."""
    lists_models = path == "/v1/models" or path.startswith("/v1/models/")
    if path.startswith("/v1/messages") or (lists_models and "anthropic-version" in request.headers):
        return "anthropic"
    googles = "x-goog-api-key" in request.headers or ":" in path.rpartition("/")[2]
    if path.startswith("/v1beta/") or (lists_models and googles):
        return "gemini"
    return "responses" if path == "/v1/responses" or path.startswith("/v1/responses/") else "openai"


def _key(request: Request, query: dict[str, str], dialect: str) -> str:
    """The key where this dialect's service looks for it."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if dialect == "anthropic":
        return request.headers.get("x-api-key", "") or bearer
    if dialect == "gemini":
        return request.headers.get("x-goog-api-key", "") or query.get("key", "") or bearer
    return bearer


def _unknown_key(line: Line) -> Refused:
    if line.dialect != "gemini":
        return Refused(401)
    if line.key:
        return Refused(400, "API key not valid. Please pass a valid API key.", param="API_KEY_INVALID")
    return Refused(403, "Method doesn't allow unregistered callers. Please use API Key or other form of identity.")


def _line(request: Request, path: str, query: dict[str, str], options: Options) -> Line:
    kept: dict[str, Any] = {
        name: value
        for name, value in request.headers.items()
        if name == "idempotency-key" or not any(word in name for word in _SECRETS)
    }
    dialect = _dialect(request, path)
    key = _key(request, query, dialect)
    small = len(request.body) <= options.keep_bytes
    return Line(
        time=now(),
        name=options.name,
        request_id=answers.new_id("req_", 32),
        client_request_id=request.headers.get("x-client-request-id", ""),
        method=request.method,
        path=path,
        headers=kept,
        key="sha256:" + hashlib.sha256(key.encode()).hexdigest()[:12] if key else "",
        dialect=dialect,
        query=urlencode({name: value for name, value in query.items() if name != "key"}),
        body_bytes=len(request.body),
        body_sha256=hashlib.sha256(request.body).hexdigest() if request.body else "",
        body=request.body.decode("utf-8", "replace") if small and request.body else None,
    )
