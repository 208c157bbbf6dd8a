"""Gemini's generateContent request: what of it changes an answer, and what the real service refuses."""

from __future__ import annotations

import re
from typing import Any, Final

from scripts._emulator import signing
from scripts._emulator.directives import BadRequest
from scripts._emulator.fields import mapping, mappings, names, string, strings, whole
from scripts._emulator.turn import Tool, Turn

_FIELDS: Final = names(
    "cachedContent contents generationConfig labels model safetySettings serviceTier store systemInstruction toolConfig"
    " tools"
)
_CONFIG: Final = names(
    "audioTimestamp audioTranscriptionConfig candidateCount continuationToken enableEnhancedCivicAnswers"
    " frequencyPenalty imageConfig logprobs maxOutputTokens mediaResolution presencePenalty responseJsonSchema"
    " responseLogprobs responseMimeType responseModalities responseSchema seed speechConfig stopSequences temperature"
    " thinkingConfig topK topP"
)
_PART: Final = names(
    "text thought thoughtSignature inlineData fileData functionCall functionResponse executableCode codeExecutionResult"
    " videoMetadata partMetadata mediaResolution toolCall toolResponse"
)
_TOOL: Final = names(
    "functionDeclarations googleSearch googleSearchRetrieval codeExecution urlContext computerUse fileSearch googleMaps"
    " mcpServers"
)
_HOLDS: Final = names(
    "text inlineData fileData functionCall functionResponse executableCode codeExecutionResult toolCall toolResponse"
)
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
_SNAKE: Final = re.compile(r"_([a-z])")
# For histories that another model wrote, as the service's own documentation has it.
_UNSIGNED: Final = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")


def read(request: dict[str, Any], model: str, secret: str, *, stream: bool) -> Turn:
    """The request in no dialect's words. Raises BadRequest."""
    found = known(request, _FIELDS, "")
    config = known(mapping(found.get("generationConfig") or {}, "generation_config"), _CONFIG, "generation_config")
    contents = [known(item, frozenset({"role", "parts"}), "contents") for item in _contents(found)]
    parts = [_parts(content, n) for n, content in enumerate(contents)]
    last = max((n for n, held in enumerate(parts) if _role(contents[n]) == "user" and _speaks(held)), default=-1)
    _check_calls(contents, parts)
    _check_signatures(parts, last, model, secret)
    system = found.get("systemInstruction")
    tools = [known(tool, _TOOL, "tools") for tool in mappings(found.get("tools") or [], "tools")]
    return Turn(
        model=model,
        texts=[*([_words(_held(system))] if system is not None else []), *(_words(held) for held in parts)],
        last_user=" ".join(str(part.get("text", "")) for part in parts[last]) if last >= 0 else "",
        answered=any("functionResponse" in part for held in parts[last + 1 :] for part in held),
        stream=stream,
        limit=whole(config.get("maxOutputTokens"), "max_output_tokens", 1),
        tools=[made for tool in tools for made in _declared(tool)],
        forced=_forced(found.get("toolConfig")),
        thinking=_thinks(config.get("thinkingConfig")),
        schema=_schema(config),
        stops=strings(config.get("stopSequences"), "stop_sequences"),
    )


