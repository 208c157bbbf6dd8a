"""Anthropic's Messages request: what of it changes an answer, and what the real service refuses."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any, Final

from scripts._emulator import signing
from scripts._emulator.directives import BadRequest, Caching
from scripts._emulator.fields import flag, kind_of, mapping, mappings, names, string, strings, whole
from scripts._emulator.turn import Tool, Turn

_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_MOST_CACHE_MARKS: Final = 4
_LEAST_BUDGET: Final = 1024
# As the API lists them, with those that a beta header opens.
_FIELDS: Final = names(
    "cache_control container context_management diagnostics fallbacks inference_geo max_tokens mcp_servers messages"
    " metadata model output_config output_format service_tier speed stop_sequences stream system temperature thinking"
    " thread tool_choice tools top_k top_p user_profile_id workspace_id billing_policy compaction"
    " fallback_credit_token"
)
_BETA_FIELDS: Final = names(
    "context_management mcp_servers fallbacks compaction thread billing_policy fallback_credit_token output_format"
)
_BLOCKS: Final = names(
    "text image document search_result thinking redacted_thinking tool_use tool_result server_tool_use"
    " web_search_tool_result web_fetch_tool_result code_execution_tool_result bash_code_execution_tool_result"
    " text_editor_code_execution_tool_result tool_search_tool_result mcp_tool_use mcp_tool_result container_upload"
    " compaction advisor_tool_result tool_reference fallback"
)


def read(request: dict[str, Any], secret: str, *, beta: bool, counting: bool = False) -> Turn:
    """The request in no dialect's words. Raises BadRequest.

    `beta`: a header asks for a preview, whose fields are unknown without it. `counting`: for count_tokens, no limit.
    """
    for name in request:
        if name not in _FIELDS or (name in _BETA_FIELDS and not beta):
            raise BadRequest(f"{name}: Extra inputs are not permitted", name)
    if "model" not in request:
        raise BadRequest("model: Field required", "model")
    if "max_tokens" not in request and not counting:
        raise BadRequest("max_tokens: Field required", "max_tokens")
    limit = whole(request.get("max_tokens"), "max_tokens", 1)
    if "messages" not in request:
        raise BadRequest("messages: Field required", "messages")
    messages = mappings(request["messages"], "messages")
    contents = _contents(messages, secret)
    system = _system(request.get("system"))
    tools = [_tool(tool, n) for n, tool in enumerate(mappings(request.get("tools") or [], "tools"))]
    last = max((n for n, message in enumerate(messages) if _speaks(message, contents[n])), default=-1)
    return Turn(
        model=string(request["model"], "model"),
        texts=[*system, *(_words(blocks) for blocks in contents)],
        last_user=_words([block for block in contents[last] if kind_of(block) == "text"]) if last >= 0 else "",
        answered=_has_result(contents, last),
        stream=flag(request.get("stream"), "stream"),
        limit=limit,
        tools=[tool for tool in tools if tool is not None],
        forced=_forced(request.get("tool_choice")),
        thinking=_thinks(request, limit),
        schema=_schema(request),
        stops=strings(request.get("stop_sequences"), "stop_sequences"),
        caching=_caching(request, contents),
    )


def _contents(messages: list[dict[str, Any]], secret: str) -> list[list[dict[str, Any]]]:
    """The blocks of each message, all checked."""
    if not messages:
        raise BadRequest("messages: at least one message is required", "messages")
    contents = []
    called: list[str] = []
    for n, message in enumerate(messages):
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            raise BadRequest(f"messages.{n}.role: Input should be 'user', 'assistant' or 'system'", "messages")
        if n == 0 and role != "user":
            raise BadRequest('messages: first message must use the "user" role', "messages")
        blocks = _blocks(message.get("content"), f"messages.{n}.content")
        _check_blocks(blocks, role, n, secret)
        if role != "system":
            _check_results(blocks, called, n)
            called = [str(block.get("id")) for block in blocks if kind_of(block) == "tool_use"]
        contents.append(blocks)
    if called:
        raise _unanswered(len(messages) - 1, called)
    return contents


def _blocks(content: Any, where: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if content is None:
        raise BadRequest(f"{where}: Field required", where)
    return mappings(content, where)


def _check_blocks(blocks: list[dict[str, Any]], role: str, n: int, secret: str) -> None:
    for position, block in enumerate(blocks):
        where, kind = f"messages.{n}.content.{position}", kind_of(block)
        if kind not in _BLOCKS:
            raise BadRequest(f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
        if kind == "text" and not string(block.get("text"), f"{where}.text.text"):
            raise BadRequest("messages: text content blocks must be non-empty")
        if kind in ("thinking", "redacted_thinking", "tool_use") and role != "assistant":
            raise BadRequest(f"messages.{n}: `{kind}` blocks can only be in `assistant` messages")
        if kind == "tool_result" and role != "user":
            raise BadRequest(f"messages.{n}: `tool_result` blocks can only be in `user` messages")
        if kind == "tool_use":
            _check_call(block, where)
        elif kind == "thinking":
            _check_thinking(block, where, secret)


def _check_call(block: dict[str, Any], where: str) -> None:
    if not _ID.fullmatch(string(block.get("id"), f"{where}.tool_use.id")):
        raise BadRequest(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    string(block.get("name"), f"{where}.tool_use.name")
    mapping(block.get("input"), f"{where}.tool_use.input")


def _check_thinking(block: dict[str, Any], where: str, secret: str) -> None:
    signature = string(block.get("signature"), f"{where}.thinking.signature")
    text = string(block.get("thinking"), f"{where}.thinking.thinking")
    whole_text = not text and signing.made_here(secret, signature)
    if not whole_text and not signing.covers(secret, signature, text):
        raise BadRequest(f"{where}: Invalid `signature` in `thinking` block")


def _check_results(blocks: list[dict[str, Any]], called: list[str], n: int) -> None:
    results = [str(block.get("tool_use_id")) for block in blocks if kind_of(block) == "tool_result"]
    for position, result in enumerate(results):
        if result not in called:
            raise BadRequest(
                f"messages.{n}.content.{position}: unexpected `tool_use_id` found in `tool_result` blocks: {result}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if results.count(result) > 1:
            message = "each tool_use must have a single result. Found multiple `tool_result` blocks"
            raise BadRequest(f"messages.{n}.content.{position}: {message} with id: {result}")
    first = [kind_of(block) for block in blocks[: len(results)]]
    if called and (set(called) - set(results) or any(kind != "tool_result" for kind in first)):
        raise _unanswered(n - 1, [name for name in called if name not in results] or called)


def _unanswered(n: int, called: list[str]) -> BadRequest:
    return BadRequest(
        f"messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(called)}. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _system(system: Any) -> list[str]:
    if system is None:
        return []
    if isinstance(system, str):
        return [system]
    blocks = mappings(system, "system")
    if any(kind_of(block) != "text" for block in blocks):
        raise BadRequest("system.0.type: Input should be 'text'", "system")
    return [_words(blocks)] if blocks else []


def _words(blocks: list[dict[str, Any]]) -> str:
    """All text that is counted: of text, of results and of calls."""
    found: list[str] = []
    for block in blocks:
        if isinstance(block.get("text"), str):
            found.append(block["text"])
        inner = block.get("content")
        if isinstance(inner, str):
            found.append(inner)
        elif isinstance(inner, list):
            found.append(_words([item for item in inner if isinstance(item, dict)]))
    return " ".join(found)


def _speaks(message: dict[str, Any], blocks: list[dict[str, Any]]) -> bool:
    """Whether a message is the user's own words rather than only a tool's result."""
    return message.get("role") == "user" and any(kind_of(block) != "tool_result" for block in blocks)


def _has_result(contents: list[list[dict[str, Any]]], last: int) -> bool:
    return any("tool_result" in _kinds(blocks) for blocks in contents[max(last, 0) :])


def _kinds(blocks: list[dict[str, Any]]) -> set[str]:
    return {kind_of(block) for block in blocks}


def _tool(tool: dict[str, Any], n: int) -> Tool | None:
    """A tool that the caller runs; None for one of the service's own."""
    name = string(tool.get("name") or ("" if kind_of(tool) in ("", "custom") else "hosted"), f"tools.{n}.name")
    if not _TOOL_NAME.fullmatch(name):
        raise BadRequest(f"tools.{n}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'", "tools")
    if kind_of(tool) not in ("", "custom"):
        return None
    if "input_schema" not in tool:
        raise BadRequest(f"tools.{n}.custom.input_schema: Field required", "tools")
    schema = mapping(tool["input_schema"], f"tools.{n}.custom.input_schema")
    if kind_of(schema) != "object":
        raise BadRequest(f"tools.{n}.custom.input_schema.type: Input should be 'object'", "tools")
    return Tool(name, schema)


