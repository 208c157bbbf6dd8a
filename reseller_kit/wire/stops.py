"""Ends answers at a caller's stop sequences where their upstream takes none. Looks at words alone.

An answer is cut at the sequence that is complete first, of several that end at the same place at the longest, which is
where a model that knew them would have stopped. Thoughts, refusals and calls of tools are left as they are; what would
have come behind the cut is left away. The upstream writes on to its own end: what it reports is what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from ..core.errors import InvalidRequest
from .completion import Completion, Event, Finished, PartEnded, PartGrew, PartStarted
from .conversation import Text

MOST_SEQUENCES: Final = 16
LONGEST: Final = 256
"""Characters of a sequence; each piece of an answer is searched for each of them."""


def check_stops(stops: Sequence[str]) -> None:
    """Raises InvalidRequest for more or longer sequences than an answer is searched for."""
    if len(stops) > MOST_SEQUENCES or any(len(stop) > LONGEST for stop in stops):
        raise InvalidRequest(
            f"This model takes at most {MOST_SEQUENCES} stop sequences of {LONGEST} characters.", param="stop"
        )


def cut_completion(completion: Completion, stops: Sequence[str]) -> Completion:
    """The answer up to the first of the sequences; itself where it holds none."""
    for index, part in enumerate(completion.parts):
        if isinstance(part, Text) and not part.refusal:
            place, stop = _first(part.text, stops)
            if stop:
                kept = [replace(part, text=part.text[:place])] if place else []
                parts = (*completion.parts[:index], *kept)
                return replace(completion, parts=parts, finish="stop", stop_sequence=stop)
    return completion


class Cut:
    """Ends a stream's events at the first of the sequences, wherever its pieces are split.

    Of a text it holds back no more than could be the beginning of a sequence.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(filter(None, stops))
        self._in_text = self._cut = False
        self._held = ""

    def kept(self, events: Iterable[Event]) -> list[Event]:
        """What of the next events, in the order in which they come, is handed on."""
        kept: list[Event] = []
        for event in events:
            if self._cut:
                break
            if self._in_text and isinstance(event, PartGrew):
                self._grow(event.text, kept)
                continue
            if isinstance(event, PartStarted):
                self._in_text = event.kind == "text"
            elif self._held:
                kept.append(PartGrew(self._held))
                self._held = ""
            kept.append(event)
        return kept

    def _grow(self, more: str, kept: list[Event]) -> None:
        text = self._held + more
        place, stop = _first(text, self._stops)
        if not stop:
            place = len(text) - max((_begun(text, stop) for stop in self._stops), default=0)
        self._held = text[place:]
        if place:
            kept.append(PartGrew(text[:place]))
        if stop:
            self._cut = True
            kept += [PartEnded(), Finished(finish="stop", stop_sequence=stop)]


def _first(text: str, stops: Sequence[str]) -> tuple[int, str]:
    """Where the sequence that is complete first begins, and which it is; an empty one for none."""
    found = [(place + len(stop), place, stop) for stop in stops if stop and (place := text.find(stop)) >= 0]
    _, place, stop = min(found, default=(0, 0, ""))
    return place, stop


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of the text may be the beginning of the sequence."""
    place = text.find(stop[0], max(0, len(text) - len(stop) + 1))
    while place >= 0:
        if stop.startswith(text[place:]):
            return len(text) - place
        place = text.find(stop[0], place + 1)
    return 0
