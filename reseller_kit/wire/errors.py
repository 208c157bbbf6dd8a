"""Errors of the tree in `core.errors` as bodies, statuses and headers of each dialect. Decides no condition itself.

Sources: OpenAI API reference, "Error codes"; Anthropic API reference, "Errors"; Google AIP-193, "Errors".
`x-should-retry: false` stops the vendors' clients from repeating what can't succeed.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from ..core.errors import (
    AccountSuspended,
    AddressNotAllowed,
    InsufficientCredit,
    InvalidRequest,
    KitError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RateLimited,
    RequestTimeout,
    RequestTooLarge,
    Restarting,
    ServiceUnavailable,
    Unauthenticated,
    UpstreamRejected,
)
from .upstream_message import CONTEXT_LENGTH_CODE

Dialect = Literal["openai", "anthropic", "gemini"]

_ENCODER: Final = msgspec.json.Encoder()
_NO_RETRY: Final = (b"x-should-retry", b"false")
_CLOSE: Final = (b"connection", b"close")
_KNOWN_WORDS: Final = ("prompt is too long", "input length and")
_FIGURE: Final = re.compile(r"[0-9]{4,9}")
_SENT_AND_MOST: Final = 2
_CODEX: Final = "codex"
_CODEX_OVERLOADED: Final = "server_is_overloaded"
_CLAUDE_CODE: Final = "claude-cli"
_FINAL_STATUSES: Final = frozenset({401, 402, 403, 404})

_GOOGLE_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_GOOGLE_STATUS: Final = {
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",  # what Google says where billing is missing; RESOURCE_EXHAUSTED is asked again
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
    (AddressNotAllowed, _Kind("permission_error", "permission_error")),
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

    `user_agent` matters to two clients that repeat a refusal for minutes unless they are told in words of their own
    (docs/clients.md has the counts): Codex gets 429 for missing credit and its own code for an overload, Claude Code
    gets 529 with `overloaded_error`.
    """
    agent = user_agent.lower()
    status = _status(error, agent)
    headers = [(b"content-type", b"application/json")]
    if request_id:
        names = (b"x-request-id", b"request-id") if dialect == "anthropic" else (b"x-request-id",)
        headers += [(name, request_id.encode("latin-1", "replace")) for name in names]
    again = isinstance(error, RateLimited | Overloaded | Restarting)
    if status in _FINAL_STATUSES or (status >= 500 and not again) or isinstance(error, InsufficientCredit):
        headers.append(_NO_RETRY)
    if isinstance(error, RateLimited):
        headers.append((b"retry-after", b"%d" % max(1, error.retry_after_seconds)))
    if isinstance(error, ServiceUnavailable) and error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    if isinstance(error, RequestTimeout):
        # The rest of the request may still be on its way: nothing else can follow on this connection.
        headers.append(_CLOSE)
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode("latin-1", "replace")))
    return ErrorResponse(status, headers, _ENCODER.encode(_document(error, dialect, request_id, agent)))


def stream_error(error: KitError, dialect: Dialect, *, request_id: str = "") -> bytes:
    """The event that ends a stream which failed after its first byte."""
    name = b"event: error\n" if dialect == "anthropic" else b""
    return b"%bdata: %b\n\n" % (name, _ENCODER.encode(_document(error, dialect, request_id)))


def _document(error: KitError, dialect: Dialect, request_id: str, agent: str = "") -> dict[str, Any]:
    kind = _kind(error)
    message = _encodable(f"{error.message} {error.fix}".strip())
    if dialect == "anthropic":
        message = _as_prompt_too_long(error, message)
        document: dict[str, Any] = {"type": "error", "error": {"type": kind.anthropic, "message": message}}
        return {**document, "request_id": request_id} if request_id else document
    code, param = _code_and_param(error)
    if _is_overload(error) and agent.startswith(_CODEX):
        code = _CODEX_OVERLOADED
    if dialect == "gemini":
        status = _status(error, "")
        reason = {"@type": _GOOGLE_INFO, "reason": code.upper(), "domain": "api"}
        name = _GOOGLE_STATUS.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
        return {"error": {"code": status, "message": message, "status": name, "details": [reason]}}
    return {
        "error": {"message": message, "type": kind.openai, "param": param and _encodable(param), "code": code},
    }


def _as_prompt_too_long(error: KitError, message: str) -> str:
    """In this dialect's own words, which its clients look for to shorten a conversation by themselves."""
    if not isinstance(error, UpstreamRejected) or _code_and_param(error)[0] != CONTEXT_LENGTH_CODE:
        return message
    if message.startswith(_KNOWN_WORDS):
        return message
    figures = sorted({int(figure) for figure in _FIGURE.findall(message)})
    if len(figures) == _SENT_AND_MOST:
        return f"prompt is too long: {figures[1]} tokens > {figures[0]} maximum"
    return f"prompt is too long: {message}"


def _encodable(text: str) -> str:
    """Half a surrogate pair, which a message may quote from a path or header, has no UTF-8."""
    return text.encode(errors="replace").decode()


def _status(error: KitError, agent: str) -> int:
    if isinstance(error, UpstreamRejected):
        return error.http_status
    if isinstance(error, InsufficientCredit) and agent.startswith(_CODEX):
        return 429
    if _is_overload(error) and agent.startswith(_CLAUDE_CODE):
        return 529
    return error.status


def _is_overload(error: KitError) -> bool:
    """What lasts longer than the pause before the next try."""
    return isinstance(error, ServiceUnavailable) and not isinstance(error, Restarting)


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
