"""How soon endpoints begin to answer, and how long answers are: moving averages of one process. Chooses nothing."""

from __future__ import annotations

from typing import Final, TypeVar

from .choice import EndpointName

_Name = TypeVar("_Name")
_WEIGHT: Final = 0.2
_TYPICAL_OUTPUT: Final = 300
_MAX_NAMES: Final = 10_000


class Speeds:
    """Moving averages by endpoint and by model."""

    def __init__(self) -> None:
        self._first_byte: dict[tuple[EndpointName, bool], float] = {}
        self._output: dict[str, float] = {}

    def note_first_byte(self, endpoint: EndpointName, milliseconds: int, *, stream: bool) -> None:
        """A call to the endpoint was completed; plain and streamed calls are averaged apart, as they can't compare."""
        _note(self._first_byte, (endpoint, stream), milliseconds)

    def first_byte(self, endpoint: EndpointName, *, stream: bool) -> float | None:
        """Milliseconds to the first content on average; None where nothing was measured."""
        return self._first_byte.get((endpoint, stream))

    def note_output(self, model: str, tokens: int) -> None:
        """An answer of a public model had so many tokens."""
        _note(self._output, model, tokens)

    def output(self, model: str) -> int:
        """Tokens of the model's answers on average."""
        return round(self._output.get(model, _TYPICAL_OUTPUT))


def _note(known: dict[_Name, float], name: _Name, value: int) -> None:
    before = known.get(name)
    if before is None and len(known) >= _MAX_NAMES:
        known.clear()
    known[name] = value if before is None else before + _WEIGHT * (value - before)
