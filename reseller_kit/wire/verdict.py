"""Whose fault an upstream's refusal is: status, headers and body to a verdict. Decides on no retry and parks no key.

A key is only blamed by what no customer can make a provider say: statuses, codes, Google's reasons, and sentences that
a message begins with. A provider's message may repeat what the customer sent, so a phrase somewhere in it proves
nothing: otherwise a request could take every key of the operator out of use.

Sources: "Error codes" of OpenAI's, "Errors" of Anthropic's and OpenRouter's API documentation, google.rpc.ErrorInfo,
and answers seen of Azure, xAI and others; `tests/unit/wire/test_verdict.py` has the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ..core.verdict import Blame, Verdict
from .retry_after import retry_after

MAX_BODY_BYTES: Final = 64 * 1024
_ANY: Final = msgspec.json.Decoder()
_MAX_MESSAGE: Final = 200
_OF_THE_REQUEST: Final = frozenset({400, 404, 413, 414, 415, 422, 431, 451})
_BAD_KEY: Final = frozenset({401, 402})
_KEY_CODES: Final = frozenset(
    {
        "access_terminated",
        "account_deactivated",
        "authentication_error",
        "billing_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "deactivated_workspace",
        "insufficient_balance",
        "insufficient_quota",
        "insufficient_user_quota",
        "invalid_api_key",
        "invalid_organization",
        "quota_exceeded",
    }
)
"""Codes and types that mean the key or its account, whatever the status."""
_KEY_REASONS: Final = frozenset(
    {
        "API_KEY_ANDROID_APP_BLOCKED",
        "API_KEY_HTTP_REFERRER_BLOCKED",
        "API_KEY_INVALID",
        "API_KEY_IP_ADDRESS_BLOCKED",
        "API_KEY_SERVICE_BLOCKED",
        "BILLING_DISABLED",
        "CONSUMER_INVALID",
        "CONSUMER_SUSPENDED",
        "SERVICE_DISABLED",
    }
)
"""Google's `ErrorInfo.reason`."""
_KEY_SENTENCES: Final = re.compile(
    r"""
      your\ credit\ balance\ is\ too\ low | you\ have\ reached\ your\ specified\ api\ usage\ limits?
    | this\ organization\ has\ been\ disabled
    | your\ (?:account|organization|project|workspace)\ (?:has\ been|is)\ (?:denied|disabled|suspended)
    | you\ exceeded\ your\ current\ quota,\ please\ check\ your\ plan | billing\ hard\ limit\ has\ been\ reached
    | insufficient\ (?:balance|credits?|quota|funds)\b | your\ account\ is\ not\ active,
    | api\ key\ (?:not\ valid|not\ found|expired) | (?:incorrect|invalid)\ api\ key | (?:api\ )?key\ limit\ exceeded
    | your\ team\ \S{1,64}\ has\ either\ used\ all | you\ have\ run\ out\ of\ credits
    | user\ location\ is\ not\ supported
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What messages begin with."""
_ABOUT_CONTENT: Final = re.compile(
    r"moderation|flagged|content[ _](?:polic|filter|violat|management)|usage (?:guidelines|polic)|safety", re.IGNORECASE
)
_NO_SUCH_MODEL: Final = frozenset({"DeploymentNotFound", "model_not_found", "model_not_available", "unsupported_model"})
_STATUS_OF_TYPE: Final = {
    "authentication_error": 401,
    "billing_error": 402,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
}
"""What an error without a status would have had; of any other the endpoint is to blame."""
_AFFORDS: Final = re.compile(r"can only afford ([1-9][0-9]*)", re.IGNORECASE)
_SHORT_OF_CREDIT_SECONDS: Final = 60.0


def verdict(status: int, headers: Mapping[bytes, bytes], body: bytes, now: float) -> Verdict:
    """Whose fault an answer of 300 or more is; `now` in seconds since 1970. Raises nothing, whatever the body is."""
    error = _error_of(body)
    blame = _blame(status, headers, error)
    wait = retry_after(headers, error, now) if blame != "request" else None
    if blame == "cooldown" and status == 402:
        wait = _SHORT_OF_CREDIT_SECONDS
    return Verdict(blame=blame, reason=_reason(status, error), retry_after=wait)


def verdict_within(body: bytes) -> Verdict:
    """Whose fault an error inside a 200 is: `body` is the error, or what holds it under `error`."""
    error = _error_of(body)
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else _STATUS_OF_TYPE.get(str(error.get("type")), 500)
    return Verdict(blame=_blame(status, {}, error), reason=_reason(200, error))


def _blame(status: int, headers: Mapping[bytes, bytes], error: Mapping[str, Any]) -> Blame:
    if status < 400 or (status >= 500 and not _names_the_key(error)):
        return "endpoint"
    if status == 402 and _AFFORDS.search(_message(error)):
        # OpenRouter: this request's output limit is dearer than what is left; a shorter one is still served.
        return "cooldown"
    if status in _BAD_KEY or _names_the_key(error):
        return "key"
    if status == 403:
        return _of_forbidden(headers, error)
    if status == 429:
        return "endpoint" if _is_the_models_own_limit(error) else "cooldown"
    return "request" if status in _OF_THE_REQUEST else "endpoint"


def _of_forbidden(headers: Mapping[bytes, bytes], error: Mapping[str, Any]) -> Blame:
    """What 403 means beside a key that may do nothing: content, one model, or a wall in front of the provider."""
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and ("flagged_input" in metadata or "reasons" in metadata):
        return "request"
    if _ABOUT_CONTENT.search(_message(error)):
        return "request"
    if error.get("code") in _NO_SUCH_MODEL or b"text/html" in headers.get(b"content-type", b"").lower():
        return "endpoint"
    return "key"


def _names_the_key(error: Mapping[str, Any]) -> bool:
    if error.get("code") in _KEY_CODES or error.get("type") in _KEY_CODES:
        return True
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get("reason") in _KEY_REASONS:
            return True
    # Google says "You exceeded your current quota" of every limit, with the status of one that passes by.
    return error.get("status") != "RESOURCE_EXHAUSTED" and _KEY_SENTENCES.match(_message(error)) is not None


def _is_the_models_own_limit(error: Mapping[str, Any]) -> bool:
    """Whether a router (OpenRouter) passes on the limit of the provider behind one model, not that of the key."""
    metadata = error.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("provider_name"))


def _error_of(body: bytes) -> dict[str, Any]:
    """The error object, by whichever name; xAI has its message in `error` itself, beside `code`."""
    try:
        found: Any = _ANY.decode(body[:MAX_BODY_BYTES])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return {}
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return {"message": found} if isinstance(found, str) else {}
    error = found.get("error", found)
    if isinstance(error, dict):
        return _with_hashable_words(error)
    return _with_hashable_words({"message": error, "code": found.get("code")})


def _with_hashable_words(error: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: error.get(name) for name in ("code", "type", "status")}
    return {**error, **{name: word if isinstance(word, str | int) else None for name, word in words.items()}}


def _message(error: Mapping[str, Any]) -> str:
    for name in ("message", "detail"):
        if isinstance(error.get(name), str):
            return str(error[name])[:2000]
    return ""


def _reason(status: int, error: Mapping[str, Any]) -> str:
    words = [str(status)]
    words += [str(error[name]) for name in ("code", "type", "status") if error.get(name) not in {None, "", status}]
    message = " ".join(_message(error).split())[:_MAX_MESSAGE]
    return " ".join(dict.fromkeys(words)) + (f": {message}" if message else "")
