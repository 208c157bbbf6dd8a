"""One API call: admit and hold, ask a route, relay, settle. Decodes no request and sends no byte itself."""

from .admit import Caller, admit
from .generate import PlainResult, answer, stream
from .sink import Sink

__all__ = ["Caller", "PlainResult", "Sink", "admit", "answer", "stream"]