def _forced(choice: Any) -> str | None:
    if choice is None:
        return None
    kind = mapping(choice, "tool_choice").get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise BadRequest(f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    if kind == "tool":
        return string(choice.get("name"), "tool_choice.tool.name")
    return "" if kind == "any" else None


def _thinks(request: dict[str, Any], limit: int | None) -> bool:
    thinking = request.get("thinking")
    if thinking is None:
        return False
    kind = mapping(thinking, "thinking").get("type")
    if kind not in ("enabled", "disabled", "adaptive", "between_tools"):
        raise BadRequest(f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    if kind == "enabled":
        if "budget_tokens" not in thinking:
            raise BadRequest("thinking.enabled.budget_tokens: Field required", "thinking")
        budget = whole(thinking["budget_tokens"], "thinking.enabled.budget_tokens", _LEAST_BUDGET)
        if limit is not None and budget is not None and limit <= budget:
            raise BadRequest("`max_tokens` must be greater than `thinking.budget_tokens`", "max_tokens")
        if request.get("temperature") not in (None, 1, 1.0):
            raise BadRequest("`temperature` may only be set to 1 when thinking is enabled", "temperature")
    if kind != "disabled" and _forced(request.get("tool_choice")) is not None:
        raise BadRequest("Thinking may not be enabled when tool_choice forces tool use.", "tool_choice")
    return bool(kind != "disabled")


def _schema(request: dict[str, Any]) -> Any:
    output = request.get("output_config")
    wanted = mapping(output, "output_config").get("format") if output is not None else request.get("output_format")
    if wanted is None:
        return None
    return mapping(mapping(wanted, "output_config.format").get("schema"), "output_config.format.schema")


def _caching(request: dict[str, Any], contents: list[list[dict[str, Any]]]) -> Caching:
    system = request.get("system")
    marked = [*(system if isinstance(system, list) else []), *(request.get("tools") or []), *chain(*contents)]
    marks = [block["cache_control"] for block in marked if isinstance(block, dict) and block.get("cache_control")]
    if len(marks) > _MOST_CACHE_MARKS:
        raise BadRequest(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}.")
    marks += [request["cache_control"]] if request.get("cache_control") else []
    if not marks:
        return "none"
    return "hour" if any(isinstance(mark, dict) and mark.get("ttl") == "1h" for mark in marks) else "minutes"
