"""Gemini's API: its answers, plain and in chunks, token counting, embeddings and its list of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from scripts._emulator import exchange, fields, gemini_request, heads, signing, vectors
from scripts._emulator.answers import new_id
from scripts._emulator.directives import BadRequest, claimed, directives_in
from scripts._emulator.exchange import Codec, Events, Plan, Refused, Request, Said, World
from scripts._emulator.journal import Line

MODELS: Final = ("gemini-3.8-flash", "gemini-2.5-flash", "gemini-embedding-001")
_STOPS: Final = {"stop": "STOP", "length": "MAX_TOKENS", "tool": "STOP", "refusal": "SAFETY", "sequence": "STOP"}
_EMBED: Final = fields.names("model content taskType title outputDimensionality embedContentConfig autoTruncate")
Other = Callable[[dict[str, Any], str, Line, World], Plan]
_JSON: Final = msgspec.json.Encoder()


def handle(http: Request, path: str, line: Line, world: World) -> Plan:
    """The answer to a request of this dialect. Raises BadRequest, Refused."""
    _, _, name = path.partition("/models")
    model, _, method = name.strip("/").partition(":")
    if http.method == "GET" and not method:
        return _models(model, line, world)
    if http.method != "POST" or method not in _METHODS:
        raise Refused(404, "Requested entity was not found.")
    request = fields.decode(http.body)
    line.model = model
    exchange.check_model(world, model)
    if method in ("generateContent", "streamGenerateContent"):
        streamed = method == "streamGenerateContent"
        turn = gemini_request.read(request, model, world.options.name, stream=streamed)
        in_events = "alt=sse" in line.query
        codec = _CODEC if in_events or not streamed else _ARRAY
        return exchange.respond(world, line, turn, codec, request, new_id("", 22))
    other: Other = _METHODS[method]
    return other(request, model, line, world)


def _usage(said: Said, claims: bool) -> dict[str, Any]:  # noqa: FBT001  # see Codec.usage
    """What went in holds what was cached; what came out leaves out thoughts; a tool's prompt is beside both."""
    counts = said.answer.counts
    shown = claimed(counts, said.answer.directives) if claims else counts
    shown_text = shown.input - shown.input_audio - shown.input_image
    parts = {"TEXT": shown_text, "AUDIO": shown.input_audio, "IMAGE": shown.input_image}
    found: dict[str, Any] = {
        "promptTokenCount": shown.input,
        "candidatesTokenCount": shown.output - shown.reasoning,
        "totalTokenCount": shown.input + shown.output + shown.tool_prompt,
        "promptTokensDetails": [{"modality": name, "tokenCount": number} for name, number in parts.items() if number],
    }
    if shown.output_audio:
        text = shown.output - shown.reasoning - shown.output_audio
        pairs = (("TEXT", text), ("AUDIO", shown.output_audio))
        found["candidatesTokensDetails"] = [{"modality": name, "tokenCount": number} for name, number in pairs]
    # A count of none is left out, as the service does.
    beside = {
        "cachedContentTokenCount": shown.cached,
        "thoughtsTokenCount": shown.reasoning,
        "toolUsePromptTokenCount": shown.tool_prompt,
    }
    found |= {name: number for name, number in beside.items() if number}
    if shown.cached:
        found["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": shown.cached}]
    return found


def _parts(said: Said) -> list[dict[str, Any]]:
    """What the answer consists of, a part for each word."""
    answer = said.answer
    parts: list[dict[str, Any]] = []
    if _shows_thoughts(said):
        parts += [{"text": word, "thought": True} for word in answer.thoughts]
    parts += [{"text": word} for word in answer.words]
    for n, call in enumerate(answer.calls):
        try:
            arguments = fields.mapping(msgspec.json.decode(call.arguments), "arguments")
        except msgspec.DecodeError as error:
            raise BadRequest(f"emulator: arguments: {error}") from error
        part: dict[str, Any] = {"functionCall": {"id": new_id("", 16), "name": call.tool.name, "args": arguments}}
        parts.append(part | (_signature(said) if n == 0 else {}))
    if answer.thoughts and answer.words:
        parts[-1] |= _signature(said)
    return parts


def _signature(said: Said) -> dict[str, str]:
    return {"thoughtSignature": signing.sign(said.secret, said.id)}


def _shows_thoughts(said: Said) -> bool:
    config = said.request.get("generationConfig") or said.request.get("generation_config") or {}
    thinking = config.get("thinkingConfig") or config.get("thinking_config") or {}
    wanted = thinking.get("includeThoughts") or thinking.get("include_thoughts")
    return bool(wanted) or said.answer.directives.show_reasoning


def _chunk(said: Said, parts: list[dict[str, Any]], usage: dict[str, Any] | None, *, ends: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}} if parts or not ends else {"content": {}}
    if ends:
        candidate["finishReason"] = _STOPS[said.answer.stop]
    found: dict[str, Any] = {"candidates": [candidate | {"index": 0}]}
    if usage is not None:
        found["usageMetadata"] = usage
    return found | {"modelVersion": said.turn.model, "responseId": said.id}


def _plain(said: Said) -> bytes:
    usage = None if said.answer.directives.no_usage else _usage(said, True)
    return _JSON.encode(_chunk(said, _joined(_parts(said)), usage, ends=True))


