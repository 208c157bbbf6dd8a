"""How an event stream is written: line ends, comments, long lines, broken events. Knows no API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tests.lab.behaviour import Behaviour

LONG_AT: Final = 2
"""The event that `long_line` fills up: behind what opens a stream."""
_ENDS: Final = {"crlf": b"\r\n", "cr": b"\r"}


def rewrite(event: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The event with a change to its data."""
    lines = event.rstrip(b"\r\n").splitlines()
    changed = [
        b"data: " + change(line.removeprefix(b"data: ")) if line.startswith(b"data: ") else line for line in lines
    ]
    return b"\n".join(changed) + b"\n\n"


def written(events: Sequence[bytes], behaviour: Behaviour) -> list[bytes]:
    """The same number of events, as this behaviour writes them."""
    made = []
    for number, event in enumerate(events):
        data = event
        if behaviour.broken_event == number:
            data = b'data: {"broken": \n\n'
        if behaviour.long_line and number == LONG_AT:
            data = _filled(data, behaviour.long_line)
        if behaviour.data_lines:
            data = _in_lines(data)
        if behaviour.comments:
            data = b": keep-alive\n\n" + b"id: 7\nretry: 10\n:\n" + data
        if behaviour.line_end:
            data = data.replace(b"\n", _ENDS[behaviour.line_end])
        if behaviour.bom and number == 0:
            data = b"\xef\xbb\xbf" + data
        made.append(data)
    return made


def _filled(event: bytes, size: int) -> bytes:
    """The event's JSON object with blanks inside until it has this size: it says the same."""
    missing = size - len(event)
    return event.replace(b"data: {", b"data: {" + b" " * missing, 1) if missing > 0 else event


def _in_lines(event: bytes) -> bytes:
    """The JSON over several `data` lines, broken behind its first brace and before its last."""
    lines = []
    for line in event.rstrip(b"\n").split(b"\n"):
        if line.startswith(b"data: {") and line.endswith(b"}"):
            lines += [b"data: {", b"data:" + line[7:-1], b"data: }"]
        else:
            lines.append(line)
    return b"\n".join(lines) + b"\n\n"
