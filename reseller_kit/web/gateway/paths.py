"""Which paths are the API, and which of its routes a path names. Serves nothing."""

from __future__ import annotations

import re
from typing import Final

from ...core.errors import NotFound
from ...core.tenant import DomainRole
from ...wire.errors import Dialect
from ...wire.task import PATHS
from ..hosts import Headers
from ..keys import has_key

_PREFIXES: Final = ("/v1/", "/v1beta/")
_WHOLE: Final = frozenset({"/v1", "/v1beta", "/api/hello"})
_VERSIONS: Final = ("/v1/v1/", "/v1/v1beta/", "/v1beta/v1beta/", "/v1beta/v1/")
"""Made of a base URL that has a version already and of a client that adds one: the latter counts."""
_TARGET: Final = re.compile(
    r"/v1(?:beta)?/models/(?P<model>.+):"
    r"(?P<verb>generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)"
)
_GOOGLE_CLIENT: Final = b"x-goog-api-client"
"""Every client of Google's sends it. A key may be in any header, whatever the dialect, so that tells nothing."""
_BARE: Final = ("/chat/completions", "/responses", "/messages")
_WELL_FORMED: Final = frozenset(
    {"/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"}
    | {"/v1" + path for path in PATHS.values()}
)
"""Where most requests go, written as they should be: there is nothing to find out about these paths."""
_BARE_WHOLE: Final = frozenset({"/completions", *PATHS.values()})
_PAGES_TOO: Final = frozenset({"/models", "/pricing.json"})
_SLASHES: Final = re.compile("/{2,}")
_PREFLIGHT: Final = b"access-control-request-method"


def is_api(path: str, role: DomainRole, headers: Headers) -> bool:
    """Whether a request is the API's. On an `api` host every path is.

    `/models` and `/pricing.json` are where a key is sent or will be.
    """
    if path in _WELL_FORMED:
        return True
    path = _single(path)
    if role == "api" or path.startswith((*_PREFIXES, *_BARE)) or path in _WHOLE or path.rstrip("/") in _BARE_WHOLE:
        return True
    if path.rstrip("/") in _PAGES_TOO or path.startswith("/models/"):
        return has_key(headers) or any(name == _PREFLIGHT for name, _ in headers)
    return False


def canonical(path: str) -> str:
    """The path as the route table knows it: with one version, single slashes, none at the end."""
    if path in _WELL_FORMED:
        return path
    path = _single(path).rstrip("/") or "/"
    while path.startswith(_VERSIONS) or path == "/v1/v1":
        path = path[path.index("/", 1) :]
    if path.startswith((*_BARE, "/models")) or path in _BARE_WHOLE:
        path = "/v1" + path
    return path


def dialect_of(path: str, headers: Headers) -> Dialect:
    """The dialect that errors on this path speak."""
    if path.startswith("/v1/messages"):
        return "anthropic"
    if path in _WELL_FORMED:
        return "openai"
    if path.startswith("/v1beta") or _TARGET.fullmatch(path):
        return "gemini"
    if path.startswith("/v1/models"):
        names = {name for name, _ in headers}
        if b"anthropic-version" in names:
            return "anthropic"
        if _GOOGLE_CLIENT in names:
            return "gemini"
    return "openai"


def names_verb(path: str) -> bool:
    """Whether a canonical path says what to do with the model that it names."""
    return _TARGET.fullmatch(path) is not None


def gemini_target(path: str) -> tuple[str, str]:
    """The model that a canonical path of Gemini's API names, and what to do with it. Raises NotFound for any other."""
    found = _TARGET.fullmatch(path)
    if found is None:
        raise NotFound(f"There is nothing at POST {path[:200]}.")
    return model_named(found["model"]), found["verb"]


def model_named(resource: str) -> str:
    """The model's name, which clients of Gemini's API may begin with `models/`."""
    return resource.removeprefix("models/")


def _single(path: str) -> str:
    """With one slash where a base URL's last and a path's first came together."""
    return _SLASHES.sub("/", path) if "//" in path else path
