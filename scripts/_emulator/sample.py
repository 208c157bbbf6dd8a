"""The plainest value that a JSON schema allows, for arguments of tools and for structured output."""

from __future__ import annotations

from typing import Any, Final

DEEPEST: Final = 24
_FORMATS: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def value(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """A value of `schema` (JSON Schema, or Google's form with types in capitals); `root` holds its `$defs`."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > DEEPEST:
        return "value"
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    inner = _inner(schema, root)
    return _typed(schema, root, depth) if inner is None else value(inner, root, depth + 1)


def _inner(schema: dict[str, Any], root: Any) -> Any:
    """The schema that stands for this one: behind a reference, or the first of several."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found: Any = root
        for part in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(part, {}) if isinstance(found, dict) and part else found
        return found
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    return None


def _typed(schema: dict[str, Any], root: Any, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = str(kind[0] if isinstance(kind, list) and kind else kind).lower()
    if kind == "object":
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        needed = schema.get("required")
        wanted = map(str, needed if isinstance(needed, list) else [])
        return {name: value(properties.get(name, {}), root, depth + 1) for name in wanted}
    if kind == "array":
        least = schema.get("minItems", 1)
        number = min(int(least), 100) if isinstance(least, int | str) and str(least).isdigit() else 1
        return [value(schema.get("items", {}), root, depth + 1)] * number
    if kind in ("integer", "number"):
        least = schema.get("minimum", 1)
        return least if isinstance(least, int | float) else 1
    if kind in ("boolean", "null"):
        return True if kind == "boolean" else None
    return _FORMATS.get(str(schema.get("format")), "a plain value")
