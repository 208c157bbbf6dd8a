"""The good answer to a request, in whatever API it came: the emulator's, taken apart. Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from scripts._emulator import routes
from scripts._emulator.directives import Directives
from scripts._emulator.exchange import Options, Request, World
from scripts._emulator.journal import Journal

_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection"})


@dataclass
class Answer:
    """An answer before it is damaged. `pieces`: the body, or the events of a stream, with the deltas in each."""

    status: int
    headers: list[tuple[str, str]]
    pieces: list[bytes]
    deltas: list[int]
    stream: bool
    api: str
    model: str
    reported: dict[str, Any] | None = None
    """The usage object as it is reported; None where none is."""
    classes: dict[str, int | float] = field(default_factory=dict)
    """The same by price class."""


def make_world(name: str) -> World:
    """An emulator without a journal of its own."""
    options = Options(name=name, models=(), api_keys=frozenset(), always=Directives())
    return World(options, Journal(None))


def answer(request: Request, world: World) -> Answer:
    """What a healthy upstream says to this request, refusals of malformed ones included."""
    plan = routes.plan(request, world)
    head, *pieces = plan.pieces
    status, headers = _parse_head(head[0])
    line = plan.line
    stream = line.stream and status == 200
    if stream:
        pieces = [(_unframed(piece), deltas) for piece, deltas in pieces if piece != b"0\r\n\r\n"]
    return Answer(
        status=status,
        headers=headers,
        pieces=[piece for piece, _ in pieces],
        deltas=[deltas for _, deltas in pieces],
        stream=stream,
        api=line.dialect,
        model=line.model,
        reported=line.usage,
        classes=dict(line.classes),
    )


def _parse_head(head: bytes) -> tuple[int, list[tuple[str, str]]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return int(first.split()[1]), [pair for pair in pairs if pair[0] not in _FRAMING]


def _unframed(piece: bytes) -> bytes:
    """What one chunk of a chunked body holds."""
    return piece.partition(b"\r\n")[2].removesuffix(b"\r\n")
