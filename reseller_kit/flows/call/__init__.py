"""One API call: admit and hold, ask a route, relay, settle. The gateway hands in decoded requests and sends the bytes."""

from .admit import Caller, admit
from .chat import PlainResult, Sink, answer_chat, stream_chat

__all__ = ["Caller", "PlainResult", "Sink", "admit", "answer_chat", "stream_chat"]
