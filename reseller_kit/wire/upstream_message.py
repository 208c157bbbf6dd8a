"""An upstream's refusal of a request, told without a trace of the upstream. When in doubt it says less.

The sentences of a message that name a provider, address, account or request are dropped; the rest stays, with the
model under its public name. That a request was too long for the model always survives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ..core.errors import UpstreamFailed, UpstreamRejected
from .json_body import is_given
from .verdict import verdict_within

_MAX_REASON_CHARACTERS: Final = 300
GENERIC: Final = "The model did not accept this request. Check its parameters and try again."
_TOO_LONG_MESSAGE: Final = (
    "This model's maximum context length{limit} is exceeded. Shorten the messages or lower the output limit."
)
CONTEXT_LENGTH_CODE: Final = "context_length_exceeded"
_AGAINST_THE_RULES: Final = "invalid_prompt"
_GENERIC_BY_STATUS: Final = {413: "The request is too large for this model. Send less in one request."}
_STATUSES: Final = frozenset({400, 404, 413, 422})
_MAX_READ_CHARACTERS: Final = 2_000
_MAX_KEPT_CHARACTERS: Final = 600
_KNOWN_CODES: Final = frozenset(
    {
        CONTEXT_LENGTH_CODE,
        "content_filter",
        "content_policy_violation",
        "integer_above_max_value",
        "integer_below_min_value",
        "invalid_base64",
        "invalid_image_format",
        "invalid_image_url",
        _AGAINST_THE_RULES,
        "invalid_type",
        "invalid_value",
        "missing_required_parameter",
        "rate_limit_exceeded",
        "string_above_max_length",
        "unknown_parameter",
        "unsupported_parameter",
        "unsupported_value",
    }
)
"""Codes that clients act on; they say nothing about who answered."""

_WORD: Final = re.compile(r"[A-Za-z_]+[A-Za-z0-9_]*")
_PARAM: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]]{0,99}")
_MODEL_MARK: Final = "\ufdd0"
"""A noncharacter, which no message contains once it is cleaned of control characters."""
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")
_TOO_LONG: Final = re.compile(
    r"""
      context[ _-]?(?:length|window|size|limit) | maximum\ context | (?:prompt|input)\ is\ too\ long | too\ many\ tokens
    | (?:input|prompt)\ (?:token\ count|length)[^.]{0,60}exceed | reduce\ the\ length
    | exceeds?\ the\ (?:maximum|model'?s)[^.]{0,40}\ tokens
    """,
    re.IGNORECASE | re.VERBOSE,
)
_VERBATIM: Final = re.compile(
    r"""
      prompt\ is\ too\ long:\ [0-9]{1,12}\ tokens\ >\ [0-9]{1,12}\ maximum
    | input\ length\ and\ `max_tokens`\ exceed\ context\ limit:\ [0-9]{1,12}\ \+\ [0-9]{1,12}\ >\ [0-9]{1,12}
      (?:,\ decrease\ input\ length\ or\ `max_tokens`\ and\ try\ again)?
    """,
    re.VERBOSE,
)
"""Sentences that clients take apart to shorten the conversation; they say nothing about who answered."""
_LIMIT: Final = re.compile(
    r"(?:context (?:length|window|size|limit)|limit|maximum)(?: is| of|:)? (?:only )?([0-9][0-9,_]{2,11})",
    re.IGNORECASE,
)
_TRACE: Final = re.compile(
    r"""
    # addresses
      [a-z][a-z0-9+.-]{1,15}://
    | \b(?:[a-z0-9_-]{1,63}\.){1,8}
      (?:ai|app|cloud|cn|co|com|dev|eu|example|gg|internal|io|local|localhost|net|org|sh|so|test|xyz)\b
    | \b\d{1,3}(?:\.\d{1,3}){3}\b | \blocalhost\b | [\w.+-]@[\w-]{1,63}\.
    # accounts, requests and keys
    | \b(?:acct|account|org|organization|proj|project|req|request|team|trace|workspace)[-_][a-z0-9_-]{6,}
    | \b(?:asst|call|chatcmpl|file|gen|key|msg|pk|resp|sk|user)[-_](?=[a-z_-]{0,60}\d)[a-z0-9_-]{6,}
    | \b(?:cf-ray|ray|request|trace)[ _-]?id\b
    | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b | \b[0-9a-f]{24,}\b | [a-z0-9_-]{40,}
    # the operator's own affairs
    | \borgani[sz]ation\b | \bapi[ _-]?keys?\b | \bbilling\b | \bquota\b | \bdashboard\b | \bdeployments?\b
    | \bcontact\ us\b | \bcontact\ support\b | \bhelp\ cent(?:er|re)\b
    # who they are
    | open\s?-?ai | azure | microsoft | anthropic | open\s?-?router | litellm | vllm | sglang | ollama | bedrock
    | \baws\b | amazon | vertex | google | deep\s?-?seek | mistral | groq | together\.?\s?ai | fireworks | \bx\.?ai\b
    | cohere | perplexity | moonshot | dashscope | alibaba | aliyun | volcengine | bytedance | zhipu | minimax | nvidia
    | cerebras | sambanova | deepinfra | hugging\s?-?face | replicate\.com | baseten | novita | hyperbolic | cloudflare
    | databricks | portkey | helicone | \bone-api\b | \bnew-api\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_MODEL_CODES: Final = frozenset(
    {
        "DeploymentNotFound",
        "invalid_model",
        "model_decommissioned",
        "model_deprecated",
        "model_not_found",
        "unknown_model",
    }
)
_NO_MODEL: Final = re.compile(
    r"""
      \bmodels?\b.{0,160}?\b(?:not\ (?:be\ )?found|not\ exist|doesn't\ exist|decommissioned|discontinued|retired
        |(?:has|have)\ been\ (?:deprecated|removed|shut\ down)|no\ longer\ (?:available|exists|supported))
    | \b(?:invalid|unknown|no\ such|unable\ to\ access)\ model\b | \bnot\ a\ valid\ model\b
    | \bno\ (?:allowed\ )?(?:endpoints|providers)\b.{0,40}\b(?:found|available)\b | ^models?:\ \S+$
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""How providers say that they don't have a model, or no longer; counted only where the message has its name."""
_BARE_NO_MODEL: Final = re.compile(r"model not exist\.?", re.IGNORECASE)
_ANY: Final = msgspec.json.Decoder()


class _Refusal(Struct, frozen=True):
    message: str = ""
    code: str = ""
    param: str | None = None
    type: str = ""


def blames_the_route(status: int, body: bytes, upstream_model: str) -> bool:
    """Whether a refusal says that there is no such model at the upstream: the route is wrong, not the request.

    A 404 that is no error of an API at all comes from an address that is wrong. Raises nothing.
    """
    refusal = _read(body)
    if refusal.code in _MODEL_CODES or refusal.type in _MODEL_CODES:
        return True
    message = refusal.message[:_MAX_READ_CHARACTERS]
    if status == 404 and not (message or refusal.code or refusal.type):
        return True
    folded = message.casefold()
    named = any(name.casefold() in folded for name in (upstream_model, upstream_model.rpartition("/")[2]) if name)
    return (named and _NO_MODEL.search(message) is not None) or _BARE_NO_MODEL.fullmatch(message.strip()) is not None


def rejection(
    status: int, body: bytes, *, upstream_model: str, public_model: str, hide: Iterable[str] = (), sent: bytes = b""
) -> UpstreamRejected:
    """The error to raise for an upstream's 400, 404, 413 or 422 (any other status counts as 400).

    `hide`: names that must not show (upstreams, providers, hosts, account ids). A code and parameter name that OpenAI's
    clients act on are kept in `details[0]`, the name where it is made of words of `sent`, the request that was refused.
    Raises nothing, whatever the body is.
    """
    refusal = _read(body)
    param = refusal.param if refusal.param and _is_of(sent, refusal.param) else None
    status = status if status in _STATUSES else 400
    message = clean_upstream_message(
        refusal.message, upstream_model=upstream_model, public_model=public_model, hide=hide
    )
    code = refusal.code if refusal.code in _KNOWN_CODES else ""
    verbatim = _VERBATIM.search(refusal.message[:_MAX_READ_CHARACTERS])
    if verbatim is not None:
        code, message = CONTEXT_LENGTH_CODE, verbatim.group()
    elif code == CONTEXT_LENGTH_CODE or is_too_long(refusal.message):
        code = CONTEXT_LENGTH_CODE
        if not is_too_long(message):
            message = _too_long(refusal.message)
    elif message == GENERIC:
        message = _GENERIC_BY_STATUS.get(status, GENERIC)
    error = UpstreamRejected(message, http_status=status)
    if code or status == 413:
        error.details = [{"code": code or "request_too_large", "param": param}]
    elif param:
        error.details = [{"code": "", "param": param}]
    return error


def _is_of(sent: bytes, param: str) -> bool:
    """Whether a parameter is the request's own: any other could be a word that tells who refused it."""
    return all(b'"%s"' % word.encode() in sent for word in _WORD.findall(param))


def failed(error: Raw, fallback: str) -> UpstreamFailed:
    """What an upstream's error object within a 200 comes to; `fallback`: the reason where it tells none.

    Answers and streams that are too long for the model, or against its rules, begin as well as any other: these are
    refusals of the request, told in words that say nothing of who answered.
    """
    reason = describe_error(error) or fallback
    refusal = _read(bytes(error))
    verdict = verdict_within(bytes(error))
    return UpstreamFailed(reason, upstream_status=200, rejection=_refused_late(refusal), verdict=verdict)


def _refused_late(refusal: _Refusal) -> UpstreamRejected | None:
    verbatim = _VERBATIM.search(refusal.message[:_MAX_READ_CHARACTERS])
    if verbatim is not None:
        code, message = CONTEXT_LENGTH_CODE, verbatim.group()
    elif refusal.code == CONTEXT_LENGTH_CODE or is_too_long(refusal.message):
        code, message = CONTEXT_LENGTH_CODE, _too_long(refusal.message)
    elif refusal.code == _AGAINST_THE_RULES:
        code, message = _AGAINST_THE_RULES, GENERIC
    else:
        return None
    rejected = UpstreamRejected(message, http_status=400)
    rejected.details = [{"code": code, "param": None}]
    return rejected


def clean_upstream_message(text: str, *, upstream_model: str, public_model: str, hide: Iterable[str] = ()) -> str:
    """The sentences of `text` that tell nothing of the upstream; `GENERIC` where none is left."""
    text = _UNPRINTABLE.sub(" ", text[:_MAX_READ_CHARACTERS]).strip()
    if text.startswith(("{", "[", "<")):
        return GENERIC
    # The full name first, or its prefix would be left behind.
    for name in filter(None, (upstream_model, upstream_model.rpartition("/")[2])):
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", _MODEL_MARK, text, flags=re.IGNORECASE)
    hidden = [name.casefold() for name in hide if len(name) > 1]
    kept = []
    for sentence in _SENTENCE.split(text):
        folded = sentence.casefold()
        if sentence and not _TRACE.search(sentence) and not any(name in folded for name in hidden):
            kept.append(sentence.strip())
    message = " ".join(kept).replace(_MODEL_MARK, public_model)
    return message if _says_something(message) else GENERIC


def is_too_long(message: str) -> bool:
    """Whether a refusal says that the request exceeds the model's context."""
    return _TOO_LONG.search(message[:_MAX_READ_CHARACTERS]) is not None


def _too_long(message: str) -> str:
    match = _LIMIT.search(message[:_MAX_READ_CHARACTERS])
    return _TOO_LONG_MESSAGE.format(limit=f" of {match.group(1)} tokens" if match else "")


def _says_something(message: str) -> bool:
    return 8 <= len(message) <= _MAX_KEPT_CHARACTERS and " " in message


def _read(body: bytes) -> _Refusal:
    """Message, code and parameter from the error objects that upstreams of OpenAI's and Anthropic's dialects send."""
    try:
        found: Any = _ANY.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return _Refusal()
    if isinstance(found, list) and found:
        found = found[0]
    error = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(error, str):
        return _Refusal(message=error)
    if not isinstance(error, dict):
        return _Refusal()
    message, code, param, kind = (error.get(name) for name in ("message", "code", "param", "type"))
    if message is None:
        message = error.get("detail")
    return _Refusal(
        message=message if isinstance(message, str) else "",
        code=code if isinstance(code, str) else "",
        param=param if isinstance(param, str) and _PARAM.fullmatch(param) and not _TRACE.search(param) else None,
        type=kind if isinstance(kind, str) else "",
    )


def describe_body(body: bytes) -> str:
    """What a refusal's body says, in one line, for logs; never for the caller."""
    refusal = _read(body)
    told = " ".join(filter(None, (refusal.code, refusal.type, refusal.message)))
    return " ".join(told.split())[:_MAX_REASON_CHARACTERS]


def describe_error(error: Raw) -> str:
    """An upstream's error object in one line, for logs and usage records; never for the caller."""
    if not is_given(error):
        return ""
    try:
        found: Any = _ANY.decode(error)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        found = "undecodable"
    if isinstance(found, dict):
        found = " ".join(str(found[name]) for name in ("code", "type", "message") if found.get(name) is not None)
    return str(found)[:_MAX_REASON_CHARACTERS]
