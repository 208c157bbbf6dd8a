"""OpenAI's smaller text APIs: completions, embeddings, moderation, and reranking as Cohere and Jina have it."""

from __future__ import annotations

import base64
import struct
from typing import Any, Final

import msgspec

from scripts._emulator import answers, exchange, fields, heads, vectors
from scripts._emulator.answers import dated, new_id
from scripts._emulator.directives import BadRequest, Directives, directives_in
from scripts._emulator.exchange import Codec, Events, Plan, Refused, Request, Said, World
from scripts._emulator.journal import Line
from scripts._emulator.turn import Turn

DIMENSIONS: Final = 1536
MOST_INPUTS: Final = 2048
_STOPS: Final = {"length": "length", "refusal": "content_filter"}
_CATEGORIES: Final = (
    "harassment harassment/threatening hate hate/threatening illicit illicit/violent self-harm self-harm/instructions"
    " self-harm/intent sexual sexual/minors violence violence/graphic"
)
_JSON: Final = msgspec.json.Encoder()


def begin(http: Request, path: str, line: Line, world: World) -> dict[str, Any]:
    """The body of a POST for a model that is known. Raises BadRequest, Refused."""
    if http.method != "POST":
        raise Refused(405, f"Not allowed to {http.method} on {path}", "method_not_supported")
    request = fields.decode(http.body)
    line.model = fields.string(request.get("model") or "", "model")
    exchange.check_model(world, line.model)
    return request


def finish(line: Line, directives: Directives, usage: dict[str, Any] | None, classes: dict[str, int | float]) -> None:
    """Note what was used. `usage` is what is reported, None where the service reports nothing."""
    line.served_model = line.model
    line.true_usage = usage
    line.usage = None if directives.no_usage else usage
    line.classes = {name: number for name, number in classes.items() if number}


def completions(http: Request, path: str, line: Line, world: World) -> Plan:
    """POST /v1/completions."""
    request = begin(http, path, line, world)
    prompt = _inputs(request.get("prompt"), "prompt")[0]
    turn = Turn(
        model=line.model,
        texts=[prompt],
        last_user=prompt,
        stream=fields.flag(request.get("stream"), "stream"),
        limit=fields.whole(request.get("max_tokens"), "max_tokens", 1),
    )
    plan = exchange.respond(world, line, turn, _COMPLETIONS, request, new_id("cmpl-", 28))
    line.include_usage = _wants_usage(request)
    if turn.stream and not line.include_usage:
        line.usage = None
    return plan


def embeddings(http: Request, path: str, line: Line, world: World) -> Plan:
    """POST /v1/embeddings: floats, or little-endian ones in base64."""
    request = begin(http, path, line, world)
    texts = _inputs(request.get("input"), "input")
    directives = directives_in(" ".join(texts), world.options.always)
    fault = exchange.faulty(line, directives)
    if fault is not None:
        return fault
    wanted = request.get("encoding_format") or "float"
    if wanted not in ("float", "base64"):
        raise BadRequest(f"'{wanted}' is not one of ['float', 'base64'] - 'encoding_format'", "encoding_format")
    size = fields.whole(request.get("dimensions"), "dimensions", 1) or DIMENSIONS
    tokens = sum(len(text.split()) for text in texts) if directives.input is None else directives.input
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    finish(line, directives, usage, {"input": tokens})
    made = [vectors.vector(text, size) for text in texts]
    data = [
        {"object": "embedding", "index": n, "embedding": numbers if wanted == "float" else _packed(numbers)}
        for n, numbers in enumerate(made)
    ]
    body = {"object": "list", "data": data, "model": line.model}
    return exchange.plain(line, _JSON.encode(body | {"usage": usage}), directives, line.usage, 0)


def moderations(http: Request, path: str, line: Line, world: World) -> Plan:
    """POST /v1/moderations: a text is flagged when it says `violence`. The model may be left out."""
    request = fields.decode(http.body)
    http.body = _JSON.encode({"model": "omni-moderation-latest"} | request)
    begin(http, path, line, world)
    texts = _inputs(request.get("input"), "input")
    directives = directives_in(" ".join(texts), world.options.always)
    fault = exchange.faulty(line, directives)
    if fault is not None:
        return fault
    finish(line, directives, None, {"request": 1})
    body = {"id": new_id("modr-", 32), "model": line.model, "results": [_verdict(text) for text in texts]}
    return exchange.plain(line, _JSON.encode(body), directives, None, 0)


