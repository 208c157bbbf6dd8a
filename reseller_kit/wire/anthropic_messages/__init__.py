"""Anthropic's messages API, for its callers and for upstreams that speak it."""

from __future__ import annotations

from ..codec import Codec
from .answer import read_answer
from .completion import read_completion, write_completion
from .conversation import to_conversation
from .counting import counted
from .events import MessageReader, MessageWriter
from .outgoing import cut_here, from_conversation, not_carried
from .request import (
    COUNT_PATH,
    count_body,
    decode,
    decode_count,
    encode,
    encode_count,
    path,
    read_count,
)
from .stream import MessageTap, opens

CODEC = Codec(
    api="messages",
    dialect="anthropic",
    path=path,
    encode=encode,
    open_tap=MessageTap,
    read_answer=read_answer,
    counted=counted,
    to_conversation=to_conversation,
    from_conversation=from_conversation,
    not_carried=not_carried,
    cut_here=cut_here,
    read_completion=read_completion,
    write_completion=write_completion,
    event_reader=MessageReader,
    event_writer=MessageWriter,
    opens=opens,
)

__all__ = [
    "CODEC",
    "COUNT_PATH",
    "count_body",
    "counted",
    "decode",
    "decode_count",
    "encode_count",
    "not_carried",
    "read_count",
]
