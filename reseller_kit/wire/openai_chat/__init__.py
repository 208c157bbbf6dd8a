"""OpenAI's chat completions, for their callers and for upstreams that speak them."""

from __future__ import annotations

from typing import Final

from ..codec import Call, Codec, Reply, Sending
from .answer import Answer, read_answer
from .completion import read_completion, write_completion
from .conversation import cut_here, from_conversation, not_carried, to_conversation
from .opening import opens
from .reader import EventReader
from .request import counted, decode, encode, left_out_of
from .stream import StreamTap
from .writer import EventWriter


def _path(_call: Call, _sending: Sending) -> str:
    return "/chat/completions"


def _tap(call: Call, reply: Reply) -> StreamTap:
    return StreamTap(model=reply.model, response_id=_id(reply), include_usage=call.include_usage, choices=call.n)


def _answer(_call: Call, body: bytes, reply: Reply) -> Answer:
    return read_answer(body, model=reply.model, response_id=_id(reply))


def _id(reply: Reply) -> str:
    return "chatcmpl-" + reply.request_id.partition("_")[2]


CODEC: Final = Codec(
    api="chat",
    dialect="openai",
    path=_path,
    encode=encode,
    left_out=left_out_of,
    open_tap=_tap,
    read_answer=_answer,
    counted=counted,
    to_conversation=to_conversation,
    from_conversation=from_conversation,
    not_carried=not_carried,
    cut_here=cut_here,
    read_completion=read_completion,
    write_completion=write_completion,
    event_reader=EventReader,
    event_writer=EventWriter,
    opens=opens,
)

__all__ = [
    "CODEC",
    "EventReader",
    "EventWriter",
    "cut_here",
    "decode",
    "from_conversation",
    "not_carried",
    "read_completion",
    "to_conversation",
    "write_completion",
]
