"""Requests to generateContent, streamGenerateContent and countTokens: read what is priced, send exactly that.

The model and whether to stream are said by the path. What the meter reads is parsed once; everything else travels as
raw bytes. Does no I/O. Source: Gemini API reference, "Generating content" and "Counting tokens".
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote as quote_path

import msgspec
from msgspec import Raw

from ...core.errors import InvalidRequest
from ..codec import Call, Counted, Headers, Sending
from ..json_body import NULL, decode_as, encode_object, is_given, parse_object, quote
from ..media import token_bound
from ..token_count import read_tokens
from .contents import Content, contents_of, media_of, system_of
from .head import NOT_SENT, Config, check_tier, config_of, fields_of, needs_of
from .thoughts import without_foreign
from .tools import hosted_of, own_tools

MAX_MODEL_CHARACTERS: Final = 200
_RESOURCES: Final = ("models/", "tunedModels/")
_COUNTED: Final = ("contents", "systemInstruction", "tools", "toolConfig")
_SCHEMAS: Final = ("responseSchema", "responseJsonSchema")
_WRAPPED: Final = ("generateContentRequest", "generate_content_request")

_CONFIG: Final = msgspec.json.Decoder(Config)
_TIER: Final = msgspec.json.Decoder(str | None)
_ANY_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])
_ENCODER: Final = msgspec.json.Encoder()


def decode(body: bytes, _headers: Headers = (), *, model: str, stream: bool) -> Call:
    """Read and check a request body.

    Raises InvalidRequest (with `param` where one member is to blame) for what is malformed, ambiguous, out of range,
    or would change routing or billing behind the meter's back. No header means anything here.
    """
    if not 0 < len(model) <= MAX_MODEL_CHARACTERS:
        raise InvalidRequest("The path names no model.", param="model")
    fields = fields_of(body)
    if "contents" not in fields:
        raise InvalidRequest("contents: Field required.", param="contents")
    given = config_of(fields)
    if given:
        fields["generationConfig"] = Raw(encode_object(given))
    config = decode_as(_CONFIG, fields.get("generationConfig", _NONE), within="generationConfig")
    check_tier(decode_as(_TIER, fields.get("serviceTier", NULL), within="serviceTier"))
    hosted_of(fields)
    media = list(media_of([*contents_of(fields["contents"]), system_of(fields.get("systemInstruction"))]))
    media_tokens = sum(map(token_bound, media))
    needs = needs_of(config.response_modalities)
    return Call(
        api="generate_content",
        model=model,
        stream=stream,
        n=config.candidate_count or 1,
        output_limit=config.max_output_tokens,
        include_usage=True,
        fields=fields,
        # A token of text is at least one byte, and JSON's own syntax outweighs what a template adds.
        input_bound=max(0, len(body) - sum(medium.characters for medium in media)) + media_tokens,
        media_tokens=media_tokens,
        needs=("input_audio", *needs) if any(medium.kind == "audio" for medium in media) else needs,
    )


_NONE: Final = Raw(b"{}")


def decode_count(body: bytes, _headers: Headers = (), *, model: str) -> Call:
    """`decode` for a request that only wants its input counted: contents alone, or a whole request within."""
    fields = parse_object(body)
    wrapped = next((fields[name] for name in _WRAPPED if is_given(fields.get(name))), None)
    return decode(body if wrapped is None else bytes(wrapped), model=model, stream=False)


def path(call: Call, sending: Sending) -> str:
    """The upstream's path, below a base URL that ends in the version."""
    return _path(sending, "streamGenerateContent?alt=sse" if call.stream else "generateContent")


def count_path(_call: Call, sending: Sending) -> str:
    """The upstream's path for a count."""
    return _path(sending, "countTokens")


def _path(sending: Sending, verb: str) -> str:
    return f"/{quote_path(_resource(sending.model))}:{verb}"


def _resource(model: str) -> str:
    return model if model.startswith(_RESOURCES) else f"models/{model}"


def encode(call: Call, sending: Sending) -> bytes:
    """The body to send upstream: the caller's, with the limit of the hold."""
    fields = _sent(call, sending)
    limit = sending.output_limit
    if limit is not None and (call.output_limit is None or limit < call.output_limit):
        config = {**config_of(fields), "maxOutputTokens": Raw(b"%d" % limit)}
        fields["generationConfig"] = Raw(encode_object(config))
    return encode_object(fields)


def left_out_of(call: Call) -> tuple[str, ...]:
    """What of the request no upstream gets to see, even one of the same API."""
    return (*(name for name in NOT_SENT if name in call.fields), *hosted_of(call.fields))


def encode_count(call: Call, sending: Sending) -> bytes:
    """The body to send to the upstream's countTokens: of the request, what is counted."""
    counted = {name: value for name, value in _sent(call, sending).items() if name in _COUNTED}
    named = {"model": Raw(quote(_resource(sending.model))), **counted}
    return encode_object({_WRAPPED[0]: Raw(encode_object(named))})


def read_count(body: bytes) -> int:
    """Tokens that an upstream's countTokens answered. Raises UpstreamFailed for anything else."""
    return read_tokens(body, "totalTokens", absent=0)


def count_body(tokens: int) -> bytes:
    """The answer to a caller of countTokens."""
    return b'{"totalTokens":%d}' % tokens


def counted(call: Call) -> Counted:
    """All that a model reads of a request. Raises InvalidRequest only where `decode` would have."""
    contents = contents_of(call.fields["contents"])
    config = config_of(call.fields)
    tools = call.fields.get("tools", NULL)
    schemas = [tools, *(config.get(name, NULL) for name in _SCHEMAS)]
    spoken = [system_of(call.fields.get("systemInstruction")), *contents]
    return Counted(
        texts=[
            *(text for content in spoken for text in _texts(content)),
            *(bytes(schema).decode() for schema in schemas if is_given(schema)),
        ],
        media=list(media_of(contents)) if call.media_tokens else [],
        messages=len(contents) + 1,
        tools=len(own_tools(call.fields)),
    )


def _texts(content: Content) -> list[str]:
    texts = []
    for part in content.held:
        if part.text:
            texts.append(part.text)
        if part.call is not None:
            texts.append(f"{part.call.name} {bytes(part.call.args).decode()}")
        if part.result is not None:
            texts.append(f"{part.result.name} {bytes(part.result.response).decode()}")
    return texts


def _sent(call: Call, sending: Sending) -> dict[str, Raw]:
    fields = {name: value for name, value in call.fields.items() if name != "model" and name not in NOT_SENT}
    fields["contents"] = without_foreign(fields["contents"], sending.maker)
    if hosted_of(fields):
        own = own_tools(fields)
        if own:
            fields["tools"] = Raw(_ENCODER.encode(own))
        else:
            del fields["tools"]
            fields.pop("toolConfig", None)
    return fields
