"""Which paths are the API, and which of its routes a path names. Serves nothing."""

from __future__ import annotations

from typing import Final

from ...core.tenant import DomainRole
from ...wire.errors import Dialect
from ..hosts import Headers
from ..keys import has_key

_PREFIXES: Final = ("/v1/", "/v1beta/")
_WHOLE: Final = frozenset({"/v1", "/v1beta", "/api/hello"})
_BARE: Final = ("/chat/completions", "/responses", "/messages")


def is_api(path: str, role: DomainRole, headers: Headers) -> bool:
    """Whether a request is the API's. On an `api` host every path is; `/models` is also where a key is sent."""
    if path.startswith((*_PREFIXES, *_BARE)) or path in _WHOLE:
        return True
    if path.rstrip("/") == "/models" or path.startswith("/models/"):
        return role == "api" or has_key(headers)
    return role == "api"


def canonical(path: str) -> str:
    """The path as the route table knows it: with one `/v1`, without a trailing slash."""
    path = path.rstrip("/") or "/"
    while path.startswith("/v1/v1/") or path == "/v1/v1":
        path = path[3:]
    if path.startswith((*_BARE, "/models")):
        path = "/v1" + path
    return path


def dialect_of(path: str, headers: Headers) -> Dialect:
    """The dialect that errors on this path speak."""
    if path.startswith("/v1beta") or (path.startswith("/v1/models/") and ":" in path):
        return "gemini"
    if path.startswith("/v1/messages"):
        return "anthropic"
    if path.startswith("/v1/models") and any(name == b"anthropic-version" for name, _ in headers):
        return "anthropic"
    return "openai"
