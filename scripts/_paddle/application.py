"""The double as a whole: who asks, what is to go wrong, which part answers, and the journal of it all."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from scripts._paddle import admin, pages, routes
from scripts._paddle.api import Call, Reply
from scripts._paddle.errors import Refused, invalid, too_many
from scripts._paddle.faults import API_KINDS, Fault
from scripts._paddle.http import Answer, Request
from scripts._paddle.world import World

_BROKEN_GATEWAY: Final = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)


class Application:
    """Answers every request of every connection."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: list[float] = []

    async def respond(self, request: Request) -> Answer:
        """The answer to a request; never raises."""
        parts = urlsplit(request.target)
        if parts.path.startswith("/_double/"):
            return await admin.respond(self._world, request)
        if pages.is_page(parts.path):
            return pages.respond(self._world, request)
        return await self._api(request, parts.path)

    async def _api(self, request: Request, path: str) -> Answer:
        request_id = str(uuid.uuid4())
        line: dict[str, Any] = {"at": time.time(), "method": request.method, "path": path, "request_id": request_id}
        line |= {"query": urlsplit(request.target).query, "body": request.body[:8192].decode("utf-8", "replace")}
        self._world.calls.append(line)
        fault = self._world.faults.take(API_KINDS, f"{request.method} {path}")
        if fault is not None:
            line["fault"] = fault.kind
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        answer = _instead(fault, request_id) or self._answer(request, path, request_id)
        if fault is not None and fault.kind == "lost":
            await asyncio.sleep(fault.seconds)
            answer = Answer(answer.status, lost=True)
        line["status"] = answer.status
        return answer

    def _answer(self, request: Request, path: str, request_id: str) -> Answer:
        try:
            self._within_rate_limit()
            reply = routes.answer(request.method, path, self._call(request, path), self._world.courier)
        except Refused as error:
            return Answer(error.status, msgspec.json.encode(error.body(request_id)), headers=error.headers)
        if reply.status == 204:
            return Answer(204)
        return Answer(reply.status, _envelope(reply, request_id))

    def _call(self, request: Request, path: str) -> Call:
        account = self._world.by_authorization(request.headers.get("authorization"))
        query = dict(parse_qsl(urlsplit(request.target).query))
        body: Any = {}
        if request.body and request.method in {"POST", "PATCH"}:
            try:
                body = msgspec.json.decode(request.body)
            except msgspec.DecodeError:
                raise Refused(400, "bad_request", "The request body is not valid JSON.") from None
            if not isinstance(body, dict):
                raise invalid("body", "must be an object")
        return Call(account, self._world.root + path, query, body)

    def _within_rate_limit(self) -> None:
        limit = self._world.options.rate_limit
        if limit is None:
            return
        now = time.monotonic()
        self._calls = [moment for moment in self._calls if now - moment < 60]
        if len(self._calls) >= limit:
            raise too_many(int(60 - (now - self._calls[0])) + 1)
        self._calls.append(now)


def _envelope(reply: Reply, request_id: str) -> bytes:
    meta: dict[str, Any] = {"request_id": request_id}
    if reply.pagination is not None:
        meta["pagination"] = reply.pagination
    return msgspec.json.encode({"data": reply.data, "meta": meta})


def _instead(fault: Fault | None, request_id: str) -> Answer | None:
    """The answer that a fault puts in the place of the right one."""
    if fault is None or fault.kind in {"slow", "lost"}:
        return None
    if fault.kind == "reset":
        return Answer(502, lost=True)
    if fault.kind == "html":
        return Answer(502, _BROKEN_GATEWAY, "text/html")
    error = too_many(fault.retry_after or 1) if fault.status == 429 else _failure(fault)
    return Answer(error.status, msgspec.json.encode(error.body(request_id)), headers=error.headers)


def _failure(fault: Fault) -> Refused:
    headers = () if fault.retry_after is None else (("retry-after", str(fault.retry_after)),)
    code = fault.code or {403: "forbidden", 404: "not_found", 409: "conflict"}.get(fault.status, "internal_error")
    return Refused(fault.status, code, "This failure was asked for.", headers=headers)
