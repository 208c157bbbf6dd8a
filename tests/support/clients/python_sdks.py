"""The SDKs of PyPI, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import errors, types

from tests.support.clients.outcome import TOOL, TOOL_ABOUT, TOOL_ANSWER, TOOL_SCHEMA, Client, Outcome, Task


def python_sdks() -> list[Client]:
    """One client per SDK and dialect."""
    return [
        Client("openai-python chat", "chat", openai_chat),
        Client("openai-python responses", "responses", openai_responses),
        Client("anthropic-python", "anthropic", anthropic_messages),
        Client("google-genai-python", "gemini", google_genai),
    ]


def openai_chat(task: Task) -> Outcome:
    """Openai on chat completions."""
    tools: Any = [{"type": "function", "function": _tool("parameters")}]
    question: list[Any] = [{"role": "user", "content": task.prompt}]

    def seen(completion: Any) -> Outcome:
        usage = completion.usage
        return Outcome(completion.choices[0].message.content or "", usage.prompt_tokens, usage.completion_tokens)

    def streamed(client: openai.OpenAI, messages: list[Any], **more: Any) -> Any:
        options: Any = {"include_usage": True}
        with client.chat.completions.stream(
            model=task.model, messages=messages, stream_options=options, **more
        ) as stream:
            return stream.get_final_completion()

    def run(client: openai.OpenAI) -> Outcome:
        if task.action == "echo":
            return seen(client.chat.completions.create(model=task.model, messages=question))
        if task.action == "stream":
            return seen(streamed(client, question))
        first = streamed(client, question, tools=tools).choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": TOOL_ANSWER} for call in first.tool_calls or ()]
        return seen(streamed(client, [*question, first.model_dump(exclude_none=True), *results], tools=tools))

    return _openai(task, run)


def openai_responses(task: Task) -> Outcome:
    """Openai on responses."""
    tools: Any = [{"type": "function", "strict": True, **_tool("parameters")}]
    question: list[Any] = [{"role": "user", "content": task.prompt}]

    def seen(response: Any) -> Outcome:
        return Outcome(response.output_text, response.usage.input_tokens, response.usage.output_tokens)

    def streamed(client: openai.OpenAI, given: list[Any], **more: Any) -> Any:
        with client.responses.stream(model=task.model, input=given, store=False, **more) as stream:
            return stream.get_final_response()

    def run(client: openai.OpenAI) -> Outcome:
        if task.action == "echo":
            return seen(client.responses.create(model=task.model, input=question, store=False))
        if task.action == "stream":
            return seen(streamed(client, question))
        first = streamed(client, question, tools=tools)
        said = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
        results = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": TOOL_ANSWER}
            for item in said
            if item["type"] == "function_call"
        ]
        return seen(streamed(client, [*question, *said, *results], tools=tools))

    return _openai(task, run)


def anthropic_messages(task: Task) -> Outcome:
    """Anthropic on messages."""
    tools: Any = [_tool("input_schema")]
    question: list[Any] = [{"role": "user", "content": task.prompt}]

    def seen(message: Any) -> Outcome:
        text = "".join(block.text for block in message.content if block.type == "text")
        return Outcome(text, message.usage.input_tokens, message.usage.output_tokens)

    def streamed(client: anthropic.Anthropic, messages: list[Any], **more: Any) -> Any:
        with client.messages.stream(model=task.model, max_tokens=256, messages=messages, **more) as stream:
            return stream.get_final_message()

    def run(client: anthropic.Anthropic) -> Outcome:
        if task.action == "echo":
            return seen(client.messages.create(model=task.model, max_tokens=256, messages=question))
        if task.action == "stream":
            return seen(streamed(client, question))
        first = streamed(client, question, tools=tools)
        said = [block.model_dump(exclude_none=True) for block in first.content]
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": TOOL_ANSWER}
            for block in first.content
            if block.type == "tool_use"
        ]
        turns = [{"role": "assistant", "content": said}, {"role": "user", "content": results}]
        return seen(streamed(client, [*question, *turns], tools=tools))

    with anthropic.Anthropic(base_url=task.origin, api_key=task.key, **_repeats(task)) as client:
        try:
            return run(client)
        except anthropic.APIError as error:
            return Outcome(status=getattr(error, "status_code", 0), error=str(error))


def google_genai(task: Task) -> Outcome:
    """google-genai on generateContent."""
    declared = types.FunctionDeclaration(name=TOOL, description=TOOL_ABOUT, parameters_json_schema=TOOL_SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    question: list[Any] = [types.Content(role="user", parts=[types.Part(text=task.prompt)])]

    def seen(parts: list[types.Part], usage: Any) -> Outcome:
        text = "".join(part.text or "" for part in parts if not part.thought)
        spent = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        return Outcome(text, usage.prompt_token_count, spent)

    def streamed(client: genai.Client, contents: list[Any], config: Any = None) -> tuple[list[types.Part], Any]:
        parts: list[types.Part] = []
        usage = None
        for chunk in client.models.generate_content_stream(model=task.model, contents=contents, config=config):
            parts += (
                (chunk.candidates[0].content.parts or []) if chunk.candidates and chunk.candidates[0].content else []
            )
            usage = chunk.usage_metadata or usage
        return parts, usage

    def run(client: genai.Client) -> Outcome:
        if task.action == "echo":
            answer = client.models.generate_content(model=task.model, contents=question)
            return seen(answer.parts or [], answer.usage_metadata)
        if task.action == "stream":
            return seen(*streamed(client, question))
        said, _ = streamed(client, question, config)
        calls = [part.function_call for part in said if part.function_call]
        answered = {"output": TOOL_ANSWER}
        results = [
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response=answered))
            for call in calls
        ]
        turns = [types.Content(role="model", parts=said), types.Content(role="user", parts=results)]
        return seen(*streamed(client, [*question, *turns], config))

    repeats = None if task.retries is None else types.HttpRetryOptions(attempts=task.retries + 1)
    options = types.HttpOptions(base_url=task.origin, retry_options=repeats)
    with genai.Client(api_key=task.key, http_options=options) as client:
        try:
            return run(client)
        except errors.APIError as error:
            return Outcome(status=error.code, error=str(error.message))


def _openai(task: Task, run: Callable[[openai.OpenAI], Outcome]) -> Outcome:
    with openai.OpenAI(base_url=f"{task.origin}/v1", api_key=task.key, **_repeats(task)) as client:
        try:
            return run(client)
        except openai.APIError as error:
            return Outcome(status=getattr(error, "status_code", 0), error=str(error))


def _repeats(task: Task) -> dict[str, Any]:
    return {} if task.retries is None else {"max_retries": task.retries}


def _tool(schema_field: str) -> dict[str, Any]:
    described = json.loads(json.dumps({"name": TOOL, "description": TOOL_ABOUT}))
    return {**described, schema_field: TOOL_SCHEMA}
