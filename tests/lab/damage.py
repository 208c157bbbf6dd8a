"""A good answer and a behaviour, turned into what goes over the wire: bytes, pauses and an end. Sends nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from scripts._emulator import heads
from tests.lab import canaries, coded, events, limits
from tests.lab.behaviour import Behaviour
from tests.lab.healthy import Answer
from tests.lab.journal import End

PAGE: Final = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>"


@dataclass(frozen=True)
class Send:
    """Bytes, and how many events and deltas end in them."""

    data: bytes
    events: int = 0
    deltas: int = 0


@dataclass(frozen=True)
class Wait:
    """Silence."""

    seconds: float


@dataclass(frozen=True)
class Finish:
    """How it ends. `keeps`: the connection stays open behind a whole answer."""

    end: End
    keeps: bool = True


Step = Send | Wait | Finish


def steps(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    """What is done, in order; the last one is a Finish. `answer` is changed to what is shown instead of it."""
    answer = _replaced(answer, behaviour)
    if behaviour.delay:
        yield Wait(behaviour.delay)
    if behaviour.stop and behaviour.stop_after < 0:
        yield _stopped(behaviour)
        return
    pieces = _written(answer, behaviour)
    body = b"".join(piece.data for piece in pieces)
    yield Send(_head(answer, behaviour, len(body)))
    if behaviour.stop and not behaviour.stop_after:
        yield _stopped(behaviour)
        return
    yield from _body(answer, pieces, behaviour)


def _body(answer: Answer, pieces: list[Send], behaviour: Behaviour) -> Iterator[Step]:
    if behaviour.stop:
        pieces = _until(answer, pieces, behaviour.stop_after)
    pace = behaviour.pace or (0.01 if behaviour.drip else 0.0)
    for number, piece in enumerate(pieces):
        framed = _chunk(piece.data) if answer.stream else piece.data
        parts = _cut(framed, behaviour.drip or behaviour.split)
        for part_number, part in enumerate(parts, start=1):
            if (number and part_number == 1 and pace) or (part_number > 1 and behaviour.drip):
                yield Wait(pace)
            elif part_number > 1:
                yield Wait(0.0)
            last = part_number == len(parts)
            yield Send(part, piece.events if last else 0, piece.deltas if last else 0)
    if behaviour.stop:
        yield _stopped(behaviour)
        return
    yield Send((b"0\r\n\r\n" if answer.stream else b"") + behaviour.extra.encode())
    yield Finish("whole", keeps=behaviour.connection not in {"closes", "lies"} and not behaviour.extra)


def _replaced(answer: Answer, behaviour: Behaviour) -> Answer:
    """What is answered instead, where that is something else."""
    error = behaviour.error_after is not None and not answer.stream
    if behaviour.status == 200 and not (error or behaviour.page or behaviour.body is not None):
        return answer
    kind = "application/json"
    if behaviour.page:
        body, kind = PAGE, "text/html; charset=utf-8"
    elif behaviour.body is not None:
        body = behaviour.body.encode()
    else:
        body = _error(answer, behaviour)
    answer.status, answer.pieces, answer.deltas, answer.stream = behaviour.status, [body], [0], False
    answer.headers = [(name, value) for name, value in answer.headers if name != "content-type"]
    answer.headers.append(("content-type", kind))
    answer.reported, answer.classes = None, {}
    return answer


def _error(answer: Answer, behaviour: Behaviour) -> bytes:
    status = behaviour.status if behaviour.status != 200 else 500
    message = behaviour.message or (canaries.sentence(behaviour.canary) if behaviour.canary else "")
    return heads.error_body(status, message, code=behaviour.code, dialect=answer.api)


def _written(answer: Answer, behaviour: Behaviour) -> list[Send]:
    """The body or the events, with everything that a behaviour does to their bytes."""
    pieces = [Send(data, 1, deltas) for data, deltas in zip(answer.pieces, answer.deltas, strict=True)]
    if behaviour.usage:
        answer.reported, answer.classes = (
            (answer.reported, answer.classes) if behaviour.usage == "twice" else (None, {})
        )
    if answer.stream:
        if behaviour.error_after is not None:
            pieces = [*pieces[: behaviour.error_after], Send(_error_event(answer, behaviour), 1)]
            answer.reported, answer.classes = None, {}
        pieces = [Send(data, 1, piece.deltas) for piece in pieces for data in _event(piece.data, behaviour)]
        pieces = [
            Send(data, piece.events, piece.deltas)
            for piece, data in zip(pieces, events.written([piece.data for piece in pieces], behaviour), strict=True)
        ]
    else:
        pieces = [Send(_plain(piece.data, behaviour), 0, piece.deltas) for piece in pieces]
    coder = coded.coder_for(behaviour)
    coding = [Send(coder.encode(piece.data), piece.events, piece.deltas) for piece in pieces] if coder else pieces
    return [*coding, Send(coder.end())] if coder else coding


def _plain(body: bytes, behaviour: Behaviour) -> bytes:
    if behaviour.canary:
        body = canaries.seed_json(body, behaviour.canary)
    return _with_usage(body, behaviour)


def _event(event: bytes, behaviour: Behaviour) -> list[bytes]:
    """One event, rewritten; two where it is sent twice."""
    changed = events.rewrite(event, lambda data: _plain_event(data, behaviour))
    # Where every event tells the usage so far, the last one is meant.
    last = b'"usageMetadata"' not in event or b'"finishReason"' in event
    twice = behaviour.usage == "twice" and b'"usage' in event and b'"usage":null' not in event and last
    return [changed, changed] if twice else [changed]


def _plain_event(data: bytes, behaviour: Behaviour) -> bytes:
    if behaviour.canary:
        data = canaries.seed_json(data, behaviour.canary)
    if behaviour.usage and behaviour.usage != "twice":
        data = canaries.rewrite_json(data, lambda found: _reported(found, behaviour.usage))
    return data


def _with_usage(body: bytes, behaviour: Behaviour) -> bytes:
    if not behaviour.usage:
        return body
    if behaviour.usage != "twice":
        return canaries.rewrite_json(body, lambda found: _reported(found, behaviour.usage))
    found = json.loads(body)
    name = "usageMetadata" if "usageMetadata" in found else "usage"
    return body.rstrip()[:-1] + b',"%b":%b}' % (name.encode(), json.dumps(found[name]).encode())


_ABSURD: Final[dict[str, Callable[[int], Any]]] = {
    "negative": lambda number: -7 - number,
    "huge": lambda _: 10**12,
    "float": lambda number: number + 0.5,
    "string": str,
    "bool": lambda _: True,
    "nested": lambda number: {"value": number},
}


def _reported(found: Any, kind: str) -> Any:
    """The JSON value with its usage reports changed, wherever they stand."""
    if isinstance(found, list):
        return [_reported(item, kind) for item in found]
    if not isinstance(found, dict):
        return found
    made = {}
    for name, value in found.items():
        if name not in {"usage", "usageMetadata"} or value is None:
            made[name] = _reported(value, kind)
        elif kind == "null":
            made[name] = None
        elif kind != "none":
            made[name] = _figures(value, _ABSURD[kind])
    return made


def _figures(value: Any, change: Callable[[int], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _figures(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_figures(item, change) for item in value]
    return change(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _error_event(answer: Answer, behaviour: Behaviour) -> bytes:
    body = _error(answer, behaviour)
    if answer.api == "anthropic":
        return b"event: error\ndata: %b\n\n" % body
    if answer.api == "responses":
        inner = json.loads(body)["error"]
        return b"event: error\ndata: %b\n\n" % json.dumps({"type": "error", **inner}).encode()
    return b"data: %b\n\n" % body


def _head(answer: Answer, behaviour: Behaviour, length: int) -> bytes:
    pairs = [(name, value) for name, value in answer.headers if name != "content-type" or not behaviour.content_type]
    if behaviour.content_type:
        pairs.append(("content-type", behaviour.content_type))
    if behaviour.location:
        pairs.append(("location", behaviour.location))
    if behaviour.coding:
        pairs.append(("content-encoding", coded.coding_name(behaviour)))
    if behaviour.limits:
        pairs += limits.headers(behaviour.limits, behaviour.retry_seconds)
    if behaviour.canary:
        names = {name for name, _ in canaries.headers(behaviour.canary)}
        pairs = [pair for pair in pairs if pair[0] not in names] + canaries.headers(behaviour.canary)
    if behaviour.head_bytes:
        pairs.append(("x-long", "h" * behaviour.head_bytes))
    pairs += [(f"x-many-{number}", "h") for number in range(behaviour.head_count)]
    pairs += behaviour.headers.items()
    framing = ("transfer-encoding", "chunked") if answer.stream else ("content-length", length + behaviour.length_off)
    closing = {"says_close": "close", "closes": "close", "lies": "keep-alive"}.get(behaviour.connection)
    lines = [f"{name}: {value}" for name, value in (*pairs, framing, *([("connection", closing)] if closing else ()))]
    return "\r\n".join([f"HTTP/1.1 {answer.status} Answer", *lines, "", ""]).encode("latin-1")


def _until(answer: Answer, pieces: list[Send], after: int) -> list[Send]:
    """So many events of a stream; so many bytes of a plain body."""
    if answer.stream:
        return pieces[:after]
    return [Send(b"".join(piece.data for piece in pieces)[:after])]


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)] if size else [data]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _stopped(behaviour: Behaviour) -> Finish:
    return Finish(behaviour.stop or "close", keeps=False)
