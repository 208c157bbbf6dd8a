"""This API's own schemas as JSON Schema. Source: Gemini API reference, "Schema" (a subset of OpenAPI 3.0)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from ...core.errors import InvalidRequest
from ..json_body import decode_as
from .head import camel

_MAX_DEPTH: Final = 64
_TYPES: Final = ("string", "number", "integer", "boolean", "array", "object", "null")
"""In the order of their numbers, from 1 on: ProtoJSON takes either."""
_NUMBERS: Final = frozenset({"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"})
"""64-bit numbers, which ProtoJSON writes as strings."""
_BELOW: Final = {"defs": "$defs", "ref": "$ref"}
_SCHEMAS: Final = frozenset({"items", "additionalProperties"})
_MAPS: Final = frozenset({"properties", "defs"})
_FALLS_AWAY: Final = frozenset({"propertyOrdering", "example", "nullable", "type"})
_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])
_ENCODER: Final = msgspec.json.Encoder()


def json_schema(raw: Raw, at: str) -> Raw:
    """The JSON Schema of the same meaning. Raises InvalidRequest for what is no schema or nested too deeply."""
    return Raw(_ENCODER.encode(_converted(decode_as(_OBJECT, raw, within=at), at, 0)))


def _converted(schema: Any, at: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise InvalidRequest("The schema is nested too deeply.", param=at)
    if not isinstance(schema, dict):
        return schema
    found = {camel(name): value for name, value in schema.items()}
    made: dict[str, Any] = {}
    kind = _type_of(found.get("type"))
    if kind is not None:
        made["type"] = [kind, "null"] if found.get("nullable") is True else kind
    for name, value in found.items():
        if name in _FALLS_AWAY:
            continue
        made[_BELOW.get(name, name)] = _member(name, value, at, depth + 1)
    if found.get("nullable") is True and "enum" in made and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]
    if found.get("nullable") is True and "anyOf" in made:
        made["anyOf"] = [*made["anyOf"], {"type": "null"}]
    return made


def _type_of(given: Any) -> str | None:
    if type(given) is int and 0 < given <= len(_TYPES):
        return _TYPES[given - 1]
    kind = str(given).lower()
    return kind if kind in _TYPES else None


def _member(name: str, value: Any, at: str, depth: int) -> Any:
    if name in _SCHEMAS:
        return _converted(value, at, depth)
    if name in _MAPS and isinstance(value, dict):
        return {key: _converted(inner, at, depth) for key, inner in value.items()}
    if name in {"anyOf", "enum"}:
        if not isinstance(value, list):
            raise InvalidRequest(f"{at}: {name} has to be a list.", param=at)
        return [_converted(inner, at, depth) for inner in value] if name == "anyOf" else value
    if name in _NUMBERS and isinstance(value, str) and value.isdecimal() and len(value) < 19:
        return int(value)
    return value
