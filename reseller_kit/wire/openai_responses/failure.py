"""How a stream of Responses ends that went wrong: in words that this API's clients act on."""

from __future__ import annotations

from typing import Final

import msgspec

from ...core.errors import (
    InsufficientCredit,
    KitError,
    RateLimited,
    ServiceUnavailable,
    UpstreamFailed,
    UpstreamRejected,
)

_ENCODER: Final = msgspec.json.Encoder()


def failure_code(error: KitError) -> str:
    """The code of a failed response.

    `insufficient_quota` and `context_length_exceeded` stop a client, `server_is_overloaded` tells that there is no use
    in trying again at once, `rate_limit_exceeded` and `server_error` that there is.
    """
    if isinstance(error, UpstreamRejected):
        given = error.details[0].get("code") if error.details else ""
        return str(given or "invalid_prompt")
    if isinstance(error, InsufficientCredit):
        return "insufficient_quota"
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    if isinstance(error, ServiceUnavailable) and not isinstance(error, UpstreamFailed):
        return "server_is_overloaded"
    return "server_error"


def failure_message(error: KitError) -> str:
    """One sentence for the person behind the client; Codex reads the seconds to wait out of it."""
    message = f"{error.message} {error.fix}".strip()
    if isinstance(error, RateLimited):
        message += f" Please try again in {max(1, error.retry_after_seconds)}s."
    return message.encode(errors="replace").decode()


def error_event(error: KitError, number: int) -> bytes:
    """The event that tells of the error apart from the response."""
    event = {
        "type": "error",
        "sequence_number": number,
        "code": failure_code(error),
        "message": failure_message(error),
        "param": None,
    }
    return b"event: error\ndata: %b\n\n" % _ENCODER.encode(event)