def _joined(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words of one kind as one part."""
    made: list[dict[str, Any]] = []
    for part in parts:
        if made and "text" in part and "text" in made[-1] and part.get("thought") == made[-1].get("thought"):
            made[-1] = made[-1] | part | {"text": made[-1]["text"] + part["text"]}
        else:
            made.append(part)
    return made


def _chunks(said: Said) -> list[tuple[dict[str, Any], int]]:
    """All chunks, each with its number of deltas. Each tells the usage so far; the last one counts."""
    parts = _parts(said)
    whole = None if said.answer.directives.no_usage else _usage(said, True)
    made: list[tuple[dict[str, Any], int]] = []
    for n, part in enumerate(parts, start=1):
        so_far = None if whole is None else _so_far(whole, n if n < len(parts) else None)
        made.append((_chunk(said, [part], so_far, ends=False), 1))
    made.append((_chunk(said, [] if parts else [{"text": ""}], whole, ends=True), 0))
    return made


def _so_far(whole: dict[str, Any], number: int | None) -> dict[str, Any]:
    """The usage in the middle of a stream; `number` words were sent, None: all."""
    if number is None:
        return whole
    shown = min(number, whole["candidatesTokenCount"])
    total = whole["totalTokenCount"] - whole["candidatesTokenCount"] + shown
    return whole | {"candidatesTokenCount": shown, "totalTokenCount": total}


def _events(said: Said) -> Events:
    return [(b"data: %b\r\n\r\n" % _JSON.encode(found), deltas) for found, deltas in _chunks(said)]


def _array(said: Said) -> Events:
    """Without `alt=sse` a stream is one JSON array that grows."""
    chunks = [(_JSON.encode(found), deltas) for found, deltas in _chunks(said)]
    made = [(b"[%b" % body if n == 0 else b",\r\n%b" % body, deltas) for n, (body, deltas) in enumerate(chunks)]
    return [*made, (b"]\n", 0)]


def _failure(said: Said, status: int) -> bytes:
    directives = said.answer.directives
    status = 503 if directives.code is None and not directives.message else status
    error = heads.error_object(status, directives.message, code=directives.code, dialect="gemini")
    return b"data: %b\r\n\r\n" % _JSON.encode(error)


def _array_failure(said: Said, status: int) -> bytes:
    return b"," + _failure(said, status).removeprefix(b"data: ").strip() + b"]"


def _count(request: dict[str, Any], model: str, line: Line, world: World) -> Plan:
    found = gemini_request.known(request, frozenset({"contents", "generateContentRequest"}), "")
    inner = found.get("generateContentRequest")
    asked = fields.mapping(inner, "generate_content_request") if inner is not None else request
    turn = gemini_request.read(asked, model, world.options.name, stream=False)
    details = [{"modality": "TEXT", "tokenCount": turn.input_tokens}]
    return exchange.json_document(line, {"totalTokens": turn.input_tokens, "promptTokensDetails": details})


def _embed(request: dict[str, Any], model: str, line: Line, world: World) -> Plan:
    words = gemini_request.content_words(request.get("content"))
    fault = exchange.faulty(line, directives_in(words, world.options.always))
    if fault is not None:
        return fault
    found = {"embedding": {"values": _vector(request, model, line, world)}}
    return exchange.json_document(line, found | {"usageMetadata": line.usage})


def _embed_many(request: dict[str, Any], model: str, line: Line, world: World) -> Plan:
    asked = fields.mappings(gemini_request.known(request, frozenset({"requests"}), "").get("requests"), "requests")
    made = [{"values": _vector(one, model, line, world)} for one in asked]
    return exchange.json_document(line, {"embeddings": made, "usageMetadata": line.usage})


def _vector(request: dict[str, Any], model: str, line: Line, world: World) -> list[float]:
    found = gemini_request.known(request, _EMBED, "")
    named = found.get("model", f"models/{model}")
    if named != f"models/{model}":
        raise BadRequest(f"* EmbedContentRequest.model: expected models/{model}, got {named}\n")
    text = gemini_request.content_words(found.get("content"))
    told = directives_in(text, world.options.always).input
    tokens = line.classes.get("input", 0) + (len(text.split()) if told is None else told)
    line.classes, line.usage = {"input": tokens}, {"promptTokenCount": tokens}
    line.true_usage = line.usage
    size = fields.whole(found.get("outputDimensionality"), "output_dimensionality", 1)
    return vectors.vector(text, size or 768)


def _models(wanted: str, line: Line, world: World) -> Plan:
    names = world.options.models or MODELS
    if not wanted:
        return exchange.json_document(line, {"models": [_model(name) for name in names]})
    if wanted not in names:
        raise exchange.UnknownModel(wanted)
    return exchange.json_document(line, _model(wanted))


def _model(name: str) -> dict[str, Any]:
    embeds = "embedding" in name
    methods = ["embedContent", "countTokens"] if embeds else ["generateContent", "countTokens", "createCachedContent"]
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": "An emulated model.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
    }


def _same(model: str) -> str:
    return model


_METHODS: Final[dict[str, Any]] = {
    "generateContent": None,
    "streamGenerateContent": None,
    "countTokens": _count,
    "embedContent": _embed,
    "batchEmbedContents": _embed_many,
}
_TOO_LONG: Final = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."
_CODEC: Final = Codec(
    model=_same,
    plain=_plain,
    events=_events,
    usage=_usage,
    failure=_failure,
    too_long=_TOO_LONG,
    content_type="text/event-stream",
)
_ARRAY: Final = Codec(
    model=_same,
    plain=_plain,
    events=_array,
    usage=_usage,
    failure=_array_failure,
    too_long=_TOO_LONG,
    content_type="application/json; charset=UTF-8",
)
