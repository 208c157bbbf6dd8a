"""Requests to `POST /v1/chat/completions`: read what is priced, send exactly that. Does no I/O.

What the meter reads is parsed once; everything else travels as raw bytes. Source: OpenAI API reference, "Create chat
completion".
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from ...core.errors import InvalidRequest
from ..codec import Call, Counted, Headers, Sending
from ..json_body import NULL, decode_as, encode_object, is_given, parse_object, quote
from ..members import refuse_unknown
from ..ranges import Share, Temperature
from ..texts import texts_in
from .fields import NAMES
from .marks import without_marked
from .media import MEDIA_TYPES, NO_MEDIA, measure, media_in

MAX_CHOICES: Final = 128
MAX_OUTPUT_LIMIT: Final = 1 << 31
_TOKENS_PER_MESSAGE: Final = 4
"""What a chat template adds to each message; source: OpenAI Cookbook, "How to count tokens with tiktoken"."""
_LIMIT_FIELDS: Final = ("max_tokens", "max_completion_tokens")
_FREE_TOOLS: Final = frozenset({"function", "custom"})
_UNTIERED: Final = frozenset({"auto", "default"})
_OUTPUT_CLASSES: Final = {"text": None, "audio": "output_audio", "image": "output_image"}
_COUNTED_FIELDS: Final = ("tools", "functions", "response_format")

_Limit = Annotated[int, Meta(ge=1, le=MAX_OUTPUT_LIMIT)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]


class _Part(Struct):
    type: str = "text"


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None
    reasoning_details: Raw = NULL


class _Tool(Struct):
    type: str = "function"


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Head(Struct):
    """The members that steer what is charged, and what no provider takes out of its range, with types and ranges."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    messages: Annotated[list[_Message], Meta(min_length=1)]
    stream: bool | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None
    stream_options: _StreamOptions | None = None
    service_tier: str | None = None
    modalities: list[str] | None = None
    tools: list[_Tool] | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None


_HEAD: Final = msgspec.json.Decoder(_Head)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_RAWS: Final = msgspec.json.Decoder(list[Raw])
_ANY: Final = msgspec.json.Decoder()


def decode(body: bytes, _headers: Headers = ()) -> Call:
    """Read and check a request body.

    Raises InvalidRequest (with `param` where one member is to blame) for what is malformed, ambiguous, out of range,
    or would change routing or billing behind the meter's back. No header means anything here.
    """
    fields = parse_object(body)
    refuse_unknown(fields, NAMES)
    head = decode_as(_HEAD, body)
    if head.service_tier is not None:
        _check_service_tier(head.service_tier)
    if head.tools:
        _check_tools(head.tools)
    has_media, signed = _look_through(head.messages)
    media = measure(fields["messages"]) if has_media else NO_MEDIA
    needs = _needs(head.modalities) if head.modalities else ()
    return Call(
        api="chat",
        model=head.model,
        stream=bool(head.stream),
        n=head.n or 1,
        output_limit=_higher(head.max_tokens, head.max_completion_tokens),
        include_usage=bool(head.stream and head.stream_options and head.stream_options.include_usage),
        fields=fields,
        # A token of text is at least one byte, and JSON's own syntax outweighs what a chat template adds.
        input_bound=len(body) - media.characters + media.tokens,
        media_tokens=media.tokens,
        needs=("input_audio", *needs) if media.has_audio else needs,
        signed=signed,
    )


def encode(call: Call, sending: Sending) -> bytes:
    """The body to send upstream: the caller's, with the upstream's model name and the limits of the hold.

    `sending.output_limit` replaces a higher one in the fields that the caller used, or is added where it named none,
    under the name that the provider takes. A stream always asks for its usage. `left_out_of` the call stays here.
    """
    fields = call.fields.copy()
    for name in left_out_of(call):
        del fields[name]
    fields["model"] = Raw(quote(sending.model))
    if call.signed:
        fields["messages"] = without_marked(fields["messages"])
    limit = sending.output_limit
    if limit is not None and (call.output_limit is None or limit < call.output_limit):
        _lower_limit(fields, limit, limit_field(sending.provider))
    if call.stream:
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    else:
        fields.pop("stream_options", None)
    return encode_object(fields)


def left_out_of(call: Call) -> tuple[str, ...]:
    """What asks the upstream to keep the answer: in an account that is not the customer's, who could never read it."""
    if "store" not in call.fields or call.fields["store"] != _TRUE:
        return ()
    # A provider takes metadata for an answer that it keeps alone.
    return tuple(name for name in ("store", "metadata") if is_given(call.fields.get(name)))


def limit_field(provider: str) -> str:
    """What a provider calls the output limit: OpenAI's own newer models refuse the name that all others know."""
    return "max_completion_tokens" if provider == "openai" else "max_tokens"


def counted(call: Call) -> Counted:
    """All that a model reads of a request. Raises InvalidRequest only where `decode` would have."""
    texts = texts_in(call.fields["messages"])
    for name in _COUNTED_FIELDS:
        value = call.fields.get(name)
        if is_given(value):
            texts.append(bytes(value or NULL).decode())
    tools = call.fields.get("tools")
    return Counted(
        texts=texts,
        media=media_in(decode_as(_ANY, call.fields["messages"], within="messages")) if call.media_tokens else [],
        messages=len(_RAWS.decode(call.fields["messages"])),
        tools=len(_RAWS.decode(tools)) if tools is not None and is_given(tools) else 0,
    )


def _look_through(messages: list[_Message]) -> tuple[bool, bool]:
    """Whether there are media in the messages, and whether an answer's signatures may be."""
    has_media = signed = False
    for message in messages:
        if type(message.content) is list:
            has_media = has_media or any(part.type in MEDIA_TYPES for part in message.content)
        if message.reasoning_details is not NULL:
            signed = True
    return has_media, signed


def _higher(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return max(one, other)


def _check_service_tier(tier: str) -> None:
    if tier not in _UNTIERED:
        raise InvalidRequest('Only the service tiers "auto" and "default" are offered here.', param="service_tier")


def _check_tools(tools: list[_Tool]) -> None:
    for index, tool in enumerate(tools):
        if tool.type not in _FREE_TOOLS:
            raise InvalidRequest(
                'Only tools of type "function" and "custom" are offered here.', param=f"tools[{index}].type"
            )


def _needs(modalities: list[str]) -> tuple[str, ...]:
    needs = []
    for index, modality in enumerate(modalities):
        if modality not in _OUTPUT_CLASSES:
            raise InvalidRequest('A modality is "text", "audio" or "image".', param=f"modalities[{index}]")
        name = _OUTPUT_CLASSES[modality]
        if name is not None and name not in needs:
            needs.append(name)
    return tuple(needs)


def _lower_limit(fields: dict[str, Raw], output_limit: int, limit_field: str) -> None:
    named = [name for name in _LIMIT_FIELDS if is_given(fields.get(name))]
    for name in _LIMIT_FIELDS:
        if name not in named:
            fields.pop(name, None)
    for name in named or (limit_field,):
        given = msgspec.json.decode(fields[name], type=int) if named else output_limit
        fields[name] = Raw(b"%d" % min(given, output_limit))


def _with_usage(options: Raw | None) -> Raw:
    if options is None or not is_given(options):
        return _USAGE_WANTED
    given = decode_as(_OBJECT, options, within="stream_options")
    given["include_usage"] = _TRUE
    return Raw(encode_object(given))


_TRUE: Final = Raw(b"true")
_USAGE_WANTED: Final = Raw(b'{"include_usage":true}')
