"""Gemini's generateContent, for its callers and for upstreams that speak it."""

from __future__ import annotations

from typing import Final

from ..codec import Codec
from .answer import read_answer
from .completion import read_completion, write_completion
from .conversation import to_conversation
from .embeddings import decode_batch, decode_one
from .events import ChunkReader, ChunkWriter
from .outgoing import cut_here, from_conversation, not_carried
from .request import (
    count_body,
    count_path,
    counted,
    decode,
    decode_count,
    encode,
    encode_count,
    left_out_of,
    path,
    read_count,
)
from .stream import GeneratedTap

CODEC: Final = Codec(
    api="generate_content",
    dialect="gemini",
    path=path,
    encode=encode,
    left_out=left_out_of,
    open_tap=GeneratedTap,
    read_answer=read_answer,
    counted=counted,
    to_conversation=to_conversation,
    from_conversation=from_conversation,
    not_carried=not_carried,
    cut_here=cut_here,
    read_completion=read_completion,
    write_completion=write_completion,
    event_reader=ChunkReader,
    event_writer=ChunkWriter,
)

__all__ = [
    "CODEC",
    "count_body",
    "count_path",
    "decode",
    "decode_batch",
    "decode_count",
    "decode_one",
    "encode_count",
    "read_count",
]
