"""One API call: admit and hold, ask a route, relay, settle. Decodes no request and sends no byte itself."""

from .admit import Caller, admit
from .chat import PlainResult, Sink, answer_chat, stream_chat

__all__ = ["Caller", "PlainResult", "Sink", "admit", "answer_chat", "stream_chat"]
