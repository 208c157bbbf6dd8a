"""OpenAI's Responses request: what of it changes an answer, and what the real service refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from scripts._emulator import signing
from scripts._emulator.directives import BadRequest
from scripts._emulator.exchange import Refused
from scripts._emulator.fields import flag, kind_of, mapping, mappings, names, sequence, string, strings, whole
from scripts._emulator.turn import Tool, Turn

LONGEST_ID: Final = 64
LEAST_OUTPUT: Final = 16
Known = Callable[[str], bool]
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_FIELDS: Final = names(
    "background context_management conversation include input instructions max_output_tokens max_tool_calls metadata"
    " model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options"
    " prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options temperature text"
    " tool_choice tools top_logprobs top_p truncation user access_programs image"
    " client_metadata"  # in no reference, but Codex sends it and is served
)
_ANSWERED: Final = ("output_text", "refusal")
_GIVEN: Final = ("input_text", "input_image", "input_file", "input_audio")
_ROLES: Final = ("assistant", "system", "developer", "user")
_CALLS: Final = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
_OUTPUTS: Final = {output: call for call, output in _CALLS.items()}
# Their ids begin so; a service that finds another beginning refuses the item.
_PREFIXES: Final = {"message": "msg", "function_call": "fc", "custom_tool_call": "ctc", "reasoning": "rs"}
_OTHERS: Final = names(
    "file_search_call web_search_call computer_call computer_call_output code_interpreter_call image_generation_call"
    " local_shell_call local_shell_call_output shell_call shell_call_output apply_patch_call apply_patch_call_output"
    " mcp_list_tools mcp_approval_request mcp_approval_response mcp_call compaction compaction_trigger tool_search_call"
    " tool_search_output additional_tools configuration_update program program_output item_reference"
)
_TOOLS: Final = names(
    "file_search computer computer_use_preview web_search web_search_2025_08_26 web_search_preview mcp code_interpreter"
    " image_generation local_shell shell apply_patch tool_search programmatic_tool_calling"
)


class Asked(msgspec.Struct, frozen=True):
    """A request that was read. `context`: the items of the whole conversation, the earlier ones first."""

    turn: Turn
    context: list[dict[str, Any]]
    items: list[dict[str, Any]]


def read(request: dict[str, Any], secret: str, earlier: list[dict[str, Any]], known: Known) -> Asked:
    """A request after the items of `earlier` turns; `known`: is such an id stored? Raises BadRequest, Refused."""
    for name in request:
        if name not in _FIELDS:
            raise Refused(400, f"Unknown parameter: '{name}'.", "unknown_parameter", name)
    for name in ("background", "conversation"):
        if request.get(name):
            raise BadRequest(f"emulator: '{name}' is not supported", name)
    if "model" not in request:
        raise Refused(400, "Missing required parameter: 'model'.", "missing_required_parameter", "model")
    limit = whole(request.get("max_output_tokens"), "max_output_tokens", 0)
    if limit is not None and limit < LEAST_OUTPUT:
        message = f"Expected a value >= {LEAST_OUTPUT}, but got {limit} instead."
        message = f"Invalid 'max_output_tokens': integer below minimum value. {message}"
        raise Refused(400, message, "integer_below_min_value", "max_output_tokens")
    strings(request.get("include"), "include")
    items = _items(request.get("input"))
    context = [*earlier, *items]
    _check(context, len(earlier), secret, known)
    tools = [tool for found in mappings(request.get("tools") or [], "tools") for tool in _tools(found, None)]
    instructions = request.get("instructions")
    system = [instructions] if isinstance(instructions, str) else []
    last = max((n for n, item in enumerate(context) if item.get("role") == "user"), default=-1)
    turn = Turn(
        model=string(request["model"], "model"),
        texts=[*system, *(_words(item) for item in context if kind_of(item) != "reasoning")],
        last_user=_words(context[last]) if last >= 0 else "",
        answered=any(kind_of(item) in _OUTPUTS for item in context[last + 1 :]),
        stream=flag(request.get("stream"), "stream"),
        limit=limit,
        tools=tools,
        forced=_forced(request.get("tool_choice")),
        thinking=_thinks(request.get("reasoning")),
        schema=_schema(request.get("text")),
    )
    return Asked(turn, context, items)


def _items(found: Any) -> list[dict[str, Any]]:
    if found is None:
        raise Refused(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input")
    if isinstance(found, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": found}]}]
    items = [mapping(item, f"input[{n}]") for n, item in enumerate(sequence(found, "input"))]
    return [item if "type" in item else {"type": "message"} | item for item in items]


def _check(context: list[dict[str, Any]], start: int, secret: str, known: Known) -> None:
    calls: dict[str, str] = {}
    for n, item in enumerate(context):
        kind, where = kind_of(item), f"input[{n - start}]"
        if n >= start:
            _check_item(item, where, secret, known)
        if kind in _CALLS:
            calls[str(item.get("call_id"))] = str(kind)
        elif kind in _OUTPUTS:
            name = str(item.get("call_id"))
            if name not in calls and n >= start:
                raise BadRequest(f"No tool call found for function call output with call_id {name}.", "input")
            calls.pop(name, None)
        elif kind == "reasoning" and n >= start and _kind_after(context, n) not in (*_CALLS, "assistant", *_OTHERS):
            message = f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
            raise BadRequest(message, "input")
    if calls:
        raise BadRequest(f"No tool output found for function call {next(iter(calls))}.", "input")


def _kind_after(context: list[dict[str, Any]], n: int) -> str:
    """What follows an item of reasoning, other such items left out; of a message, its role."""
    for item in context[n + 1 :]:
        if kind_of(item) != "reasoning":
            return str(item.get("role") if kind_of(item) == "message" else kind_of(item))
    return ""


def _check_item(item: dict[str, Any], where: str, secret: str, known: Known) -> None:
    kind = kind_of(item)
    if kind not in (*_PREFIXES, *_OUTPUTS, *_OTHERS):
        message = f"Invalid value: '{kind}'. Supported values are: 'message', …"
        raise Refused(400, message, "invalid_value", f"{where}.type")
    identity = item.get("id")
    prefix = _PREFIXES.get(str(kind))
    if identity is not None and prefix is not None and not str(identity).startswith(prefix):
        message = f"Invalid '{where}.id': '{identity}'. Expected an ID that begins with '{prefix}'."
        raise Refused(400, message, "invalid_value", f"{where}.id")
    for name in ("id", "call_id"):
        if len(str(item.get(name) or "")) > LONGEST_ID:
            message = f"Invalid '{where}.{name}': string too long. Expected a string with maximum length {LONGEST_ID}."
            raise Refused(400, message, "string_above_max_length", f"{where}.{name}")
    if kind == "message":
        _check_message(item, where)
    elif kind in _CALLS:
        string(item.get("call_id"), f"{where}.call_id")
        string(item.get("name"), f"{where}.name")
        string(item.get("arguments" if kind == "function_call" else "input"), f"{where}.arguments")
    elif kind in _OUTPUTS and not isinstance(item.get("output"), str | list):
        message = f"Missing required parameter: '{where}.output'."
        raise Refused(400, message, "missing_required_parameter", f"{where}.output")
    elif kind == "reasoning":
        _check_reasoning(item, secret, known)
    elif kind == "item_reference" and not known(str(identity)):
        raise Refused(404, f"Item with id '{identity}' not found.", param="input")


def _check_message(item: dict[str, Any], where: str) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in _ROLES:
        message = f"Invalid value: '{role}'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
        raise Refused(400, message, "invalid_value", f"{where}.role")
    if isinstance(content, str):
        return
    allowed = _ANSWERED if role == "assistant" else _GIVEN
    for n, part in enumerate(mappings(content, f"{where}.content")):
        if kind_of(part) not in allowed:
            known = ", ".join(f"'{name}'" for name in allowed)
            message = f"Invalid value: '{part.get('type')}'. Supported values are: {known}."
            raise Refused(400, message, "invalid_value", f"{where}.content[{n}]")


def _check_reasoning(item: dict[str, Any], secret: str, known: Known) -> None:
    sealed = item.get("encrypted_content")
    if sealed is not None and not signing.made_here(secret, sealed):
        message = f"The encrypted content for item {item.get('id')} could not be verified."
        raise Refused(400, message, "invalid_encrypted_content")
    if sealed is None and not known(str(item.get("id"))):
        message = f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
        raise Refused(404, message, param="input")


def _words(item: dict[str, Any]) -> str:
    """All text of an item that is counted."""
    found: list[str] = []
    for name in ("content", "output", "arguments", "input"):
        inner = item.get(name)
        if isinstance(inner, str):
            found.append(inner)
        elif isinstance(inner, list):
            found += [part["text"] for part in inner if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return " ".join(found)


def _tools(tool: dict[str, Any], namespace: str | None) -> list[Tool]:
    """The tools that the caller runs; those of the service are left out."""
    kind = kind_of(tool)
    if kind == "namespace":
        name = string(tool.get("name"), "tools.name")
        return [found for inner in mappings(tool.get("tools") or [], "tools") for found in _tools(inner, name)]
    if kind in _TOOLS:
        return []
    if kind not in ("function", "custom"):
        message = f"Invalid value: '{kind}'. Supported values are: 'function', …"
        raise Refused(400, message, "invalid_value", "tools[0].type")
    name = string(tool.get("name"), "tools[0].name")
    if not _NAME.fullmatch(name):
        message = f"Invalid 'tools[0].name': string does not match pattern. Expected '{_NAME.pattern}'."
        raise Refused(400, message, "invalid_value", "tools[0].name")
    return [Tool(name, tool.get("parameters") or {}, kind == "custom", namespace)]


def _forced(choice: Any) -> str | None:
    if isinstance(choice, dict):
        return str(choice.get("name") or "") if kind_of(choice) in ("function", "custom") else None
    return "" if choice == "required" else None


def _thinks(reasoning: Any) -> bool:
    if reasoning is None:
        return False
    found = mapping(reasoning, "reasoning")
    return found.get("effort") not in (None, "none") or bool(found.get("summary") or found.get("generate_summary"))


def _schema(text: Any) -> Any:
    wanted = mapping(text, "text").get("format") if text is not None else None
    if not isinstance(wanted, dict) or kind_of(wanted) not in ("json_object", "json_schema"):
        return None
    return wanted.get("schema") or {"type": "object"}
