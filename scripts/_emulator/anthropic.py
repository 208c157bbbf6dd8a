"""Anthropic's Messages API: its answers, plain and in events, token counting and its list of models."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from scripts._emulator import anthropic_request, exchange, fields, heads, signing
from scripts._emulator.answers import new_id
from scripts._emulator.directives import BadRequest, claimed
from scripts._emulator.exchange import Codec, Events, Plan, Refused, Request, Said, World
from scripts._emulator.journal import Line

MODELS: Final = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
MODEL_DATE: Final = "20251001"
_PIECE: Final = 7
_STOPS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool": "tool_use",
    "refusal": "refusal",
    "sequence": "stop_sequence",
}
_JSON: Final = msgspec.json.Encoder()


def handle(http: Request, path: str, line: Line, world: World) -> Plan:
    """The answer to a request of this dialect. Raises BadRequest, Refused."""
    if "anthropic-version" not in http.headers:
        raise BadRequest("anthropic-version: header is required")
    if path.startswith("/v1/models"):
        return _models(path, line, world)
    if http.method != "POST":
        raise Refused(405, "Method Not Allowed")
    request = fields.decode(http.body)
    beta, counting = bool(http.headers.get("anthropic-beta")), path.endswith("/count_tokens")
    turn = anthropic_request.read(request, world.options.name, beta=beta, counting=counting)
    if counting:
        line.model = turn.model
        exchange.check_model(world, turn.model)
        return exchange.json_document(line, {"input_tokens": turn.input_tokens})
    return exchange.respond(world, line, turn, CODEC, request, new_id("msg_01", 22))


def dated(model: str) -> str:
    """The full name that a short one stands for."""
    return model if model[-8:].isdigit() else f"{model}-{MODEL_DATE}"


def _usage(said: Said, claims: bool) -> dict[str, Any]:  # noqa: FBT001  # see Codec.usage
    directives, counts = said.answer.directives, said.answer.counts
    shown = claimed(counts, directives) if claims else counts
    found: dict[str, Any] = {
        "input_tokens": shown.fresh,
        "cache_creation_input_tokens": shown.cache_write + shown.cache_write_hour,
        "cache_read_input_tokens": shown.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": shown.cache_write,
            "ephemeral_1h_input_tokens": shown.cache_write_hour,
        },
        "output_tokens": shown.output,
        "output_tokens_details": {"thinking_tokens": shown.reasoning},
        "service_tier": "standard",
        "inference_geo": said.request.get("inference_geo") or "global",
    }
    if said.request.get("speed"):
        found["speed"] = said.request["speed"]
    if directives.web_search:
        found["server_tool_use"] = {"web_search_requests": directives.web_search, "web_fetch_requests": 0}
    if directives.compaction_input or directives.compaction_output:
        found["iterations"] = [
            _iteration("compaction", directives.compaction_input, directives.compaction_output),
            _iteration("message", found["input_tokens"], found["output_tokens"]) | _cache_part(found),
        ]
    return found


def _iteration(kind: str, input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """A pass of the model; the totals leave out those that compacted."""
    tokens = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    empty = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation": None}
    return {"type": kind} | tokens | empty


def _cache_part(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: usage[name] for name in ("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation")}


def _first_usage(said: Said) -> dict[str, Any] | None:
    """What message_start tells: all that went in, and a token that has come out."""
    if said.answer.directives.no_usage:
        return None
    whole = _usage(said, True)
    whole.pop("iterations", None)
    whole.pop("output_tokens_details")
    whole.pop("server_tool_use", None)
    return whole | {"output_tokens": min(1, whole["output_tokens"])}


def _last_usage(said: Said) -> dict[str, Any]:
    """What message_delta tells, for the whole message: without the split of what was written to the cache."""
    whole = _usage(said, True)
    left_out = ("cache_creation", "service_tier", "inference_geo", "speed")
    return {name: value for name, value in whole.items() if name not in left_out}


def _message(said: Said, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": said.id,
        "type": "message",
        "role": "assistant",
        "model": dated(said.turn.model),
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _ending(said: Said) -> dict[str, Any]:
    stop = said.answer.stop
    details = {"type": "refusal", "category": None, "explanation": None} if stop == "refusal" else None
    return {"stop_reason": _STOPS[stop], "stop_sequence": said.answer.stop_sequence, "stop_details": details}


def _content(said: Said) -> list[dict[str, Any]]:
    """The blocks of the answer, whole."""
    blocks: list[dict[str, Any]] = []
    answer = said.answer
    if answer.thoughts:
        text = _thoughts(said)
        blocks.append({"type": "thinking", "thinking": text, "signature": signing.sign(said.secret, text)})
    if answer.words:
        blocks.append({"type": "text", "text": answer.text})
    for call in answer.calls:
        arguments = _arguments(call.arguments)
        blocks.append({"type": "tool_use", "id": new_id("toolu_01", 22), "name": call.tool.name, "input": arguments})
    return blocks


def _thoughts(said: Said) -> str:
    """The reasoning as it is shown: not at all where the request leaves it out."""
    thinking = said.request.get("thinking")
    hidden = isinstance(thinking, dict) and thinking.get("display") == "omitted"
    return "" if hidden else "".join(said.answer.thoughts)


def _arguments(text: str) -> dict[str, Any]:
    try:
        return fields.mapping(msgspec.json.decode(text), "arguments")
    except msgspec.DecodeError as error:
        raise BadRequest(f"emulator: arguments: {error}") from error


def _plain(said: Said) -> bytes:
    usage = {} if said.answer.directives.no_usage else {"usage": _usage(said, True)}
    return _JSON.encode(_message(said, _content(said)) | _ending(said) | usage)


def _events(said: Said) -> Events:
    first = _first_usage(said)
    opening = _message(said, []) | ({} if first is None else {"usage": first})
    made: Events = [(exchange.event("message_start", {"message": opening}), 0)]
    for index, block in enumerate(_content(said)):
        empty, deltas = _opened(said, block)
        start = {"index": index, "content_block": empty}
        made.append((exchange.event("content_block_start", start), 0))
        if index == 0:
            made.append((exchange.event("ping", {}), 0))
        for delta in deltas:
            told = exchange.event("content_block_delta", {"index": index, "delta": delta})
            made.append((told, 0 if delta["type"] == "signature_delta" else 1))
        made.append((exchange.event("content_block_stop", {"index": index}), 0))
    told_last = {} if said.answer.directives.no_usage else {"usage": _last_usage(said)}
    made.append((exchange.event("message_delta", {"delta": _ending(said)} | told_last), 0))
    made.append((exchange.event("message_stop", {}), 0))
    return made


def _opened(said: Said, block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it begins, and the deltas that fill it."""
    if block["type"] == "text":
        return block | {"text": ""}, [{"type": "text_delta", "text": word} for word in said.answer.words]
    if block["type"] == "thinking":
        shown = said.answer.thoughts if block["thinking"] else []
        deltas = [{"type": "thinking_delta", "thinking": word} for word in shown]
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return block | {"thinking": "", "signature": ""}, [*deltas, signed]
    text = _JSON.encode(block["input"]).decode()
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)]


def _failure(said: Said, status: int) -> bytes:
    directives = said.answer.directives
    status = 529 if directives.code is None and not directives.message else status
    error = heads.error_object(
        status, directives.message, code=directives.code, dialect="anthropic", request_id=said.request_id
    )
    return exchange.event("error", error)


def _models(path: str, line: Line, world: World) -> Plan:
    names = world.options.models or MODELS
    wanted = path.removeprefix("/v1/models").strip("/")
    if not wanted:
        ends = {"has_more": False, "first_id": names[0], "last_id": names[-1]}
        return exchange.json_document(line, {"data": [_model(name) for name in names]} | ends)
    if wanted not in names:
        raise exchange.UnknownModel(wanted)
    return exchange.json_document(line, _model(wanted))


def _model(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2025-10-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }


CODEC: Final = Codec(
    model=dated,
    plain=_plain,
    events=_events,
    usage=_usage,
    failure=_failure,
    first_usage=_first_usage,
    too_long="prompt is too long: 200001 tokens > 200000 maximum",
)
