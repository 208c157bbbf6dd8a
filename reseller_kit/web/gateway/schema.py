"""The storefronts' API as an OpenAPI document, for the operator's programs. Describes routes, serves none of them."""

from __future__ import annotations

from typing import Any, Final

from ... import __version__
from ...wire.task import PATHS

_TASKS: Final = {f"/v1{path}": f"OpenAI: {name}" for name, path in PATHS.items()}
ROUTES: Final[tuple[tuple[str, str, str], ...]] = (
    ("post", "/v1/chat/completions", "OpenAI: chat completions, plain or streamed"),
    ("post", "/v1/completions", "OpenAI: completions, plain or streamed"),
    ("post", "/v1/responses", "OpenAI: responses, plain or streamed"),
    ("post", "/v1/responses/input_tokens", "OpenAI: what a response would read, free of charge"),
    ("get", "/v1/responses/{id}", "OpenAI: a kept response"),
    ("delete", "/v1/responses/{id}", "OpenAI: end a kept response"),
    ("get", "/v1/responses/{id}/input_items", "OpenAI: what a kept response was made from"),
    *(("post", path, summary) for path, summary in _TASKS.items()),
    ("post", "/v1/messages", "Anthropic: messages, plain or streamed"),
    ("post", "/v1/messages/count_tokens", "Anthropic: tokens of a message, free of charge"),
    ("post", "/v1beta/models/{model}:generateContent", "Gemini: an answer, whole"),
    ("post", "/v1beta/models/{model}:streamGenerateContent", "Gemini: an answer, streamed"),
    ("post", "/v1beta/models/{model}:countTokens", "Gemini: tokens, free of charge"),
    ("post", "/v1beta/models/{model}:embedContent", "Gemini: an embedding"),
    ("post", "/v1beta/models/{model}:batchEmbedContents", "Gemini: several embeddings"),
    ("get", "/v1beta/models", "Gemini: the models that the key may call"),
    ("get", "/v1/models", "OpenAI or Anthropic: the models that the key may call"),
    ("get", "/v1/models/{model}", "OpenAI or Anthropic: one of them"),
    ("get", "/v1/credits", "The customer's credit"),
    ("get", "/v1/usage", "The customer's calls, newest first"),
    ("get", "/v1/usage/{id}", "One call"),
)
"""Method, path and what it is."""
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    **{name: {"type": "apiKey", "in": "header", "name": name} for name in ("x-api-key", "api-key", "x-goog-api-key")},
}
_REFUSALS: Final = {
    "400": "Something in the request is wrong; the message says what",
    "401": "No key, or one that is not of this storefront",
    "402": "Credit or the key's limit does not cover the request",
    "403": "Account or storefront suspended, or the address is not allowed",
    "404": "No such model or object",
    "429": "Too many requests: see retry-after",
    "503": "Nothing can serve the request right now",
}


def document() -> dict[str, Any]:
    """The document (OpenAPI 3.1). Bodies are those of the API that a route's summary names."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, summary in ROUTES:
        paths.setdefault(path, {})[method] = _operation(method, path, summary)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Storefront API", "version": __version__},
        "servers": [{"url": "https://{host}", "variables": {"host": {"default": "storefront.example"}}}],
        "security": [{name: []} for name in _SCHEMES],
        "paths": paths,
        "components": {
            "securitySchemes": _SCHEMES,
            "responses": {
                f"refused_{status}": {"description": text, "content": _json()} for status, text in _REFUSALS.items()
            },
        },
    }


def _operation(method: str, path: str, summary: str) -> dict[str, Any]:
    named = [part.partition("}")[0] for part in path.split("{")[1:]]
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in named],
        "responses": {
            "200": {"description": "The answer", "content": _json()},
            **{status: {"$ref": f"#/components/responses/refused_{status}"} for status in _REFUSALS},
        },
    }
    if method == "post":
        multipart = path.endswith("/transcriptions")
        operation["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": {"schema": {"type": "object"}}} if multipart else _json(),
        }
    return operation


def _json() -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}}}
