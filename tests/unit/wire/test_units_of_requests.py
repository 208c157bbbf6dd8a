"""What requests may come to in other units than tokens, and how often they may have their context read."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from reseller_kit.core.usage import Usage
from reseller_kit.wire.anthropic_messages import request
from reseller_kit.wire.media import IMAGE_TOKENS, PAGE_TOKENS
from reseller_kit.wire.task import Task
from reseller_kit.wire.tasks import embeddings, images, rerank, transcriptions
from reseller_kit.wire.tasks.multipart import Field

from .test_media import b64, png, wav

SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def message(**members: Any) -> bytes:
    turns = [{"role": "user", "content": "hello"}]
    return json.dumps({"model": "m", "max_tokens": 9, "messages": turns, **members}).encode()


@pytest.mark.parametrize(
    ("members", "tool_calls", "inputs"),
    [
        ({}, 0, 1),
        ({"tools": [{**SEARCH, "max_uses": 3}]}, 3, 4),
        ({"tools": [SEARCH]}, 10, 11),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, 0, 2),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}, "tools": [{**SEARCH, "max_uses": 1}]}, 1, 4),
    ],
)
def test_searches_and_compaction_are_bounded(members: dict[str, Any], tool_calls: int, inputs: int) -> None:
    call = request.decode(message(**members))
    assert (call.tool_calls, call.inputs) == (tool_calls, inputs)
    assert call.summaries == ("context_management" in members)


@pytest.mark.parametrize(
    ("kind", "data", "tokens"),
    [
        ("image", b64(png(280, 280)), 2_300),
        ("image", "AAAA", IMAGE_TOKENS),
        ("document", b64(b"%PDF-1.4 << /Type /Page >>"), PAGE_TOKENS),
        ("document", "AAAA", 4),
    ],
)
def test_media_of_messages_count_by_what_they_are(kind: str, data: str, tokens: int) -> None:
    block = {"type": kind, "source": {"type": "base64", "media_type": "x/y", "data": data}}
    body = message(messages=[{"role": "user", "content": [block]}])
    call = request.decode(body)
    assert (call.media_tokens, call.input_bound) == (tokens, len(body) - len(data) + tokens)


def transcribe(sound: bytes, **fields: str) -> Any:
    form = [Field(name=name, content=value.encode()) for name, value in {"model": "m", **fields}.items()]
    return transcriptions.decode([*form, Field(name="file", content=sound, filename="a.wav")])


def test_a_recording_is_held_for_its_length() -> None:
    assert transcribe(wav(9)).units == {"seconds": 9}
    assert transcribe(b"ID3" + b"\0" * 1_497).units == {"seconds": 2}


def test_a_recording_is_at_least_as_long_as_its_subtitles() -> None:
    # Its header claims sixteen times the samples of a second that there are.
    sound = wav(9).replace(struct.pack("<I", 8_000), struct.pack("<I", 128_000), 1)
    answer = transcribe(sound, response_format="srt").read(
        b"1\n00:00:00,000 --> 00:00:08,400\nHello\n", "text/plain", {"seconds": 1}, "req_1"
    )
    assert answer.usage == Usage(seconds=9)


def test_a_verbose_transcript_without_usage_tells_its_length() -> None:
    body = b'{"text":"Hello","duration":8.4,"usage":null}'
    answer = transcribe(b"ID3", response_format="verbose_json").read(body, "application/json", {"seconds": 1}, "req_1")
    assert answer.usage == Usage(seconds=9)


def test_a_ranking_is_charged_by_whichever_report_says_it() -> None:
    task = rerank.decode(json.dumps({"model": "m", "query": "q", "documents": ["a", "b"]}).encode())
    both = {"results": [], "usage": {"total_tokens": 70}, "meta": {"billed_units": {"search_units": 3}}}
    for prices, usage in (({"request": 1}, Usage(requests=3)), ({"input": 1}, Usage(input_tokens=70))):
        assert task.read(json.dumps(both).encode(), "application/json", prices, "req_1").usage == usage


@pytest.mark.parametrize(
    ("task", "answer", "usage"),
    [
        (
            embeddings.decode(b'{"model":"m","input":"x"}'),
            {"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}},
            Usage(input_tokens=8),
        ),
        (
            images.decode(b'{"model":"m","prompt":"x"}'),
            {"data": [{"b64_json": "AA"}], "usage": {"input_tokens": 8, "output_tokens": 9}},
            Usage(input_tokens=8, output_image_tokens=9),
        ),
        (
            rerank.decode(b'{"model":"m","query":"q","documents":[{"text":"a"}]}'),
            {
                "results": [{"index": 0, "relevance_score": 0.5, "document": {"text": "a"}}],
                "usage": {"total_tokens": 8},
            },
            Usage(input_tokens=8),
        ),
    ],
)
def test_answers_of_tasks_are_metered_and_shown(task: Task, answer: dict[str, Any], usage: Usage) -> None:
    prices = {"input": 1, "output": 1}
    found = task.read(json.dumps(answer).encode(), "application/json", prices, "req_1")
    assert found.usage == usage
    shown = json.loads(found.body(usage))
    assert shown["usage"]["total_tokens"] == usage.total_input_tokens + usage.total_output_tokens
    assert task.read(json.dumps({**answer, "usage": None}).encode(), "application/json", prices, "req_1").usage is None
