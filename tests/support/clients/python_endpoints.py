"""Calls of the Python SDKs beyond a conversation: what a recorder should see once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pydantic
from google import genai
from google.genai import types

from tests.support.clients.outcome import Outcome, Task

Call = Callable[[Task], Outcome]


class Word(pydantic.BaseModel):
    """What structured output asks for."""

    word: str
    count: int


def calls() -> Iterator[tuple[str, str, Call]]:
    """Name, client and call."""
    for name, call in _openai().items():
        yield name, "openai-python", _with_openai(call)
    for name, ask in _anthropic().items():
        yield name, "anthropic-python", _with_anthropic(ask)
    for name, generate in _genai().items():
        yield name, "google-genai-python", _with_genai(generate)


def _openai() -> dict[str, Callable[[openai.OpenAI], Any]]:
    model, voice = "gpt-5-mini", "alloy"
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
    asked: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]
    return {
        "completions": lambda c: c.completions.create(model=model, prompt="Say hello.", max_tokens=5),
        "chat-image": lambda c: c.chat.completions.create(model=model, messages=asked),
        "chat-structured": lambda c: c.chat.completions.parse(
            model=model, messages=[{"role": "user", "content": "A word."}], response_format=Word
        ),
        "responses-structured": lambda c: c.responses.parse(model=model, input="A word.", text_format=Word),
        "responses-previous": lambda c: c.responses.create(model=model, input="Hi", previous_response_id="resp_1"),
        "responses-retrieve": lambda c: c.responses.retrieve("resp_1"),
        "responses-delete": lambda c: c.responses.delete("resp_1"),
        "responses-count": lambda c: c.responses.input_tokens.count(model=model, input="Say hello."),
        "embeddings": lambda c: c.embeddings.create(model="text-embedding-3-small", input=["one", "two"]),
        "images": lambda c: c.images.generate(model="gpt-image-1", prompt="A cat", size="1024x1024"),
        "speech": lambda c: c.audio.speech.create(model="tts-1", voice=voice, input="Hello."),
        "transcription": lambda c: c.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF")),
        "moderation": lambda c: c.moderations.create(input="Hello."),
        "models": lambda c: list(c.models.list()),
        "model": lambda c: c.models.retrieve(model),
    }


def _anthropic() -> dict[str, Callable[[anthropic.Anthropic], Any]]:
    model = "claude-sonnet-4-6"
    asked: Any = [{"role": "user", "content": "Say hello."}]
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    seen: Any = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    system: Any = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    return {
        "count-tokens": lambda c: c.messages.count_tokens(model=model, messages=asked),
        "models": lambda c: list(c.models.list()),
        "image": lambda c: c.messages.create(model=model, max_tokens=64, messages=seen),
        "cached-system": lambda c: c.messages.create(model=model, max_tokens=64, messages=asked, system=system),
        "thinking": lambda c: c.messages.create(model=model, max_tokens=2048, messages=asked, thinking=thinking),
        "structured": lambda c: c.messages.parse(model=model, max_tokens=64, messages=asked, output_format=Word),
    }


def _genai() -> dict[str, Callable[[genai.Client], Any]]:
    model = "gemini-2.5-flash"
    structured = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Word)
    thoughtful = types.GenerateContentConfig(
        system_instruction="Be brief.",
        temperature=0.5,
        max_output_tokens=64,
        stop_sequences=["END"],
        thinking_config=types.ThinkingConfig(thinking_budget=128, include_thoughts=True),
    )
    picture: Any = [types.Part.from_bytes(data=b"\x89PNG", mime_type="image/png"), "What is it?"]

    def ask(client: genai.Client, contents: Any = "Say hello.", config: Any = None) -> Any:
        return client.models.generate_content(model=model, contents=contents, config=config)

    return {
        "structured": lambda c: ask(c, config=structured),
        "thinking": lambda c: ask(c, config=thoughtful),
        "image": lambda c: ask(c, picture),
        "count-tokens": lambda c: c.models.count_tokens(model=model, contents="Say hello."),
        "embeddings": lambda c: c.models.embed_content(model="gemini-embedding-001", contents=["one", "two"]),
        "models": lambda c: list(c.models.list()),
    }


def _with_openai(call: Callable[[openai.OpenAI], Any]) -> Call:
    return lambda task: _tried(call, openai.OpenAI(base_url=f"{task.origin}/v1", api_key=task.key, max_retries=0))


def _with_anthropic(call: Callable[[anthropic.Anthropic], Any]) -> Call:
    return lambda task: _tried(call, anthropic.Anthropic(base_url=task.origin, api_key=task.key, max_retries=0))


def _with_genai(call: Callable[[genai.Client], Any]) -> Call:
    def run(task: Task) -> Outcome:
        options = types.HttpOptions(base_url=task.origin)
        return _tried(call, genai.Client(api_key=task.key, http_options=options))

    return run


def _tried(call: Callable[[Any], Any], client: Any) -> Outcome:
    """The recorder's answer is no answer to most of these: only what was sent counts."""
    with contextlib.suppress(Exception), contextlib.closing(client):
        call(client)
    return Outcome()
