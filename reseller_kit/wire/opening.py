"""What a stream begins with before it says anything, the same whoever answers. Sends nothing."""

from __future__ import annotations

from typing import Final

from .codec import Api
from .codecs import CODECS
from .sse import parse_event

_END: Final = b"\n\n"


def opening_of(api: Api, data: bytes) -> bytes:
    """The whole events at the beginning of `data`, as a caller of `api` gets them, that only say that an answer begins.

    A stream whose route changes behind them goes on with what follows them in the other route's stream.
    """
    opens, end = CODECS[api].opens, 0
    while (at := data.find(_END, end)) >= 0 and opens(*parse_event(data[end:at])):
        end = at + len(_END)
    return data[:end]
