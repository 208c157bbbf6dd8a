"""Every API in front of every API behind: answers, streams, tools, refusals, and each charge by the upstream's word.

The requests are made by hand, so that no client's tolerance hides a fault; real clients are in `clients/`.
"""

from __future__ import annotations

import json
import math
import struct
import tomllib
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from reseller_kit.core.catalog import INPUT_CLASSES, TOKEN_CLASSES, USAGE_CLASSES
from scripts._lib.demo.oracle import Amounts
from tests.support.product import Customer, Shop, amounts_of, open_shop

_TEMPLATE: Final = Path(__file__).parents[1] / "support" / "dialects.toml"
_UPSTREAMS: Final = ("via-chat", "via-responses", "via-messages", "via-gemini")
_FALL_TO_INPUT: Final = frozenset(INPUT_CLASSES)
_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_ADDRESS: Final = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}


@pytest.fixture(scope="module")
def dialects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A storefront whose models are each served in one API."""
    with open_shop(tmp_path_factory.mktemp("dialects"), template=_TEMPLATE) as shop:
        yield shop


@pytest.fixture(scope="module")
def caller(dialects: Shop) -> Customer:
    """A customer with credit."""
    return dialects.customer(credit="50.00")


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_completion_tokens": 500, **more}


def responses(text: str, **more: Any) -> dict[str, Any]:
    return {"input": text, "max_output_tokens": 500, **more}


def messages(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 500, **more}


def gemini(text: str, **more: Any) -> dict[str, Any]:
    contents = [{"role": "user", "parts": [{"text": text}]}]
    return {"contents": contents, "generationConfig": {"maxOutputTokens": 500}, **more}


_BODIES: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "chat": chat,
    "responses": responses,
    "messages": messages,
    "generate_content": gemini,
}
_TOOLS: Final[dict[str, list[Any]]] = {
    "chat": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": _SCHEMA}}],
    "responses": [{"type": "function", "name": "weather", "description": "d", "parameters": _SCHEMA}],
    "messages": [{"name": "weather", "description": "d", "input_schema": _SCHEMA}],
    "generate_content": [{"functionDeclarations": [{"name": "weather", "description": "d", "parameters": _SCHEMA}]}],
}


def post(
    shop: Shop, customer: Customer, api: str, model: str, body: dict[str, Any], *, stream: bool = False
) -> httpx.Response:
    """One request as its API is called."""
    if api == "generate_content":
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return shop.http.post(
            f"{customer.origin}/v1beta/models/{model}:{verb}",
            json=body,
            headers={"x-goog-api-key": customer.key, "host": customer.host},
        )
    document = {"model": model, **body, **({"stream": True} if stream else {})}
    return shop.http.post(f"{customer.origin}{_ADDRESS[api]}", json=document, headers=customer.headers)


def text_in(api: str, document: dict[str, Any]) -> str:
    """The words of a plain answer."""
    if api == "chat":
        return document["choices"][0]["message"]["content"] or ""
    if api == "responses":
        parts = [part for item in document["output"] if item["type"] == "message" for part in item["content"]]
        return "".join(part["text"] for part in parts)
    if api == "messages":
        return "".join(block["text"] for block in document["content"] if block["type"] == "text")
    parts = document["candidates"][0]["content"]["parts"]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def tokens_in(api: str, document: dict[str, Any]) -> tuple[int, int]:
    """(all input, all output) as a plain answer's usage says."""
    if api == "chat":
        return document["usage"]["prompt_tokens"], document["usage"]["completion_tokens"]
    if api == "generate_content":
        usage = document["usageMetadata"]
        return (
            usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0),
            usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0),
        )
    usage = document["usage"]
    if api == "responses":
        return usage["input_tokens"], usage["output_tokens"]
    cache = usage.get("cache_read_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    return usage["input_tokens"] + cache, usage["output_tokens"]


def call_in(api: str, document: dict[str, Any]) -> tuple[str, Any]:
    """(name, arguments) of the one tool call of a plain answer."""
    if api == "chat":
        function = document["choices"][0]["message"]["tool_calls"][0]["function"]
        return function["name"], json.loads(function["arguments"])
    if api == "responses":
        item = next(item for item in document["output"] if item["type"] == "function_call")
        return item["name"], json.loads(item["arguments"])
    if api == "messages":
        block = next(block for block in document["content"] if block["type"] == "tool_use")
        return block["name"], block["input"]
    call = next(
        part["functionCall"] for part in document["candidates"][0]["content"]["parts"] if "functionCall" in part
    )
    return call["name"], call["args"]


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The payloads of an event stream."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def streamed_text(api: str, events: list[dict[str, Any]]) -> str:
    """The words of a stream."""
    if api == "chat":
        return "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])
    if api == "responses":
        return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    if api == "messages":
        deltas = [e["delta"] for e in events if e["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in deltas)
    parts = [part for e in events for c in e.get("candidates", []) for part in c.get("content", {}).get("parts", [])]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def assert_charged_by_the_journal(shop: Shop, customer: Customer, request_id: str) -> dict[str, Any]:
    """The usage record has the upstream's figures, class by class, and the charges follow from the file."""
    record = shop.record(customer, request_id)
    journal = [line for line in shop.journal(request_id) if line["status"] == 200]
    assert len(journal) == 1, journal
    (line,) = journal
    explained = shop.ask("usage", "explain", request_id)
    retail = {row["class"]: row["quantity"] for row in explained["lines"] if row["level"] == "retail"}
    used = {name: math.ceil(n) for name, n in line["classes"].items() if n and name in USAGE_CLASSES}
    assert {name: n for name, n in retail.items() if name != "request"} == {
        name: n for name, n in used.items() if name != "request"
    }
    assert amounts_of(record) == charges(tomllib.loads(shop.text), record["public_model"], retail)
    return record


def charges(file: dict[str, Any], model: str, quantities: Mapping[str, int]) -> Amounts:
    """What the storefront's one markup and the operator's make of a model's cost."""
    cost = {name: Fraction(price) for name, price in file["models"][model]["cost"].items()}
    wholesale = {name: _marked_up(name, price, file["wholesale"]["markup"]) for name, price in cost.items()}
    retail = {
        name: _marked_up(name, price, file["tenants"][0]["pricing"]["markup"]) for name, price in wholesale.items()
    }
    return Amounts(*(_charged(prices, quantities) for prices in (retail, wholesale, cost)))


def _marked_up(name: str, price: Fraction, markup: str) -> Fraction:
    finest = 10**6 if name in TOKEN_CLASSES else 10**12
    return Fraction(math.floor(price * (1 + Fraction(markup.rstrip("%")) / 100) * finest + Fraction(1, 2)), finest)


def _charged(prices: Mapping[str, Fraction], quantities: Mapping[str, int]) -> Fraction:
    exact = Fraction(0)
    for name, quantity in quantities.items():
        if name in TOKEN_CLASSES:
            fallback = prices.get("input" if name in _FALL_TO_INPUT else "output", Fraction(0))
            exact += quantity * prices.get(name, fallback) / 10**6
        else:
            exact += quantity * prices.get(name, Fraction(0))
    return Fraction(math.ceil(exact * 10**9), 10**9)


@pytest.mark.parametrize("model", _UPSTREAMS)
@pytest.mark.parametrize("api", _BODIES)
def test_a_plain_answer(dialects: Shop, caller: Customer, api: str, model: str) -> None:
    answer = post(dialects, caller, api, model, _BODIES[api]('[[text="Good morning to you" input=200]]'))
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert text_in(api, document) == "Good morning to you"
    assert document["modelVersion" if api == "generate_content" else "model"] == model
    record = assert_charged_by_the_journal(dialects, caller, answer.headers["x-request-id"])
    read = record["input_tokens"] + record["cached_input_tokens"]
    assert tokens_in(api, document) == (read, record["output_tokens"])
    assert "vendor" not in answer.text.casefold()


@pytest.mark.parametrize("model", _UPSTREAMS)
@pytest.mark.parametrize("api", _BODIES)
def test_a_streamed_answer(dialects: Shop, caller: Customer, api: str, model: str) -> None:
    body = _BODIES[api]('[[text="Good morning to you all"]]')
    answer = post(dialects, caller, api, model, body, stream=True)
    assert answer.status_code == 200, answer.text
    assert streamed_text(api, events_of(answer)) == "Good morning to you all"
    assert_charged_by_the_journal(dialects, caller, answer.headers["x-request-id"])
    assert "vendor" not in answer.text.casefold()


@pytest.mark.parametrize(
    ("api", "asked", "reason"),
    [
        ("chat", {"stop": [" to you"]}, '"finish_reason":"stop"'),
        ("messages", {"stop_sequences": [" to you"]}, '"stop_reason":"stop_sequence","stop_sequence":" to you"'),
        ("generate_content", {"generationConfig": {"stopSequences": [" to you"]}}, '"finishReason":"STOP"'),
    ],
)
def test_an_answer_ends_at_a_stop_sequence_that_its_upstream_does_not_know(
    dialects: Shop, caller: Customer, api: str, asked: dict[str, Any], reason: str
) -> None:
    body = _BODIES[api]('[[text="Good morning to you all" output=60]]', **asked)
    plain = post(dialects, caller, api, "via-responses", body)
    assert plain.status_code == 200, plain.text
    assert text_in(api, plain.json()) == "Good morning"
    streamed = post(dialects, caller, api, "via-responses", body, stream=True)
    assert streamed_text(api, events_of(streamed)) == "Good morning"
    for answer in (plain, streamed):
        assert reason in answer.text
        record = assert_charged_by_the_journal(dialects, caller, answer.headers["x-request-id"])
        assert record["output_tokens"] == 60
    assert tokens_in(api, plain.json())[1] == 60


@pytest.mark.parametrize("model", _UPSTREAMS)
def test_a_stream_of_messages_begins_with_about_its_input(dialects: Shop, caller: Customer, model: str) -> None:
    body = messages("A word. " * 2_000 + '[[text="Good morning"]]')
    events = events_of(post(dialects, caller, "messages", model, body, stream=True))
    begun, ended = events[0]["message"]["usage"], events[-2]["usage"]
    assert ended["input_tokens"] > 2_000
    # What the emulator takes for a token is longer than one of a real model.
    assert ended["input_tokens"] / 3 < begun["input_tokens"] < ended["input_tokens"] * 3


@pytest.mark.parametrize("model", _UPSTREAMS)
@pytest.mark.parametrize("api", _BODIES)
def test_a_tool_is_called(dialects: Shop, caller: Customer, api: str, model: str) -> None:
    body = _BODIES[api]("""[[tool arguments='{"city":"Ulm"}']]""", tools=_TOOLS[api])
    answer = post(dialects, caller, api, model, body)
    assert answer.status_code == 200, answer.text
    assert call_in(api, answer.json()) == ("weather", {"city": "Ulm"})
    assert_charged_by_the_journal(dialects, caller, answer.headers["x-request-id"])


@pytest.mark.parametrize("stream", ["plain", "stream"])
@pytest.mark.parametrize("model", _UPSTREAMS)
@pytest.mark.parametrize("api", _BODIES)
def test_a_tool_call_s_id_tells_nothing_of_who_made_it(
    dialects: Shop, caller: Customer, api: str, model: str, stream: str
) -> None:
    body = _BODIES[api]("[[tool=2]]", tools=_TOOLS[api])
    text = post(dialects, caller, api, model, body, stream=stream == "stream").text
    made = {"chat": "call_", "responses": "call_", "messages": "toolu_", "generate_content": ""}[api]
    foreign = {"call_", "toolu_"} - {made}
    assert f'"{made}' in text
    assert not any(f'id":"{prefix}' in text for prefix in foreign)


@pytest.mark.parametrize("model", _UPSTREAMS)
@pytest.mark.parametrize("api", _BODIES)
def test_thoughts_are_charged_once(dialects: Shop, caller: Customer, api: str, model: str) -> None:
    answer = post(dialects, caller, api, model, _BODIES[api]("[[reasoning=30 output=50 input=640 cached=96]]"))
    assert answer.status_code == 200, answer.text
    record = assert_charged_by_the_journal(dialects, caller, answer.headers["x-request-id"])
    assert (record["output_tokens"], record["input_tokens"], record["cached_input_tokens"]) == (50, 544, 96)


@pytest.mark.parametrize("model", _UPSTREAMS)
@pytest.mark.parametrize("api", _BODIES)
def test_a_cut_stream_ends_in_an_error_and_is_charged_for_what_came(
    dialects: Shop, caller: Customer, api: str, model: str
) -> None:
    answer = post(dialects, caller, api, model, _BODIES[api]("[[output=40 cut=9]]"), stream=True)
    assert answer.status_code == 200
    assert "error" in answer.text
    assert not any(end in answer.text for end in ("[DONE]", "message_stop", "response.completed", "finishReason"))
    record = dialects.record(caller, answer.headers["x-request-id"])
    assert record["status"] == "cut"
    # Gemini tells with every event what was used so far.
    assert record["usage_source"] == ("upstream" if model == "via-gemini" else "estimated")
    assert 0 < record["output_tokens"] <= 40


@pytest.mark.parametrize("model", _UPSTREAMS)
@pytest.mark.parametrize("api", _BODIES)
def test_an_upstream_s_refusal_names_nobody(dialects: Shop, caller: Customer, api: str, model: str) -> None:
    answer = post(dialects, caller, api, model, _BODIES[api]('[[status=400 message="vendor says no to mainspring"]]'))
    assert answer.status_code == 400
    assert not any(name in answer.text.casefold() for name in ("vendor", "mainspring", "hairspring", "escapement"))
    assert dialects.record(caller, answer.headers["x-request-id"])["retail"] == "0.00"


@pytest.mark.parametrize("begun", ["unbegun", "begun"])
@pytest.mark.parametrize("model", _UPSTREAMS)
@pytest.mark.parametrize("api", _BODIES)
def test_a_refusal_within_a_stream_names_nobody_and_says_what_it_is(
    dialects: Shop, caller: Customer, api: str, model: str, begun: str
) -> None:
    vendor = model.replace("via", "vendor")
    message = f"{vendor} of mainspring has a maximum context of 500 tokens"
    at = 7 if begun == "begun" else 0
    body = _BODIES[api](f'[[output=30 error={at} code=context_length_exceeded message="{message}"]]')
    answer = post(dialects, caller, api, model, body, stream=True)
    assert answer.status_code == (200 if begun == "begun" else 400), answer.text
    word = "prompt is too long" if api == "messages" else "context_length_exceeded"
    assert word in answer.text.lower()
    assert not any(name in answer.text.casefold() for name in ("vendor", "mainspring"))
    record = dialects.record(caller, answer.headers["x-request-id"])
    assert (record["status"], record["retail"] != "0.00") == (("cut", True) if begun == "begun" else ("refused", False))


@pytest.mark.parametrize("model", ["embedder", "gem-embedder", "painter", "listener", "guard"])
@pytest.mark.parametrize("api", _BODIES)
def test_a_model_of_another_kind_holds_no_conversation(dialects: Shop, caller: Customer, api: str, model: str) -> None:
    for stream in (False, True):
        answer = post(dialects, caller, api, model, _BODIES[api]("Hi"), stream=stream)
        assert answer.status_code == 404, answer.text
        assert f"The model '{model}' is not offered for " in answer.text
        assert answer.headers["x-should-retry"] == "false"
        assert dialects.journal(answer.headers["x-request-id"]) == []


def test_the_books_are_right(dialects: Shop) -> None:
    dialects.assert_books_are_right()


@pytest.mark.parametrize("model", _UPSTREAMS)
def test_counting_is_free_and_the_upstream_s_own_where_it_can(dialects: Shop, model: str) -> None:
    customer = dialects.customer(credit="1.00")
    body = {"model": model, "messages": [{"role": "user", "content": "How many tokens may this be?"}]}
    url = f"{customer.origin}/v1/messages/count_tokens"
    answer = dialects.http.post(url, json=body, headers=customer.headers)
    assert answer.status_code == 200, answer.text
    assert 5 < answer.json()["input_tokens"] < 50
    asked = dialects.journal(answer.headers["x-request-id"])
    assert [line["path"] for line in asked] == (["/v1/messages/count_tokens"] if model == "via-messages" else [])
    assert dialects.records(customer) == []
    assert dialects.balance(customer)["available"] == "1.00"


@pytest.mark.parametrize("model", _UPSTREAMS)
def test_completions_of_the_api_before_chat(dialects: Shop, caller: Customer, model: str) -> None:
    completions = dialects.sdk(caller).completions
    prompt = '[[text="Good morning to you" input=90 cached=10]]'
    plain = completions.with_raw_response.create(model=model, prompt=prompt, max_tokens=500)
    answer = plain.parse()
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("Good morning to you", "stop")
    assert (answer.object, answer.model, answer.usage and answer.usage.prompt_tokens) == ("text_completion", model, 90)
    assert_charged_by_the_journal(dialects, caller, plain.headers["x-request-id"])
    streamed = completions.create(model=model, prompt=prompt, stream=True, stream_options={"include_usage": True})
    pieces = list(streamed)
    assert "".join(choice.text for piece in pieces for choice in piece.choices) == "Good morning to you"
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.prompt_tokens == 90
    assert_charged_by_the_journal(dialects, caller, streamed.response.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/v1//chat/completions", "//v1/chat/completions", "/v1/v1/chat/completions/"])
def test_a_mistyped_base_url_works(dialects: Shop, caller: Customer, path: str) -> None:
    body = {"model": "via-chat", **chat("Hi")}
    assert dialects.http.post(f"{caller.origin}{path}", json=body, headers=caller.headers).status_code == 200


def task(shop: Shop, customer: Customer, path: str, model: str, **body: Any) -> httpx.Response:
    """One request that is no conversation."""
    answer = shop.http.post(f"{customer.origin}{path}", json={"model": model, **body}, headers=customer.headers)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(
    ("path", "model", "body"),
    [
        ("/v1/embeddings", "embedder", {"input": ["one", "two words"]}),
        ("/v1/embeddings", "embedder", {"input": [[1, 2, 3]], "encoding_format": "base64"}),
        ("/v1/embeddings", "gem-embedder", {"input": ["one", "two words"], "dimensions": 8}),
        ("/v1/embeddings", "gem-embedder", {"input": "one", "encoding_format": "base64"}),
        ("/v1/images/generations", "painter", {"prompt": "a boat", "n": 2}),
        ("/v1/images/generations", "brush", {"prompt": "a boat"}),
        ("/v1/audio/speech", "speaker", {"input": "Read this äloud", "voice": "alloy"}),
        ("/v1/moderations", "guard", {"input": "fine"}),
        ("/v1/rerank", "ranker", {"query": "boats", "documents": ["a boat", "a car"]}),
    ],
)
def test_a_task_is_charged_by_what_it_used(
    dialects: Shop, caller: Customer, path: str, model: str, body: dict[str, Any]
) -> None:
    answer = task(dialects, caller, path, model, **body)
    assert_charged_by_the_journal(dialects, caller, answer.headers["x-request-id"])
    if answer.headers["content-type"] == "application/json":
        assert answer.json().get("model", model) == model
        assert "vendor" not in answer.text.casefold()


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        *(("scribe", wanted) for wanted in ("json", "text", "verbose_json", "srt", "vtt")),
        # Models that count tokens answer in JSON alone.
        *(("listener", wanted) for wanted in ("json", "text")),
    ],
)
def test_a_recording_is_written_down(dialects: Shop, caller: Customer, model: str, wanted: str) -> None:
    answer = dialects.http.post(
        f"{caller.origin}/v1/audio/transcriptions",
        headers=caller.headers,
        files={"file": ("speech.wav", _sound(3), "audio/wav")},
        data={"model": model, "response_format": wanted},
    )
    assert answer.status_code == 200, answer.text
    record = dialects.record(caller, answer.headers["x-request-id"])
    assert record["retail"] != "0.00"
    if wanted != "json" or model == "listener":
        assert_charged_by_the_journal(dialects, caller, answer.headers["x-request-id"])


def _sound(seconds: int) -> bytes:
    rate = 8000
    data = bytes(rate * 2 * seconds - 44)
    head = struct.pack(
        "<4sI8sIHHIIHH4sI", b"RIFF", len(data) + 36, b"WAVEfmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", len(data)
    )
    return head + data
