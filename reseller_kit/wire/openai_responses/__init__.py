"""OpenAI's Responses: pass-through, state, and translation to and from the intermediate form."""

from typing import Final

from ..codec import Codec
from .answer import read_answer
from .completion import read_completion, write_completion
from .count import COUNT_PATH, count_body, decode_count, encode_count, read_count
from .events import opens
from .reader import EventReader
from .reading import to_conversation
from .request import counted, decode, encode, left_out_of, path
from .stream import Tap
from .writer import EventWriter
from .writing import cut_here, from_conversation, not_carried

CODEC: Final = Codec(
    api="responses",
    dialect="openai",
    path=path,
    encode=encode,
    left_out=left_out_of,
    open_tap=Tap,
    read_answer=read_answer,
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
    "COUNT_PATH",
    "count_body",
    "decode",
    "decode_count",
    "encode_count",
    "left_out_of",
    "read_count",
]
