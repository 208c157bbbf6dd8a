"""Errors of the tree in `core.errors` as bodies, statuses and headers of each dialect. Decides no condition itself.

Sources: OpenAI API reference, "Error codes"; Anthropic API reference, "Errors"; Google AIP-193, "Errors".
`x-should-retry: false` stops the vendors' clients from repeating what can't succeed.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from ..core.errors import (
    AccountSuspended,
    InsufficientCredit,
    InvalidRequest,
    KitError,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    RequestTimeout,
    RequestTooLarge,
    ServiceUnavailable,
    Unauthenticated,
    UpstreamRejected,
)

Dialect = Literal["openai", "anthropic", "gemini"]

_ENCODER: Final = msgspec.json.Encoder()
_NO_RETRY: Final = (b"x-should-retry", b"false")
_CLOSE: Final = (b"connection", b"close")
_FINAL_STATUSES: Final = frozenset({401, 402, 403, 404})

_GOOGLE_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_GOOGLE_STATUS: Final = {
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class ErrorResponse(Struct, frozen=True):
    """A complete answer: status, header list as ASGI takes it, JSON body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _Kind(Struct, frozen=True):
    """How OpenAI and Anthropic name a condition."""

    openai: str
    anthropic: str


_REQUEST: Final = _Kind("invalid_request_error", "invalid_request_error")
_SERVER: Final = _Kind("api_error", "api_error")
_KINDS: Final[tuple[tuple[type[KitError], _Kind], ...]] = (
    (Unauthenticated, _Kind("authentication_error", "authentication_error")),
    (AccountSuspended, _Kind("permission_error", "permission_error")),
    (NotFound, _Kind("invalid_request_error", "not_found_error")),
    (RequestTooLarge, _Kind("invalid_request_error", "request_too_large")),
    (RequestTimeout, _Kind("invalid_request_error", "timeout_error")),
    (InsufficientCredit, _Kind("insufficient_quota", "billing_error")),
    (RateLimited, _Kind("rate_limit_error", "rate_limit_error")),
    (ServiceUnavailable, _Kind("api_error", "overloaded_error")),
)
_REJECTED_KINDS: Final = {
    404: _Kind("invalid_request_error", "not_found_error"),
    413: _Kind("invalid_request_error", "request_too_large"),
}


def error_response(error: KitError, dialect: Dialect, *, user_agent: str = "", request_id: str = "") -> ErrorResponse:
    """The answer to a call that failed before its first byte.

    `user_agent` matters for missing credit alone: Codex treats 402 as a fault of the server, so it is told 429.
    """
    status = _status(error, user_agent)
    headers = [(b"content-type", b"application/json")]
    if request_id:
        headers.append((b"x-request-id", request_id.encode("latin-1", "replace")))
    if status in _FINAL_STATUSES or status >= 500 or isinstance(error, InsufficientCredit):
        headers.append(_NO_RETRY)
    if isinstance(error, RateLimited):
        headers.append((b"retry-after", b"%d" % max(1, error.retry_after_seconds)))
    if isinstance(error, RequestTimeout):
        # The rest of the request may still be on its way: nothing else can follow on this connection.
        headers.append(_CLOSE)
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode("latin-1", "replace")))
    return ErrorResponse(status, headers, _ENCODER.encode(_document(error, dialect, request_id)))


def stream_error(error: KitError, dialect: Dialect, *, request_id: str = "") -> bytes:
    """The event that ends a stream which failed after its first byte."""
    name = b"event: error\n" if dialect == "anthropic" else b""
    return b"%bdata: %b\n\n" % (name, _ENCODER.encode(_document(error, dialect, request_id)))


def _document(error: KitError, dialect: Dialect, request_id: str) -> dict[str, Any]:
    kind = _kind(error)
    message = _encodable(f"{error.message} {error.fix}".strip())
    if dialect == "anthropic":
        document: dict[str, Any] = {"type": "error", "error": {"type": kind.anthropic, "message": message}}
        return {**document, "request_id": request_id} if request_id else document
    code, param = _code_and_param(error)
    if dialect == "gemini":
        status = _status(error, "")
        reason = {"@type": _GOOGLE_INFO, "reason": code.upper(), "domain": "api"}
        name = _GOOGLE_STATUS.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
        return {"error": {"code": status, "message": message, "status": name, "details": [reason]}}
    return {
        "error": {"message": message, "type": kind.openai, "param": param and _encodable(param), "code": code},
    }


def _encodable(text: str) -> str:
    """Half a surrogate pair, which a message may quote from a path or header, has no UTF-8."""
    return text.encode(errors="replace").decode()


def _status(error: KitError, user_agent: str) -> int:
    if isinstance(error, UpstreamRejected):
        return error.http_status
    if isinstance(error, InsufficientCredit) and user_agent.lower().startswith("codex"):
        return 429
    return error.status


def _kind(error: KitError) -> _Kind:
    if isinstance(error, UpstreamRejected):
        return _REJECTED_KINDS.get(error.http_status, _REQUEST)
    for error_type, kind in _KINDS:
        if isinstance(error, error_type):
            return kind
    return _REQUEST if error.status < 500 else _SERVER


def _code_and_param(error: KitError) -> tuple[str, str | None]:
    if isinstance(error, InvalidRequest):
        return error.code, error.param
    if isinstance(error, UpstreamRejected) and error.details:
        details = error.details[0]
        return str(details.get("code") or error.code), details.get("param")
    return error.code, None
