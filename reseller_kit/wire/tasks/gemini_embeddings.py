"""Embeddings asked of an upstream that speaks Gemini's API. Source: Gemini API reference, "batchEmbedContents"."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote as quote_path

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import figures_in
from ..gemini_usage import read_usage
from ..json_body import NULL
from ..task import Form
from .common import read_json


class _Vector(Struct):
    values: list[float]


class _Vectors(Struct, rename="camel"):
    embeddings: list[_Vector]
    usage_metadata: Raw = NULL


_VECTORS: Final = msgspec.json.Decoder(_Vectors)
_ENCODER: Final = msgspec.json.Encoder()


def form(
    texts: Sequence[str], dimensions: int | None, *, packed: bool, hints: Sequence[dict[str, str]] | None = None
) -> Form:
    """How to ask for these texts. `packed`: numbers in base64 are wanted; `hints`: further members of each request."""
    size = {} if dimensions is None else {"outputDimensionality": dimensions}

    def encode(model: str) -> bytes:
        asked = [
            {"model": _resource(model), "content": {"parts": [{"text": text}]}, **size, **(hints[n] if hints else {})}
            for n, text in enumerate(texts)
        ]
        return _ENCODER.encode({"requests": asked})

    return Form(path=_path, encode=encode, restore=_restorer(len(texts), packed=packed))


def _path(model: str) -> str:
    return f"/{quote_path(_resource(model))}:batchEmbedContents"


def _resource(model: str) -> str:
    return model if model.startswith("models/") else f"models/{model}"


def _restorer(count: int, *, packed: bool) -> Callable[[bytes], bytes]:
    def restore(body: bytes) -> bytes:
        found = read_json(_VECTORS, body)
        if len(found.embeddings) != count:
            raise UpstreamFailed("another number of embeddings than was asked for", upstream_status=200)
        document: dict[str, Any] = {
            "data": [
                {"object": "embedding", "index": n, "embedding": _packed(one.values) if packed else one.values}
                for n, one in enumerate(found.embeddings)
            ]
        }
        usage = figures_in(read_usage(found.usage_metadata))
        if usage is not None:
            document["usage"] = {"prompt_tokens": usage.total_input_tokens, "total_tokens": usage.total_input_tokens}
        return _ENCODER.encode(document)

    return restore


def _packed(values: list[float]) -> str:
    """Numbers of 32 bits, the lowest byte first, in base64."""
    try:
        return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    except (struct.error, OverflowError) as error:
        raise UpstreamFailed(f"not an embedding: {error}", upstream_status=200) from None
