"""What one request and its answer consist of, and the ways in which an answer is sent or goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from scripts._emulator import heads
from scripts._emulator.answers import chunk
from scripts._emulator.directives import BadRequest, Directives, classes
from scripts._emulator.journal import Journal, Line
from scripts._emulator.turn import Answer, Turn, compose, resolve

DRIP_BYTES: Final = 16
ORDINARY: Final = Directives()
_JSON: Final = msgspec.json.Encoder()
Events = list[tuple[bytes, int]]


@dataclass(frozen=True)
class Options:
    """How this emulator behaves. `keep_bytes`: bodies up to this size stand in the journal.

    `by_key`: what holds for the calls of a key instead of `always`; a status there is one of its list of models too.
    """

    name: str
    models: tuple[str, ...]
    api_keys: frozenset[str]
    always: Directives
    timeline: bool = False
    keep_bytes: int = 4096
    by_key: Mapping[str, Directives] = field(default_factory=dict)


@dataclass
class Request:
    """A request that has come in whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class World:
    """What all connections share. `stored`: responses by key and id, as long as there is room."""

    options: Options
    journal: Journal
    stored: dict[tuple[str, str], Any] = field(default_factory=dict)


@dataclass
class Plan:
    """An answer to send: pieces with the deltas in each, and how it ends."""

    line: Line
    pieces: Events
    directives: Directives = ORDINARY
    reset: bool = False
    close: bool = False
    started: float = 0.0
    counted_events: int = 0
    silent_before: int = 0


