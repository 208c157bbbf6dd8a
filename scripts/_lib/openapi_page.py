"""OpenAPI documents of the product as Markdown. Reads the documents alone and adds nothing that they do not say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_COMPONENTS = "#/components/"


def render(document: dict[str, Any]) -> str:
    """Every request of the document with what it takes, in its order, by tag where there are tags."""
    lines: list[str] = []
    tag = ""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if (name := next(iter(operation.get("tags", [])), "")) != tag:
                lines += [f"## {name.capitalize()}", ""]
                tag = name
            lines += _operation(method, path, operation, document)
    return "\n".join(lines)


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    told = " ".join(operation[key] for key in ("summary", "description") if key in operation)
    yield f"### `{method.upper()} {path}`"
    yield ""
    yield told if told.endswith(".") else f"{told}."
    yield ""
    rows = [
        (f"`{one['name']}`", one["in"], _type(one["schema"]), _need(one["schema"], required=one.get("required", False)))
        for one in operation.get("parameters", [])
    ]
    body = _named(_body(operation), document)
    if body:
        yield body["description"]
        yield ""
        rows += [
            (f"`{name}`", "body", _type(schema), _need(schema, required=name in body.get("required", ())))
            for name, schema in body.get("properties", {}).items()
        ]
    if rows:
        yield "| name | in | type | needed |"
        yield "| --- | --- | --- | --- |"
        yield from (f"| {' | '.join(row)} |" for row in rows)
        yield ""
    answer = _answer(operation)
    if "$ref" in answer:
        yield f"Answers {_type(answer, link=True)}."
        yield ""


def schemas(document: dict[str, Any]) -> str:
    """What answers hold: every schema that requests answer with, and those within, in alphabetical order."""
    found: dict[str, dict[str, Any]] = {}
    waiting = [_answer(operation) for methods in document["paths"].values() for operation in methods.values()]
    while waiting:
        schema = waiting.pop()
        if "$ref" in schema and (name := _type(schema)) not in found:
            found[name] = _named(schema, document)
            waiting += found[name]["properties"].values()
        waiting += [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return "\n".join(line for name in sorted(found) for line in _fields(name, found[name]))


def _fields(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {name}", "")
    if "description" in schema:
        yield from (schema["description"], "")
    yield from ("| field | type | always there |", "| --- | --- | --- |")
    for field, one in schema["properties"].items():
        there = "yes" if field in schema.get("required", ()) else "no"
        yield f"| `{field}` | {_type(one, link=True)} | {there} |"
    yield ""


def refusals(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Status and meaning of the refusals that requests share."""
    return [
        (name.rpartition("_")[2], one["description"])
        for name, one in document["components"].get("responses", {}).items()
    ]


def _named(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference names, else nothing."""
    if "$ref" not in schema:
        return {}
    found: dict[str, Any] = document["components"]["schemas"][_type(schema)]
    return found


def _answer(operation: dict[str, Any]) -> dict[str, Any]:
    """The schema of success."""
    some: dict[str, dict[str, Any]] = operation["responses"]
    done = next((one for status, one in some.items() if status.startswith("2")), {})
    found: dict[str, Any] = done.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _body(operation: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    schemas: list[dict[str, Any]] = [one["schema"] for one in content.values()]
    return schemas[0] if schemas else {}


def _type(schema: dict[str, Any], *, link: bool = False) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if link else name
    if "anyOf" in schema:
        return _alternatives(schema["anyOf"], link=link)
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'], link=link)}"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    bounds = [str(schema[key]) for key in ("minimum", "maximum") if key in schema]
    told = [schema[key].rstrip(".") for key in ("format", "description") if key in schema]
    return ", ".join([str(schema.get("type", "any")), *([" to ".join(bounds)] if bounds else []), *told])


def _alternatives(some: list[dict[str, Any]], *, link: bool) -> str:
    """In answers (`link`) null is worth a word; in requests it means the same as leaving a field out."""
    told = [_type(one, link=link) for one in some if link or one.get("type") != "null"]
    return " or ".join(told)


def _need(schema: dict[str, Any], *, required: bool) -> str:
    if required:
        return "yes"
    default = schema.get("default")
    return f"no, `{default}`" if default not in (None, "", [], {}) else "no"
