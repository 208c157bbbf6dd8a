"""How long an upstream is waited for. Measures nothing."""

from __future__ import annotations

from msgspec import Struct


class Deadlines(Struct, frozen=True, kw_only=True):
    """In seconds, those of one request.

    Until a connection stands; from the request to the end of the answer's head; between two reads of the body; and from
    the request to the answer's end.
    """

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 1800.0
