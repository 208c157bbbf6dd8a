"""One API call: admit and hold, ask a route, relay, settle. Decodes no request and sends no byte itself."""

from .admit import admit
from .count import Counter, count
from .generate import PlainResult, answer, stream
from .job import Caller
from .sink import Sink
from .standby import Standby
from .task import TaskResult, perform

__all__ = [
    "Caller",
    "Counter",
    "PlainResult",
    "Sink",
    "Standby",
    "TaskResult",
    "admit",
    "answer",
    "count",
    "perform",
    "stream",
]
