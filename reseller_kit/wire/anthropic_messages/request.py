"""Requests to `POST /v1/messages` and its count_tokens: read what is priced, send exactly that. Does no I/O.

What the meter reads is parsed once; everything else travels as raw bytes. Source: Anthropic API reference, "Create a
Message" and "Count tokens in a Message".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw

from ...core.errors import InvalidRequest
from ..codec import Call, Sending
from ..json_body import NULL, decode_as, encode_object, is_given, parse_object, quote
from ..media import token_bound
from ..members import refuse_unknown
from ..signatures import MARK
from ..token_count import read_tokens
from .counting import contents_of
from .head import NAMES, SEARCH_TOKENS, Head, check_standard
from .offered import searches_of
from .thoughts import without_foreign

LEAST_BUDGET: Final = 1_024
"""Tokens of thought; source: Anthropic, "Extended thinking"."""
_MAX_HEADER_CHARACTERS: Final = 2_048
_HEADERS: Final = (b"anthropic-version", b"anthropic-beta")
_COUNTED: Final = frozenset(
    {
        "cache_control",
        "context_management",
        "messages",
        "model",
        "output_config",
        "output_format",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
_NOT_SENT: Final = ("diagnostics",)
"""`diagnostics` names an earlier answer by an id of ours, which says nothing to the upstream."""

_HEAD: Final = msgspec.json.Decoder(Head)
_LOOKED_AT: Final = frozenset(Head.__struct_fields__)
_LARGE_BYTES: Final = 4 * 1024
"""From here on it costs less to leave out what the meter doesn't read than to read over it."""
_SYSTEM_BEGINS: Final = frozenset({b'"', b"[", b"n"})
"""A text, a list, and null."""
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])


def path(_call: Call, _sending: Sending) -> str:
    """The upstream's path."""
    return "/v1/messages"


COUNT_PATH: Final = "/v1/messages/count_tokens"


def decode(body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> Call:
    """Read and check a request body; `headers` as ASGI gives them, of which version and betas are kept.

    Raises InvalidRequest (with `param` where one member is to blame) for what is malformed, ambiguous, out of range,
    or would change routing or billing behind the meter's back.
    """
    call = decode_count(body, headers)
    if call.output_limit is None:
        raise InvalidRequest("max_tokens: Field required.", param="max_tokens")
    return call


def decode_count(body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> Call:
    """`decode` for a request that only wants its input counted and so need not name `max_tokens`."""
    fields = parse_object(body)
    refuse_unknown(fields, NAMES)
    _check_system(fields.get("system", NULL))
    head = decode_as(_HEAD, body if len(body) < _LARGE_BYTES else _without_rest(fields))
    check_standard(head)
    searches = searches_of(fields.get("tools"))
    media = contents_of(head.messages).media
    media_tokens = sum(map(token_bound, media))
    # A token of text is at least one byte, and JSON's own syntax outweighs what a template adds.
    bound = len(body) - sum(medium.characters for medium in media) + media_tokens + searches * SEARCH_TOKENS
    inputs = 1 + searches
    compacts = is_given(head.compaction) or b"compact_" in bytes(head.context_management)
    if compacts:
        # The conversation is read once to be summarised and once more to be answered.
        bound *= 2
        inputs *= 2
    return Call(
        api="messages",
        model=head.model,
        stream=bool(head.stream),
        output_limit=head.max_tokens,
        include_usage=True,
        fields=fields,
        input_bound=bound,
        media_tokens=media_tokens,
        inputs=inputs,
        summaries=int(compacts),
        tool_calls=searches,
        needs=("tool_call",) if searches else (),
        headers=_kept(headers),
    )


def encode(call: Call, sending: Sending) -> bytes:
    """The body to send upstream: the caller's, with the upstream's model name and the limit of the hold."""
    fields = _with_model(call, sending)
    limit = sending.output_limit
    if limit is None and call.output_limit is None:
        limit = sending.room
    if limit is not None and (call.output_limit is None or limit < call.output_limit):
        fields["max_tokens"] = Raw(b"%d" % limit)
        _lower_budget(fields, limit)
    return encode_object(fields)


def encode_count(call: Call, sending: Sending) -> bytes:
    """The body to send to the upstream's count_tokens: of the request, what is counted."""
    return encode_object({name: value for name, value in _with_model(call, sending).items() if name in _COUNTED})


def read_count(body: bytes) -> int:
    """Tokens that an upstream's count_tokens answered. Raises UpstreamFailed for anything else."""
    return read_tokens(body, "input_tokens")


def count_body(tokens: int) -> bytes:
    """The answer to a caller of count_tokens."""
    return b'{"input_tokens":%d}' % tokens


def _without_rest(fields: dict[str, Raw]) -> bytes:
    return encode_object({name: value for name, value in fields.items() if name in _LOOKED_AT})


def _check_system(system: Raw) -> None:
    """Raises InvalidRequest for what is neither text nor a list.

    Nothing of it decides the charge, so whoever reads its blocks refuses what is wrong with them.
    """
    if bytes(memoryview(system)[:1]) not in _SYSTEM_BEGINS:
        raise InvalidRequest("system: Expected a text or a list of blocks.", param="system")


def _kept(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Version and betas; repeated headers are one list. Raises InvalidRequest for one that can't travel."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _HEADERS and value.strip():
            found.setdefault(name, []).append(value.strip())
    kept = []
    for name, values in found.items():
        text = b",".join(values).decode("latin-1")
        if len(text) > _MAX_HEADER_CHARACTERS or not (text.isascii() and text.isprintable()):
            raise InvalidRequest(f"The header {name.decode()} has to be short printable ASCII.", param=name.decode())
        kept.append((name.decode(), text))
    return tuple(kept)


def _with_model(call: Call, sending: Sending) -> dict[str, Raw]:
    fields = call.fields.copy()
    fields["model"] = Raw(quote(sending.model))
    for name in _NOT_SENT:
        fields.pop(name, None)
    if _MARK_BYTES in bytes(fields["messages"]):
        fields["messages"] = without_foreign(fields["messages"], sending.maker)
    return fields


def _lower_budget(fields: dict[str, Raw], limit: int) -> None:
    """A budget of thought has to stay below the output limit; where there is no room for one, there is no thought."""
    thinking = fields.get("thinking")
    if thinking is None or bytes(thinking)[:1] != b"{":
        return
    given = decode_as(_OBJECT, thinking, within="thinking")
    budget = bytes(given.get("budget_tokens", NULL))
    if not budget.isdigit() or int(budget) < limit:
        return
    if limit <= LEAST_BUDGET:
        del fields["thinking"]
    else:
        fields["thinking"] = Raw(encode_object({**given, "budget_tokens": Raw(b"%d" % (limit - 1))}))


_MARK_BYTES: Final = MARK.encode()