def rerank(http: Request, path: str, line: Line, world: World) -> Plan:
    """POST /v1/rerank: documents by the share of the query's words in them."""
    request = begin(http, path, line, world)
    query = fields.string(request.get("query"), "query")
    documents = fields.sequence(request.get("documents"), "documents")
    if not documents:
        raise BadRequest("invalid request: list of documents must not be empty", "documents")
    directives = directives_in(query, world.options.always)
    fault = exchange.faulty(line, directives)
    if fault is not None:
        return fault
    texts = [_document(document, n) for n, document in enumerate(documents)]
    words = set(query.lower().split())
    scores = [len(words & set(text.lower().split())) / max(1, len(words)) for text in texts]
    order = sorted(range(len(texts)), key=lambda n: (-scores[n], n))
    top = fields.whole(request.get("top_n"), "top_n", 1)
    returns = fields.flag(request.get("return_documents"), "return_documents")
    tokens = sum(len(text.split()) for text in (query, *texts))
    finish(line, directives, {"total_tokens": tokens}, {"request": 1})
    results = [
        {"index": n, "relevance_score": scores[n]} | ({"document": {"text": texts[n]}} if returns else {})
        for n in order[:top]
    ]
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    body: dict[str, Any] = {"id": new_id("", 32), "model": line.model, "results": results, "meta": meta}
    return exchange.plain(line, _JSON.encode(body | {"usage": {"total_tokens": tokens}}), directives, line.usage, 0)


def _inputs(found: Any, where: str) -> list[str]:
    """Texts, given as one, as a list, as numbers of tokens (a word each) or as parts with a text."""
    if isinstance(found, str):
        return [found]
    items = fields.sequence(found, where)
    if not items or len(items) > MOST_INPUTS:
        raise BadRequest(f"Invalid '{where}': array of 1 to {MOST_INPUTS} items expected.", where)
    if all(isinstance(item, int) for item in items):
        return [" ".join(map(str, items))]
    return [_input(item, where) for item in items]


def _input(item: Any, where: str) -> str:
    if isinstance(item, list):
        return " ".join(map(str, item))
    if isinstance(item, dict):
        return str(item.get("text", ""))
    return fields.string(item, where)


def _document(document: Any, n: int) -> str:
    text = document.get("text") if isinstance(document, dict) else document
    return fields.string(text, f"documents[{n}]")


def _packed(numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def _verdict(text: str) -> dict[str, Any]:
    names = _CATEGORIES.split()
    flagged = "violence" in text.lower().split()
    found = {name: flagged and name == "violence" for name in names}
    kinds = {name: ["text"] for name in names}
    scores = {name: 0.9 if is_so else 0.0001 for name, is_so in found.items()}
    return {"flagged": flagged, "categories": found, "category_scores": scores, "category_applied_input_types": kinds}


def _wants_usage(request: dict[str, Any]) -> bool:
    options = request.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _usage(said: Said, claims: bool) -> dict[str, Any]:  # noqa: FBT001  # see Codec.usage
    return answers.usage_object(said.answer.counts, 1, said.answer.directives if claims else None)


def _shell(said: Said) -> dict[str, Any]:
    common = {"id": said.id, "object": "text_completion", "created": said.created, "model": dated(said.turn.model)}
    return common | {"system_fingerprint": answers.FINGERPRINT}


def _choice(text: str, reason: str | None) -> list[dict[str, Any]]:
    return [{"text": text, "index": 0, "logprobs": None, "finish_reason": reason}]


def _plain(said: Said) -> bytes:
    usage = {} if said.answer.directives.no_usage else {"usage": _usage(said, True)}
    choices = _choice(said.answer.text, _STOPS.get(said.answer.stop, "stop"))
    return _JSON.encode(_shell(said) | {"choices": choices} | usage)


def _events(said: Said) -> Events:
    told: list[tuple[dict[str, Any], int]] = [({"choices": _choice(word, None)}, 1) for word in said.answer.words]
    told.append(({"choices": _choice("", _STOPS.get(said.answer.stop, "stop"))}, 0))
    if _wants_usage(said.request) and not said.answer.directives.no_usage:
        told = [(found | {"usage": None}, deltas) for found, deltas in told]
        told.append(({"choices": [], "usage": _usage(said, True)}, 0))
    made = [(b"data: %b\n\n" % _JSON.encode(_shell(said) | found), deltas) for found, deltas in told]
    return [*made, (answers.DONE, 0)]


def _failure(said: Said, status: int) -> bytes:
    directives = said.answer.directives
    return b"data: %b\n\n" % heads.error_body(status, directives.message, code=directives.code)


_COMPLETIONS: Final = Codec(
    model=dated,
    plain=_plain,
    events=_events,
    usage=_usage,
    failure=_failure,
    too_long="This model's maximum context length is 4097 tokens.",
    too_long_code="context_length_exceeded",
)
