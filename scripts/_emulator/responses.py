"""OpenAI's Responses API: its requests, what is stored of them, and its answers in one body."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from scripts._emulator import exchange, fields, heads, responses_events, responses_request
from scripts._emulator.answers import dated, new_id
from scripts._emulator.exchange import Codec, Plan, Refused, Request, Said, World
from scripts._emulator.journal import Line

MOST_STORED: Final = 10_000
_JSON: Final = msgspec.json.Encoder()


class Stored(msgspec.Struct, frozen=True):
    """A response that can be continued: the items before it, its own, and what it was asked."""

    context: list[dict[str, Any]]
    items: list[dict[str, Any]]
    body: dict[str, Any]


def handle(http: Request, path: str, line: Line, world: World) -> Plan:
    """The answer to a request of this dialect. Raises BadRequest, Refused."""
    parts = path.removeprefix("/v1/responses").strip("/").split("/")
    if http.method == "POST" and parts in ([""], ["input_tokens"]):
        return _create(http, line, world, counting=parts != [""])
    found = world.stored.get((line.key, parts[0]))
    if not parts[0] or http.method not in ("GET", "DELETE"):
        raise Refused(405, f"Not allowed to {http.method} on {path}", "method_not_supported")
    if not isinstance(found, Stored):
        raise Refused(404, f"Response with id '{parts[0]}' not found.")
    if http.method == "DELETE":
        del world.stored[line.key, parts[0]]
        return exchange.json_document(line, {"id": parts[0], "object": "response", "deleted": True})
    if parts[1:] == ["input_items"]:
        items = list(reversed(found.items))
        ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"], "has_more": False} if items else {}
        return exchange.json_document(line, {"object": "list", "data": items} | ends)
    return exchange.json_document(line, found.body)


def _create(http: Request, line: Line, world: World, *, counting: bool) -> Plan:
    request = fields.decode(http.body)
    earlier = _earlier(request.get("previous_response_id"), line, world)
    asked = responses_request.read(request, world.options.name, earlier, _known(line, world))
    if counting:
        line.model = asked.turn.model
        exchange.check_model(world, asked.turn.model)
        counted = {"object": "response.input_tokens", "input_tokens": asked.turn.input_tokens}
        return exchange.json_document(line, counted)
    return exchange.respond(world, line, asked.turn, _codec(asked, line, world), request, new_id("resp_", 48))


def _earlier(name: Any, line: Line, world: World) -> list[dict[str, Any]]:
    if name is None:
        return []
    found = world.stored.get((line.key, str(name)))
    if not isinstance(found, Stored):
        message = f"Previous response with id '{name}' not found."
        raise Refused(400, message, "previous_response_not_found", "previous_response_id")
    return found.context


def _known(line: Line, world: World) -> responses_request.Known:
    """Tells whether this key has stored an item of an id."""

    def known(name: str) -> bool:
        found = [stored for (key, _), stored in world.stored.items() if key == line.key]
        return any(item.get("id") == name for stored in found for item in stored.context)

    return known


def _codec(asked: responses_request.Asked, line: Line, world: World) -> Codec:
    """How to write an answer; writing it stores it as well, unless the request says not to."""

    def made(said: Said) -> responses_events.Response:
        response = responses_events.make(said)
        if said.request.get("store") is not False:
            while len(world.stored) >= MOST_STORED:
                del world.stored[next(iter(world.stored))]
            items = [item | {"id": item.get("id") or new_id("msg_", 48)} for item in asked.items]
            before = asked.context[: len(asked.context) - len(items)]
            context = [*before, *items, *response.output]
            world.stored[line.key, said.id] = Stored(context, items, responses_events.body(said, response))
        return response

    return Codec(
        model=dated,
        plain=lambda said: _JSON.encode(responses_events.body(said, made(said))),
        events=lambda said: responses_events.events(said, made(said)),
        usage=responses_events.usage,
        failure=_failure,
        too_long="Your input exceeds the context window of this model. Please adjust your input and try again.",
        too_long_code="context_length_exceeded",
    )


def _failure(said: Said, status: int) -> bytes:
    """A response that failed on its way; with the directive `code=error_event` the bare event of an error."""
    directives = said.answer.directives
    error = heads.error_object(status, directives.message)["error"]
    number = directives.error or 0
    if directives.code == "error_event":
        told = {"code": "server_error", "message": error["message"], "param": None, "sequence_number": number}
        return exchange.event("error", told)
    failed = responses_events.shell(said, "failed")
    failed["error"] = {"code": directives.code or "server_error", "message": error["message"]}
    return exchange.event("response.failed", {"sequence_number": number, "response": failed})
