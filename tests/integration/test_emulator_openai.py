"""The emulator's smaller OpenAI APIs, as OpenAI's own SDK reads them."""

from __future__ import annotations

import base64
import io
import math
import struct
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.support.emulation import Providers, providers

pytestmark = pytest.mark.thorough  # the SDKs alone take seconds to load


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with providers(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="module")
def client(upstream: Providers) -> openai.OpenAI:
    return upstream.openai()


def sound(seconds: int) -> tuple[str, bytes]:
    made = io.BytesIO()
    with wave.open(made, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(8000)
        opened.writeframes(bytes(seconds * 16_000))
    return "spoken.wav", made.getvalue()


def test_completions(client: openai.OpenAI, upstream: Providers) -> None:
    asked: Any = {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi [[output=5]]", "max_tokens": 4}
    plain = client.completions.create(**asked)
    assert plain.usage is not None
    assert (plain.usage.completion_tokens, plain.choices[0].finish_reason) == (4, "length")
    chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == plain.choices[0].text
    assert chunks[-1].usage == plain.usage
    assert upstream.last()["classes"] == {"input": 9, "output": 4}
    list(client.completions.create(**asked, stream=True))
    assert upstream.last()["usage"] is None


def test_embeddings_in_both_encodings(client: openai.OpenAI, upstream: Providers) -> None:
    asked: Any = {"model": "text-embedding-3-small", "input": ["one two", "three"], "dimensions": 64}
    decoded = client.embeddings.create(**asked)  # the SDK asks for base64 and unpacks it
    floats = client.embeddings.create(**asked, encoding_format="float")
    packed: Any = client.embeddings.create(**asked, encoding_format="base64")
    assert floats.usage.prompt_tokens == 3
    assert upstream.last()["classes"] == {"input": 3}
    for n, found in enumerate(floats.data):
        assert math.isclose(math.hypot(*found.embedding), 1)
        assert decoded.data[n].embedding == pytest.approx(found.embedding, abs=1e-6)
        raw = base64.b64decode(packed.data[n].embedding)
        assert struct.unpack("<64f", raw) == pytest.approx(found.embedding, abs=1e-6)
    assert len(client.embeddings.create(model="m", input=[1, 2, 3]).data[0].embedding) == 1536


def test_images_report_text_and_image_tokens(client: openai.OpenAI, upstream: Providers) -> None:
    asked: Any = {"model": "gpt-image-1", "prompt": "a red fox", "quality": "low"}
    made = client.images.generate(**asked, n=2)
    assert made.data is not None
    assert base64.b64decode(made.data[1].b64_json or "").startswith(b"\x89PNG")
    assert made.usage is not None
    assert (made.usage.input_tokens_details.text_tokens, made.usage.output_tokens) == (3, 544)
    assert upstream.last()["classes"] == {"input": 3, "output_image": 544}
    events = list(client.images.generate(**asked, stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    assert client.images.generate(model="dall-e-3", prompt="a fox").usage is None
    assert upstream.last()["classes"] == {"images": 1}


def test_speech_is_counted_by_characters(client: openai.OpenAI, upstream: Providers) -> None:
    asked: Any = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Grüß Gott"}
    assert client.audio.speech.create(**asked).content.startswith(b"\xff\xf3")
    assert client.audio.speech.create(**asked, response_format="wav").content.startswith(b"RIFF")
    assert upstream.last()["classes"] == {"characters": 9}
    events = client.audio.speech.create(**asked, stream_format="sse").text
    assert '"type":"speech.audio.done"' in events


def test_transcriptions_are_counted_by_seconds_or_tokens(client: openai.OpenAI, upstream: Providers) -> None:
    heard: Any = client.audio.transcriptions.create(model="whisper-1", file=sound(3), response_format="verbose_json")
    assert (heard.duration, heard.usage.seconds, len(heard.segments)) == (3, 3, 1)
    assert upstream.last()["classes"] == {"seconds": 3}
    plain: Any = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=sound(2), prompt='[[text="good day" input=4]]'
    )
    assert (plain.text, plain.usage.type, plain.usage.input_tokens, plain.usage.output_tokens) == (
        "good day",
        "tokens",
        24,
        2,
    )
    assert upstream.last()["classes"] == {"input": 4, "input_audio": 20, "output": 2}
    events = list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound(2), stream=True))
    assert events[-1].type == "transcript.text.done"
    assert client.audio.transcriptions.create(model="whisper-1", file=sound(1), response_format="text").startswith(
        "the"
    )
    assert upstream.last()["usage"] is None
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound(1), response_format="verbose_json")


def test_moderations_and_rerank(client: openai.OpenAI, upstream: Providers) -> None:
    verdicts = client.moderations.create(input=["peace", "some violence"]).results
    assert [verdict.flagged for verdict in verdicts] == [False, True]
    assert upstream.last()["classes"] == {"request": 1}
    asked = {
        "model": "rerank-v3.5",
        "query": "red fox",
        "documents": ["a dog", {"text": "a red fox"}, "a fox"],
        "top_n": 2,
    }
    headers = {"authorization": "Bearer sk-openai"}
    found = httpx.post(f"{upstream.root}/v1/rerank", json=asked, headers=headers, trust_env=False).json()
    assert [(result["index"], result["relevance_score"]) for result in found["results"]] == [(1, 1), (2, 0.5)]
    assert found["meta"]["billed_units"] == {"search_units": 1}
    assert upstream.last()["classes"] == {"request": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("completions", {"model": "m"}),
        ("embeddings", {"model": "m", "input": []}),
        ("embeddings", {"model": "m", "input": "x", "encoding_format": "hex"}),
        ("images/generations", {"model": "m", "prompt": "x", "n": 11}),
        ("images/generations", {"model": "m", "prompt": "x", "size": "1x1"}),
        ("audio/speech", {"model": "m", "input": "x"}),
        ("audio/speech", {"model": "m", "input": "x" * 4097, "voice": "alloy"}),
        ("audio/transcriptions", {"model": "m"}),
        ("rerank", {"model": "m", "query": "x", "documents": []}),
        ("moderations", {}),
    ],
)
def test_refused_requests(upstream: Providers, path: str, body: Any) -> None:
    headers = {"authorization": "Bearer sk-openai"}
    answer = httpx.post(f"{upstream.root}/v1/{path}", json=body, headers=headers, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["completions", "embeddings", "images/generations", "audio/speech", "rerank"])
def test_faults(upstream: Providers, path: str) -> None:
    text = "[[status=429 retry_after=2]]"
    body = {"model": "m", "prompt": text, "input": text, "query": text, "documents": ["x"], "voice": "alloy"}
    headers = {"authorization": "Bearer sk-openai"}
    answer = httpx.post(f"{upstream.root}/v1/{path}", json=body, headers=headers, trust_env=False)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert upstream.last()["classes"] == {}
