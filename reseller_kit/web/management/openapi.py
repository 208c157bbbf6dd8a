"""The management API as an OpenAPI 3.1 document, from its own table and the types of bodies and answers."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any, Final

import msgspec

from ...core.apitoken import SCOPES
from ...core.paging import DEFAULT_LIMIT, MAX_LIMIT
from .endpoint import Endpoint
from .table import ENDPOINTS

_PARAMETER: Final = re.compile(r"\{([a-z]+)\}")
_REF: Final = "#/components/schemas/{name}"
_NOTES: Final = (
    "Amounts are decimal strings in USD, times ISO 8601 in UTC. Lists are newest first; next_cursor leads to the next"
    " page. A POST with the header Idempotency-Key is carried out once."
)
_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fix", "details"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "fix": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


def openapi(name: str, base: str) -> dict[str, Any]:
    """The document of a storefront's API; `name`: the brand's."""
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{name} management API", "version": "1", "description": _NOTES},
        "servers": [{"url": base}],
        "security": [{"token": []}],
        **_described(),
    }


@cache
def _described() -> dict[str, Any]:
    bodies = [one.body for one in ENDPOINTS if one.body is not None]
    answers = [one.answer for one in ENDPOINTS]
    _, schemas = msgspec.json.schema_components(dict.fromkeys([*bodies, *answers]), ref_template=_REF)
    for schema in schemas.values():
        if "description" in schema:
            # A docstring as it stands in its source, indented, would be code to whoever reads Markdown.
            schema["description"] = inspect.cleandoc(schema["description"])
    paths: dict[str, dict[str, Any]] = {}
    for one in ENDPOINTS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    token = {"type": "http", "scheme": "bearer", "description": f"Scopes: {', '.join(SCOPES)}."}
    return {
        "paths": paths,
        "components": {"schemas": {**schemas, "Error": _ERROR}, "securitySchemes": {"token": token}},
    }


def _operation(one: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Scope: {one.scope}.",
        "tags": [one.group],
        "parameters": _parameters(one),
        "responses": {
            str(one.status): {
                "description": "Done.",
                "content": _content({"$ref": _REF.format(name=one.answer.__name__)}),
            },
            "default": {"description": "Refused.", "content": _content({"$ref": "#/components/schemas/Error"})},
        },
    }
    if one.body is not None:
        schema = {"$ref": _REF.format(name=one.body.__name__)}
        needed = bool(msgspec.json.schema_components([one.body])[1][one.body.__name__].get("required"))
        found["requestBody"] = {"required": needed, "content": _content(schema)}
    return found


def _parameters(one: Endpoint) -> list[dict[str, Any]]:
    text = {"type": "string"}
    in_path = [{"name": name, "in": "path", "required": True, "schema": text} for name in _PARAMETER.findall(one.path)]
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    in_query = [{"name": name, "in": "query", "schema": limit if name == "limit" else text} for name in one.query]
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 200}}
    return [*in_path, *in_query, *([key] if one.method == "POST" else [])]


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
