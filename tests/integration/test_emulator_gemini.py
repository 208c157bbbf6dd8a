"""The emulator's Gemini API, as Google's own SDK reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from tests.support.emulation import Providers, providers

pytestmark = pytest.mark.thorough  # the SDKs alone take seconds to load

MODEL = "gemini-3.8-flash"
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
TOOLS: Any = [{"function_declarations": [{"name": "look_up", "description": "Looks up.", "parameters": SCHEMA}]}]
THOUGHTS: Any = {"include_thoughts": True}


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with providers(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="module")
def client(upstream: Providers) -> genai.Client:
    return upstream.gemini()


def say(client: genai.Client, given: Any = "Hi", **config: Any) -> types.GenerateContentResponse:
    settings = types.GenerateContentConfig(**{"automatic_function_calling": {"disable": True}, **config})
    return client.models.generate_content(model=MODEL, contents=given, config=settings)


def stream(client: genai.Client, given: Any = "Hi", **config: Any) -> list[types.GenerateContentResponse]:
    settings = types.GenerateContentConfig(**{"automatic_function_calling": {"disable": True}, **config})
    return list(client.models.generate_content_stream(model=MODEL, contents=given, config=settings))


def parts(response: types.GenerateContentResponse) -> list[types.Part]:
    found = response.candidates
    assert found
    return list((found[0].content.parts if found[0].content else None) or ())


def finish(response: types.GenerateContentResponse) -> str:
    assert response.candidates
    reason = response.candidates[0].finish_reason
    assert reason is not None
    return reason.value


def test_plain_and_streamed_answers_agree(client: genai.Client, upstream: Providers) -> None:
    text = "Hi [[input=50 cached=10 output=20 reasoning=5 tool_prompt=7]]"
    plain, chunks = say(client, text, thinking_config=THOUGHTS), stream(client, text, thinking_config=THOUGHTS)
    assert plain.text == "".join(chunk.text or "" for chunk in chunks)
    assert plain.text is not None
    assert len(plain.text.split()) == 15
    assert [part.thought for part in parts(plain)] == [True, None]
    assert plain.usage_metadata == chunks[-1].usage_metadata
    usage = plain.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.cached_content_token_count, usage.tool_use_prompt_token_count) == (
        50,
        10,
        7,
    )
    assert (usage.candidates_token_count, usage.thoughts_token_count, usage.total_token_count) == (15, 5, 77)
    line = upstream.last()
    assert line["classes"] == {"input": 47, "cached_input": 10, "output": 20}
    assert (line["dialect"], line["finished"], line["reasoning_tokens"]) == ("gemini", True, 5)
    assert line["usage"]["totalTokenCount"] == 77


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_round_trip(client: genai.Client, *, streamed: bool) -> None:
    def ask(given: Any) -> list[types.Part]:
        answers = stream(client, given, tools=TOOLS) if streamed else [say(client, given, tools=TOOLS)]
        return [part for answer in answers for part in parts(answer)]

    contents: list[Any] = [types.Content(role="user", parts=[types.Part(text="Look it up [[tool=2]]")])]
    said = ask(contents)
    calls = [part.function_call for part in said if part.function_call]
    assert [(call.name, call.args) for call in calls] == [("look_up", {"word": "a plain value"})] * 2
    assert said[0].thought_signature is not None
    results = [types.Part.from_function_response(name="look_up", response={"found": "42"}) for _ in calls]
    contents += [types.Content(role="model", parts=said[:2]), types.Content(role="user", parts=results)]
    assert "".join(part.text or "" for part in ask(contents)).startswith("the quick")
    with pytest.raises(errors.ClientError, match="number of function response parts"):
        ask([*contents[:2], types.Content(role="user", parts=results[:1])])
    said[0].thought_signature = None
    with pytest.raises(errors.ClientError, match="missing a thought_signature"):
        ask(contents)
    said[0].thought_signature = base64.b64decode("c29tZW9uZSBlbHNl")
    with pytest.raises(errors.ClientError, match="signature is not valid"):
        ask(contents)


@pytest.mark.parametrize(
    ("text", "config", "reason"),
    [
        ("Hi", {"max_output_tokens": 3}, "MAX_TOKENS"),
        ("[[refuse]]", {}, "SAFETY"),
        ('[[text="one two STOP three"]]', {"stop_sequences": ["STOP"]}, "STOP"),
    ],
)
def test_finish_reasons(client: genai.Client, text: str, config: dict[str, Any], reason: str) -> None:
    assert finish(say(client, text, **config)) == finish(stream(client, text, **config)[-1]) == reason


def test_structured_output_and_forced_tools(client: genai.Client) -> None:
    answer = say(client, response_mime_type="application/json", response_schema=SCHEMA)
    assert answer.text == '{"word": "a plain value"}'
    forced = say(client, tools=TOOLS, tool_config={"function_calling_config": {"mode": "ANY"}})
    assert parts(forced)[0].function_call is not None


def test_counting_embeddings_and_models(client: genai.Client, upstream: Providers) -> None:
    counted = client.models.count_tokens(model=MODEL, contents="one two").total_tokens
    usage = say(client, "one two").usage_metadata
    assert usage is not None
    assert counted == usage.prompt_token_count == 9
    config = types.EmbedContentConfig(output_dimensionality=64)
    contents = [types.Content(parts=[types.Part(text=words)]) for words in ("one two", "three")]
    made = client.models.embed_content(model="gemini-embedding-001", contents=contents, config=config)
    assert [len(found.values or ()) for found in made.embeddings or ()] == [64, 64]
    assert upstream.last()["classes"] == {"input": 3}
    names = [model.name for model in client.models.list()]
    assert names[0] is not None
    assert client.models.get(model=names[0]).name == names[0]


def post(upstream: Providers, method: str, body: Any, **headers: str) -> httpx.Response:
    wanted = {"x-goog-api-key": "AIza-x"} | headers
    return httpx.post(f"{upstream.root}/v1beta/models/{MODEL}:{method}", json=body, headers=wanted, trust_env=False)


def hello(text: str) -> Any:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def test_without_events_a_stream_is_one_array(upstream: Providers) -> None:
    answer = post(upstream, "streamGenerateContent", hello("Hi [[output=3]]"))
    assert answer.headers["content-type"].startswith("application/json")
    chunks = answer.json()
    assert len(chunks) == 4
    assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] == 3
    broken = post(upstream, "streamGenerateContent", hello("Hi [[error=2]]")).json()
    assert broken[-1]["error"]["status"] == "UNAVAILABLE"
    one = post(upstream, "embedContent", {"content": {"parts": [{"text": "one two"}]}})
    assert len(one.json()["embedding"]["values"]) == 768


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "contents is not specified"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
        ({"contents": [{"role": "user", "parts": [{"thought": True}]}]}, "required oneof"),
        (hello("x") | {"messages": []}, "Unknown name"),
        (hello("x") | {"generationConfig": {"max_tokens": 5}}, "Unknown name"),
        (hello("x") | {"generationConfig": {"maxOutputTokens": 0}}, "max_output_tokens"),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}]}]}, "immediately after a user"),
    ],
)
def test_refused_requests(upstream: Providers, body: Any, message: str) -> None:
    answer = post(upstream, "generateContent", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert message in error["message"]


def test_names_with_underscores_are_known_too(upstream: Providers) -> None:
    body = hello("Hi") | {"generation_config": {"max_output_tokens": 2}}
    assert post(upstream, "generateContent", body).json()["usageMetadata"]["candidatesTokenCount"] == 2


def test_faults_in_its_own_words(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as limited:
        say(client, "[[status=429]]")
    assert (limited.value.code, limited.value.status) == (429, "RESOURCE_EXHAUSTED")
    with pytest.raises(errors.ServerError) as down:
        say(client, "[[status=503]]")
    assert down.value.status == "UNAVAILABLE"
    with pytest.raises(errors.ClientError, match="exceeds the maximum number of tokens"):
        say(client, "[[too_long]]")
    with pytest.raises(errors.APIError):
        stream(client, "[[error=3]]")


def test_keys_and_models(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = ("--api-key", "AIza-right", "--model", MODEL)
    with providers(tmp_path_factory.mktemp("strict"), *options) as strict:
        with pytest.raises(errors.ClientError, match="API key not valid"):
            say(strict.gemini("AIza-wrong"))
        with pytest.raises(errors.ClientError, match="models/gemini-x is not found"):
            strict.gemini("AIza-right").models.generate_content(model="gemini-x", contents="Hi")
        in_query = httpx.post(
            f"{strict.root}/v1/models/{MODEL}:generateContent?key=AIza-right", json=hello("Hi"), trust_env=False
        )
        assert in_query.status_code == 200
        assert "AIza" not in json.dumps(strict.journal())
        assert [line["status"] for line in strict.journal()] == [400, 404, 200]
