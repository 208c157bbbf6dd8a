"""Heads and errors of answers, each in the manner of the provider whose dialect it is. Sends nothing."""

from __future__ import annotations

import time
from typing import Any, Final, Literal

import msgspec

Dialect = Literal["openai", "responses", "anthropic", "gemini"]
ORGANIZATION: Final = "org-emulated0upstream0account"
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
# Names, links and account ids as the real services send them: no storefront may repeat one.
_OPENAI_HEAD: Final = (
    "server: openai-emulator\r\nx-request-id: {id}\r\nopenai-organization: " + ORGANIZATION + "\r\n"
    "openai-project: proj_emulated\r\nopenai-processing-ms: 7\r\nopenai-version: 2020-10-01\r\n"
    "x-ratelimit-limit-requests: 30000\r\nx-ratelimit-remaining-requests: 29999\r\n"
    "set-cookie: __cf_bm=emulated; path=/; domain=.api.openai.com\r\ncf-ray: 8f00000000000000-EMU\r\n"
    "strict-transport-security: max-age=31536000\r\n"
)
_ANTHROPIC_HEAD: Final = (
    "server: anthropic-emulator\r\nrequest-id: {id}\r\nanthropic-organization-id: 00000000-emulated-organization\r\n"
    "anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n"
    "anthropic-ratelimit-input-tokens-limit: 2000000\r\nanthropic-ratelimit-input-tokens-remaining: 2000000\r\n"
    "via: 1.1 google\r\ncf-cache-status: DYNAMIC\r\nx-robots-tag: none\r\ncf-ray: 8f00000000000000-EMU\r\n"
)
_GEMINI_HEAD: Final = (
    "server: scaffolding on HTTPServer2-emulator\r\nvary: Origin, X-Origin, Referer\r\nx-xss-protection: 0\r\n"
    "x-frame-options: SAMEORIGIN\r\nx-content-type-options: nosniff\r\nserver-timing: gfet4t7; dur=7\r\n"
    "x-gemini-service-tier: standard\r\n"
)
_HEADS: Final = {"anthropic": _ANTHROPIC_HEAD, "gemini": _GEMINI_HEAD}
_BUSY: Final = (
    f"Rate limit reached for the model in organization {ORGANIZATION} on requests per min (RPM). "
    "Visit https://platform.openai.com/account/rate-limits to learn more."
)
_BROKEN: Final = (
    "The server had an error while processing your request. Sorry about that! Please contact us through our "
    "help center at help.openai.com if the error persists."
)
_BAD_KEY: Final = "Incorrect API key provided. You can find yours at https://platform.openai.com/account/api-keys."
_OPENAI: Final[dict[int, tuple[str, str, str | None]]] = {
    401: (_BAD_KEY, "invalid_request_error", "invalid_api_key"),
    403: (f"Your organization {ORGANIZATION} may not use OpenAI's API.", "permission_error", "forbidden"),
    429: (_BUSY, "requests", "rate_limit_exceeded"),
    500: (_BROKEN, "server_error", None),
    503: ("The engine is currently overloaded, please try again later.", "service_unavailable", "overloaded"),
}
_ANTHROPIC: Final = {
    400: ("invalid_request_error", "Anthropic refused the request."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified Anthropic resource."),
    404: ("not_found_error", "Not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: (
        "rate_limit_error",
        "This request would exceed your organization's rate limit. See https://docs.anthropic.com/en/api/rate-limits.",
    ),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
_GEMINI: Final = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: (
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. See https://developers.google.com/identity.",
    ),
    403: ("PERMISSION_DENIED", "Generative Language API has not been used in project 424242 before or it is disabled."),
    404: ("NOT_FOUND", "Requested entity was not found."),
    429: (
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check https://ai.google.dev/gemini-api/docs/rate-limits.",
    ),
    499: ("CANCELLED", "The operation was cancelled."),
    500: (
        "INTERNAL",
        "An internal error has occurred. Please retry or report in https://developers.generativeai.google.",
    ),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The request timed out. Please try again."),
}
_JSON: Final = msgspec.json.Encoder()


def head(
    status: int,
    content_type: str,
    request_id: str,
    *,
    length: int | None,
    extra: str = "",
    dialect: str = "openai",
) -> bytes:
    """Status line and headers; `length` None is a chunked body."""
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Answer')}\r\n"
        f"date: {time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime())}\r\n"
        f"content-type: {content_type}\r\n{framing}\r\n"
        f"{_HEADS.get(dialect, _OPENAI_HEAD).format(id=request_id)}{extra}\r\n"
    ).encode()


def error_body(
    status: int,
    message: str = "",
    *,
    code: str | None = None,
    param: str | None = None,
    dialect: str = "openai",
    request_id: str = "",
) -> bytes:
    """An error object as the service of this dialect writes it."""
    return _JSON.encode(error_object(status, message, code=code, param=param, dialect=dialect, request_id=request_id))


def error_object(
    status: int,
    message: str = "",
    *,
    code: str | None = None,
    param: str | None = None,
    dialect: str = "openai",
    request_id: str = "",
) -> dict[str, Any]:
    """See error_body. `code`: OpenAI's code, Anthropic's type, Google's status; the status's own by default."""
    if dialect == "anthropic":
        kind, text = _ANTHROPIC.get(status, _ANTHROPIC[500 if status >= 500 else 400])
        error = {"type": code or kind, "message": message or text}
        return {"type": "error", "error": error, "request_id": request_id or None}
    if dialect == "gemini":
        known, text = _GEMINI.get(status, _GEMINI[500 if status >= 500 else 400])
        found: dict[str, Any] = {"code": status, "message": message or text, "status": code or known}
        return {"error": found | _details(status, param)}
    text, kind, own = _OPENAI.get(status, (f"The OpenAI API answered {status}.", "invalid_request_error", None))
    return {"error": {"message": message or text, "type": kind, "param": param, "code": code or own}}


def _details(status: int, reason: str | None) -> dict[str, Any]:
    """What Google adds to an error: the reason of a refused key, the pause after a full quota."""
    prefix = "type.googleapis.com/google.rpc."
    if status == 429:
        return {"details": [{"@type": f"{prefix}RetryInfo", "retryDelay": "7s"}]}
    if reason is None:
        return {}
    info = {"@type": f"{prefix}ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return {"details": [info | {"metadata": {"service": "generativelanguage.googleapis.com"}}]}