def known(found: dict[str, Any], allowed: frozenset[str], where: str) -> dict[str, Any]:
    """An object under its names in camel case; the service takes those with underscores too, but no others."""
    made: dict[str, Any] = {}
    for name, value in found.items():
        camel = _SNAKE.sub(lambda match: match[1].upper(), name)
        if camel not in allowed:
            at = f" at '{where}'" if where else ""
            raise BadRequest(f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
        made[camel] = value
    return made


def content_words(content: Any) -> str:
    """All text of one content. Raises BadRequest."""
    return _words(_held(content))


def _contents(found: dict[str, Any]) -> list[dict[str, Any]]:
    contents = found.get("contents")
    if not contents:
        raise BadRequest("* GenerateContentRequest.contents: contents is not specified\n")
    return mappings([contents] if isinstance(contents, dict) else contents, "contents")


def _held(content: Any) -> list[dict[str, Any]]:
    held = mapping(content, "content").get("parts") or []
    return mappings([held] if isinstance(held, dict) else held, "parts")


def _role(content: dict[str, Any]) -> str:
    return str(content.get("role") or "user")


def _parts(content: dict[str, Any], n: int) -> list[dict[str, Any]]:
    role = _role(content)
    if role not in ("user", "model", "function"):
        raise BadRequest("Please use a valid role: user, model.")
    held = [known(part, _PART, f"contents[{n}].parts") for part in _held(content)]
    if not held:
        raise BadRequest(f"* GenerateContentRequest.contents[{n}].parts: contents.parts must not be empty.\n")
    for part in held:
        if not _HOLDS & part.keys():
            where = f"* GenerateContentRequest.contents[{n}].parts[0].data: required oneof field 'data' must have"
            raise BadRequest(f"{where} one initialized field\n")
        for name in ("functionCall", "functionResponse"):
            if name in part:
                string(mapping(part[name], name).get("name"), f"{name}.name")
    return held


def _speaks(held: list[dict[str, Any]]) -> bool:
    return any("functionResponse" not in part for part in held)


def _check_calls(contents: list[dict[str, Any]], parts: list[list[dict[str, Any]]]) -> None:
    """Calls come after the user's turn or a result, and as many results come right after calls."""
    called = 0
    for n, held in enumerate(parts):
        calls = sum("functionCall" in part for part in held)
        results = sum("functionResponse" in part for part in held)
        if calls and (n == 0 or _role(contents[n - 1]) == "model" or _role(contents[n]) != "model"):
            message = "Please ensure that function call turn comes immediately after a user turn or after a function"
            raise BadRequest(f"{message} response turn.")
        if results != called and (results or called):
            message = "Please ensure that the number of function response parts is equal to the number of function call"
            raise BadRequest(f"{message} parts of the function call turn.")
        called = calls
    if called:
        raise BadRequest("Please ensure that function call turn is followed by a function response turn.")


def _check_signatures(parts: list[list[dict[str, Any]]], last: int, model: str, secret: str) -> None:
    """A signature has to be of here; from the third generation on, a step of this turn needs one on its first call."""
    for n, held in enumerate(parts):
        first = True
        for position, part in enumerate(held):
            signature = part.get("thoughtSignature")
            if signature is not None and signature not in _UNSIGNED and not signing.made_here(secret, signature):
                raise BadRequest("Thought signature is not valid.")
            if "functionCall" in part:
                if first and signature is None and n > last and not model.startswith(("gemini-1", "gemini-2")):
                    name = part["functionCall"].get("name")
                    message = "Function call is missing a thought_signature in functionCall parts."
                    where = f"Function call `default_api:{name}`, position {position + 1}."
                    raise BadRequest(f"{message} This is required for tools to work correctly. {where}")
                first = False


def _words(held: list[dict[str, Any]]) -> str:
    found: list[str] = []
    for part in held:
        if isinstance(part.get("text"), str) and not part.get("thought"):
            found.append(part["text"])
        response = part.get("functionResponse") or part.get("function_response")
        if isinstance(response, dict):
            found += _strings(response.get("response"))
    return " ".join(found)


def _strings(found: Any, depth: int = 0) -> list[str]:
    if isinstance(found, str):
        return [found]
    inner = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []
    return [text for value in inner for text in _strings(value, depth + 1)] if depth < 20 else []


def _declared(tool: dict[str, Any]) -> list[Tool]:
    made = []
    for found in mappings(tool.get("functionDeclarations") or [], "function_declarations"):
        name = string(found.get("name"), "function_declarations.name")
        if not _NAME.fullmatch(name):
            message = "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric."
            raise BadRequest(f"* GenerateContentRequest.tools[0].function_declarations[0].name: {message}\n")
        schema = found.get("parametersJsonSchema") or found.get("parameters_json_schema") or found.get("parameters")
        made.append(Tool(name, schema or {"type": "object"}))
    return made


def _forced(config: Any) -> str | None:
    if config is None:
        return None
    found = mapping(config, "tool_config")
    calling = found.get("functionCallingConfig") or found.get("function_calling_config") or {}
    if mapping(calling, "function_calling_config").get("mode") != "ANY":
        return None
    allowed = calling.get("allowedFunctionNames") or calling.get("allowed_function_names") or []
    return str(allowed[0]) if isinstance(allowed, list) and allowed else ""


def _thinks(config: Any) -> bool:
    if config is None:
        return False
    found = mapping(config, "thinking_config")
    budget = found.get("thinkingBudget", found.get("thinking_budget"))
    return budget != 0


def _schema(config: dict[str, Any]) -> Any:
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    wanted = config.get("responseMimeType")
    if schema and wanted != "application/json":
        message = "only allowed with response_mime_type application/json"
        raise BadRequest(f"* GenerateContentRequest.generation_config.response_schema: {message}\n")
    return (schema or {"type": "object"}) if wanted == "application/json" else None
