"""Requests to `POST /v1/responses/input_tokens`, which only want their input counted."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from ..codec import Call, Headers, Sending
from ..json_body import encode_object, is_given, parse_object
from ..token_count import read_tokens
from .request import decode, encode

COUNT_PATH: Final = "/responses/input_tokens"
_COUNTED: Final = frozenset(
    {
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
_EMPTY: Final = Raw(b'""')
_TOKENS: Final = msgspec.json.Decoder(dict[str, object])


def decode_count(body: bytes, headers: Headers = ()) -> Call:
    """`decode` for a request that need not have any input."""
    fields = parse_object(body)
    return decode(body if is_given(fields.get("input")) else encode_object({**fields, "input": _EMPTY}), headers)


def encode_count(call: Call, sending: Sending) -> bytes:
    """The body to send to the upstream's counter: what is counted. Raises InvalidRequest as `encode` does."""
    fields = parse_object(encode(call, sending))
    return encode_object({name: value for name, value in fields.items() if name in _COUNTED})


def read_count(body: bytes) -> int:
    """Tokens that an upstream's counter answered. Raises UpstreamFailed for anything else."""
    return read_tokens(body, "input_tokens")


def count_body(tokens: int) -> bytes:
    """The answer to a caller of the counter."""
    return b'{"object":"response.input_tokens","input_tokens":%d}' % tokens
