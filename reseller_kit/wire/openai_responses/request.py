"""Requests to `POST /v1/responses`: read what is priced, send exactly that. Does no I/O.

What the meter reads is parsed once; everything else travels as raw bytes. An upstream keeps nothing: it is always told
not to store, and thoughts come back encrypted, so that the next request can bring them. Source: OpenAI API reference,
"Create a model response".
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from ...core.errors import InvalidRequest
from ..codec import Call, Counted, Headers, Sending
from ..json_body import NULL, decode_as, encode_object, is_given, parse_object, quote
from ..ranges import Share, Temperature
from ..texts import strings_in
from .fields import refuse_unknown, without_empty
from .input import for_maker, items_of, measure, media_in
from .tools import choice_of, hosted_of, own_tools, tools_of

MAX_OUTPUT_LIMIT: Final = 1 << 31
ENCRYPTED: Final = "reasoning.encrypted_content"
_UNTIERED: Final = frozenset({"auto", "default"})
_REASONING_MODES: Final = frozenset({None, "standard"})
_FALSE: Final = Raw(b"false")
_THINKERS: Final = re.compile(r"gpt-(?:[5-9](?!.*chat)|oss)|o[1-9](?:-|$)|codex", re.IGNORECASE)
"""Models that give their thoughts encrypted; others refuse to be asked for them."""
_COUNTED_FIELDS: Final = ("tools", "text")


class _Reasoning(Struct):
    mode: str | None = None


class _CacheOptions(Struct):
    comparison_response_id: str | None = None


class _Head(Struct):
    """The members that steer what is charged, with their types and ranges."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    input: Raw
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, le=MAX_OUTPUT_LIMIT)] | None = None
    service_tier: str | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    include: list[str] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: _CacheOptions | None = None
    reasoning: _Reasoning | None = None
    top_logprobs: int | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None


_HEAD: Final = msgspec.json.Decoder(_Head)
_ANY: Final = msgspec.json.Decoder()
_STRINGS: Final = msgspec.json.Decoder(list[str])


def decode(body: bytes, _headers: Headers = ()) -> Call:
    """Read and check a request body.

    Raises InvalidRequest (with `param` where one member is to blame) for what is malformed, ambiguous, out of range,
    or would change routing or billing behind the meter's back. No header means anything here.
    """
    fields = parse_object(body)
    refuse_unknown(fields)
    head = decode_as(_HEAD, body)
    _check(head)
    hosted_of(tools_of(fields), choice_of(fields))
    items_of(fields["input"])
    media = measure(fields["input"])
    return Call(
        api="responses",
        model=head.model,
        stream=bool(head.stream),
        output_limit=head.max_output_tokens,
        include_usage=True,
        fields=fields,
        # A token of text is at least one byte, and JSON's own syntax outweighs what a template adds.
        input_bound=len(body) - media.characters + media.tokens,
        media_tokens=media.tokens,
        needs=("input_audio",) if media.has_audio else (),
    )


def _check(head: _Head) -> None:
    if head.service_tier is not None and head.service_tier not in _UNTIERED:
        raise InvalidRequest('Only the service tiers "auto" and "default" are offered here.', param="service_tier")
    if head.reasoning is not None and head.reasoning.mode not in _REASONING_MODES:
        raise InvalidRequest('Only the mode "standard" is offered here.', param="reasoning.mode")
    options = head.prompt_cache_options
    if options is not None and options.comparison_response_id is not None:
        raise InvalidRequest(
            "An earlier response can't be compared with here.", param="prompt_cache_options.comparison_response_id"
        )


def path(_call: Call, _sending: Sending) -> str:
    """The upstream's path."""
    return "/responses"


def encode(call: Call, sending: Sending) -> bytes:
    """The body to send upstream: the caller's, with the upstream's model name and the limits of the hold.

    Raises InvalidRequest where earlier items are named by an id that `state.with_history` has not replaced.
    """
    fields = without_empty(call.fields)
    if is_given(fields.pop("previous_response_id", None)):
        raise InvalidRequest("Earlier responses are not kept here. Send their items as input.", param=_PREVIOUS)
    if b'"item_reference"' in bytes(fields["input"]) and any(item.is_reference for item in items_of(fields["input"])):
        raise InvalidRequest("Earlier items are not kept here. Send them whole as input.", param="input")
    fields["model"] = Raw(quote(sending.model))
    fields["store"] = _FALSE
    if sending.output_limit is not None:
        given = call.output_limit
        fields["max_output_tokens"] = Raw(b"%d" % min(sending.output_limit, given or sending.output_limit))
    if is_given(fields.get("tools")):
        _leave_hosted_out(fields)
    if gives_thoughts(sending.model):
        fields["include"] = _with_encrypted(fields.get("include"))
    fields["input"] = for_maker(fields["input"], sending.maker)
    return encode_object(fields)


_PREVIOUS: Final = "previous_response_id"


def left_out_of(call: Call) -> tuple[str, ...]:
    """What of the request no upstream gets to see, even one of the same API: tools that run elsewhere."""
    return hosted_of(tools_of(call.fields), choice_of(call.fields))


def gives_thoughts(model: str) -> bool:
    """Whether the model is known to give its thoughts encrypted."""
    return _THINKERS.match(model.rpartition("/")[2]) is not None


def counted(call: Call) -> Counted:
    """All that a model reads of a request. Raises InvalidRequest only where `decode` would have."""
    items: Any = decode_as(_ANY, call.fields["input"], within="input")
    texts = list(strings_in([items, decode_as(_ANY, call.fields.get("instructions", NULL))]))
    for name in _COUNTED_FIELDS:
        value = call.fields.get(name, NULL)
        if is_given(value):
            texts.append(bytes(value).decode())
    return Counted(
        texts=texts,
        media=media_in(call.fields["input"]) if call.media_tokens else [],
        messages=(len(items) if isinstance(items, list) else 1) + 1,
        tools=len(tools_of(call.fields)),
    )


def _leave_hosted_out(fields: dict[str, Raw]) -> None:
    tools = tools_of(fields)
    if hosted_of(tools, choice_of(fields)):
        fields["tools"] = own_tools(fields["tools"])
        if bytes(fields["tools"]) == b"[]":
            del fields["tools"]
            fields.pop("tool_choice", None)


def _with_encrypted(include: Raw | None) -> Raw:
    names = _STRINGS.decode(include) if include is not None and is_given(include) else []
    return Raw(msgspec.json.encode(names if ENCRYPTED in names else [*names, ENCRYPTED]))