class Refused(Exception):
    """A request that gets an error other than 400; fields as in heads.error_object."""

    def __init__(self, status: int, message: str = "", code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


class UnknownModel(Refused):
    """A model that this emulator does not serve."""

    def __init__(self, model: str) -> None:
        super().__init__(404)
        self.model = model


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange, for those who write its bytes. `request` is the body as it came."""

    request: dict[str, Any]
    turn: Turn
    answer: Answer
    secret: str
    id: str
    created: int
    request_id: str


@dataclass(frozen=True)
class Codec:
    """How a dialect writes an answer. `usage` takes whether claims go before the truth; `failure` a status."""

    model: Callable[[str], str]
    plain: Callable[[Said], bytes]
    events: Callable[[Said], Events]
    usage: Callable[[Said, bool], dict[str, Any]]
    failure: Callable[[Said, int], bytes]
    first_usage: Callable[[Said], dict[str, Any] | None] = lambda _: None
    too_long: str = "The input is too long."
    too_long_code: str | None = None
    content_type: str = "text/event-stream; charset=utf-8"


def respond(world: World, line: Line, turn: Turn, codec: Codec, request: dict[str, Any], answer_id: str) -> Plan:
    """The answer to a turn, or the fault that it asks for. Raises BadRequest."""
    line.model, line.stream, line.max_tokens, line.include_usage = turn.model, turn.stream, turn.limit, True
    check_model(world, turn.model)
    directives = resolve(turn, world.options.always)
    fault = faulty(line, directives, codec.too_long, codec.too_long_code)
    if fault is not None:
        return fault
    answer = compose(turn, directives)
    said = Said(
        request=request,
        turn=turn,
        answer=answer,
        secret=world.options.name,
        id=answer_id,
        created=int(time.time()),
        request_id=line.request_id,
    )
    line.served_model = codec.model(turn.model)
    line.true_usage = codec.usage(said, False)
    line.classes = classes(answer.counts, answer.directives)
    line.reasoning_tokens = answer.counts.reasoning
    if world.options.timeline and turn.stream:
        line.timeline = []
    reported = None if directives.no_usage else codec.usage(said, True)
    if turn.stream:
        line.first_usage = codec.first_usage(said)
        events = codec.events(said)
        return stream(line, events, directives, reported, lambda: codec.failure(said, 500), codec.content_type)
    return plain(line, codec.plain(said), directives, reported, len(answer.words))


def faulty(line: Line, directives: Directives, too_long: str = "", too_long_code: str | None = None) -> Plan | None:
    """The answer that a directive replaces: a broken connection, a status, a context that is too long."""
    line.fault = directives.fault
    if directives.reset:
        return Plan(line, [], directives, reset=True)
    status, message, code = directives.status, directives.message, directives.code
    if directives.too_long:
        status, message, code = 400, message or too_long, code or too_long_code
    if status is None:
        return None
    plan = refusal(line, status, message, code=code, retry_after=directives.retry_after)
    plan.directives = directives
    return plan


def plain(line: Line, body: bytes, directives: Directives, usage: dict[str, Any] | None, tokens: int) -> Plan:
    """An answer in one body; `usage` is what it reports, `tokens` how many words it shows."""
    line.status, error = 200, directives.error is not None
    if error:
        body = heads.error_body(500, directives.message, code=directives.code, dialect=line.dialect)
    start = heads.head(200, "application/json", line.request_id, length=len(body), dialect=line.dialect)
    if directives.reset_after:
        return Plan(line, [(start, 0)], directives, reset=True)
    if directives.cut is not None:
        return Plan(line, [(start, 0), (body[: directives.cut], 0)], directives, close=True)
    pieces = [body] if not directives.drip else [body[n : n + DRIP_BYTES] for n in range(0, len(body), DRIP_BYTES)]
    if not error:
        line.delivered_tokens, line.usage = tokens, usage
    return Plan(line, [(start, 0), *((piece, 0) for piece in pieces)], directives)


def stream(
    line: Line,
    events: Iterable[tuple[bytes, int]],
    directives: Directives,
    usage: dict[str, Any] | None,
    failure: Callable[[], bytes],
    content_type: str = "text/event-stream; charset=utf-8",
) -> Plan:
    """An answer in events, each with its number of deltas; `usage` is what it reports, `failure` an error's event."""
    line.status = 200
    start = heads.head(200, content_type, line.request_id, length=None, dialect=line.dialect)
    if directives.reset_after:
        return Plan(line, [(start, 0)], directives, reset=True)
    pieces = [(start, 0)] + [(chunk(event), deltas) for event, deltas in events]
    if directives.error is not None:
        pieces = [*pieces[: directives.error + 1], (chunk(failure()), 0)]
    elif directives.cut is not None:
        pieces = pieces[: directives.cut + 1]
        return Plan(line, pieces, directives, close=True, counted_events=len(pieces))
    else:
        line.usage = usage
    # The deltas, then what follows them: the finish of the last choice, usage, the end.
    last_delta = max((position for position, (_, deltas) in enumerate(pieces) if deltas), default=0)
    plan = Plan(line, [*pieces, (b"0\r\n\r\n", 0)], directives, counted_events=len(pieces) - 1)
    plan.silent_before = last_delta + 1 if directives.silence else 0
    return plan


def document(line: Line, body: bytes, content_type: str = "application/json") -> Plan:
    """A whole body that is right."""
    line.status = 200
    start = heads.head(200, content_type, line.request_id, length=len(body), dialect=line.dialect)
    return Plan(line, [(start, 0), (body, 0)])


def json_document(line: Line, found: Any) -> Plan:
    """See document."""
    return document(line, _JSON.encode(found))


def refusal(
    line: Line,
    status: int,
    message: str = "",
    *,
    code: str | None = None,
    param: str | None = None,
    retry_after: int | None = None,
) -> Plan:
    """An error in the words of the line's dialect."""
    body = heads.error_body(status, message, code=code, param=param, dialect=line.dialect, request_id=line.request_id)
    line.status = status
    extra = "" if retry_after is None else f"retry-after: {retry_after}\r\n"
    start = heads.head(status, "application/json", line.request_id, length=len(body), extra=extra, dialect=line.dialect)
    return Plan(line, [(start, 0), (body, 0)])


def check_model(world: World, model: str) -> None:
    """Refuse a model that `--model` does not list; without that option every name is known.

    Raises BadRequest, UnknownModel.
    """
    if not model:
        raise BadRequest("you must provide a model parameter", "model")
    known = world.options.models
    if known and model not in known:
        raise UnknownModel(model)


def refused(line: Line, error: Refused) -> Plan:
    """The answer to a request that was refused on its way."""
    if not isinstance(error, UnknownModel):
        return refusal(line, error.status, error.message, code=error.code, param=error.param)
    if line.dialect == "anthropic":
        return refusal(line, 404, f"model: {error.model}")
    if line.dialect == "gemini":
        message = f"models/{error.model} is not found for API version v1beta, or is not supported for generateContent."
        return refusal(line, 404, f"{message} Call ListModels to see the list of available models.")
    message = f"The model `{error.model}` does not exist or you do not have access to it."
    return refusal(line, 404, message, code="model_not_found")


def event(kind: str, found: dict[str, Any]) -> bytes:
    """An event with a name, as Responses and Anthropic send them."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _JSON.encode({"type": kind} | found))
