"""`POST /v1/images/generations`. Source: OpenAI API reference, "Create image".

Images travel in the answer itself: an address at the upstream would show whose it is, and outlive the call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from ...core.errors import InvalidRequest, UpstreamFailed
from ...core.usage import Usage
from ..json_body import NULL, decode_as, is_given, string_member
from ..media_usage import counted_by, images_usage, images_usage_object
from ..task import Prices, Task, TaskAnswer
from .common import ModelName, encoder, read_fields, read_json, refuse

MAX_IMAGES: Final = 10
TOKENS_PER_IMAGE: Final = 16_384
"""More than any size and quality comes to; a model's own `max_output` bounds it further."""
_USUAL_TOKENS: Final = 1_056
"""An image of middling quality, 1024 by 1024, where an upstream does not say; source: OpenAI, "Image generation"."""
_FIELDS: Final = (
    "background",
    "model",
    "moderation",
    "n",
    "output_compression",
    "output_format",
    "partial_images",
    "prompt",
    "quality",
    "response_format",
    "size",
    "stream",
    "style",
    "user",
)
_ALWAYS_INLINE: Final = ("gpt-image", "chatgpt-image")
"""Models that answer with the image itself and refuse to be asked for it; source: OpenAI, "Create image"."""
_encode = msgspec.json.Encoder().encode


class _Head(Struct):
    model: ModelName
    prompt: Annotated[str, Meta(min_length=1)]
    n: Annotated[int, Meta(ge=1, le=MAX_IMAGES)] | None = None
    response_format: str | None = None


class _Image(Struct, omit_defaults=True):
    b64_json: str | None = None
    revised_prompt: str | None = None


class _Answer(Struct):
    data: list[_Image]
    created: int | None = None
    usage: Raw = NULL
    background: Raw = Raw(b"null")
    output_format: Raw = Raw(b"null")
    quality: Raw = Raw(b"null")
    size: Raw = Raw(b"null")


_HEAD: Final = msgspec.json.Decoder(_Head)
_ANSWER: Final = msgspec.json.Decoder(_Answer)


def decode(body: bytes) -> Task:
    """Read a request. Raises InvalidRequest."""
    fields = read_fields(body, _FIELDS)
    refuse(fields, "stream", "Images are not streamed here.")
    refuse(fields, "partial_images", "Images are not streamed here.")
    head = decode_as(_HEAD, body)
    if head.response_format not in {None, "b64_json"}:
        raise InvalidRequest('Images are answered as "b64_json" alone.', param="response_format")
    n = head.n or 1
    return Task(
        api="images",
        model=head.model,
        encode=_encoder({name: value for name, value in fields.items() if is_given(value)}),
        read=_read,
        estimate=_estimator(head.prompt, n),
        n=n,
        input_bound=len(head.prompt.encode()),
        output_bound=TOKENS_PER_IMAGE,
        units={"images": n},
    )


def _encoder(fields: dict[str, Raw]) -> Callable[[str], bytes]:
    plain = {name: value for name, value in fields.items() if name != "response_format"}

    def encode(model: str) -> bytes:
        name = model.rpartition("/")[2]
        return encoder(plain)(model) if name.startswith(_ALWAYS_INLINE) else _inline(plain)(model)

    return encode


def _inline(fields: dict[str, Raw]) -> Callable[[str], bytes]:
    return encoder(fields, response_format=b'"b64_json"')


def _read(body: bytes, _content_type: str, prices: Prices, _request_id: str) -> TaskAnswer:
    answer = read_json(_ANSWER, body)
    if not answer.data or any(not image.b64_json for image in answer.data):
        raise UpstreamFailed("an answer without the images themselves", upstream_status=200)

    def write(usage: Usage) -> bytes:
        shown = images_usage_object(usage)
        return b'{"created":%d,"data":%b%b%b}' % (
            answer.created or int(time.time()),
            _encode(answer.data),
            b"".join(string_member(b',"%b":' % name.encode(), getattr(answer, name)) for name in _SHOWN),
            b"" if shown is None else b',"usage":' + _encode(shown),
        )

    return TaskAnswer(usage=images_usage(answer.usage, images=len(answer.data), prices=prices), body=write)


_SHOWN: Final = ("background", "output_format", "quality", "size")


def _estimator(prompt: str, n: int) -> Callable[[Prices, Callable[[str], int]], Usage]:
    def estimate(prices: Prices, count: Callable[[str], int]) -> Usage:
        by = counted_by("images", prices)
        return Usage(
            images=n if by.unit else 0,
            input_tokens=count(prompt) if by.tokens else 0,
            output_image_tokens=n * _USUAL_TOKENS if by.tokens else 0,
        )

    return estimate
