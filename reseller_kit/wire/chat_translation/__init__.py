"""OpenAI's chat completions to and from the intermediate form. Between two chat APIs bytes pass instead."""

from .answer import read_completion, write_completion
from .reader import EventReader
from .request import from_conversation, not_carried, to_conversation
from .writer import EventWriter

__all__ = [
    "EventReader",
    "EventWriter",
    "from_conversation",
    "not_carried",
    "read_completion",
    "to_conversation",
    "write_completion",
]
