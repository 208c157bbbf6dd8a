"""Counts the tokens of a text that grows, looking at what is new alone. Keeps no text."""

from __future__ import annotations

from typing import Final

from .counting import count_text

_MOST_UNSETTLED_CHARACTERS: Final = 4096


class GrowingCount:
    """Tokens of one text that is counted again and again while it grows.

    Both vocabularies split a text before a blank that follows a visible character, whatever comes behind it. Up to the
    last such place the count is settled; what follows is counted anew each time. A text without blanks is settled
    every 4,096 characters, where a cut may divide a token: it then counts as one, never as two.
    """

    __slots__ = ("_characters", "_model", "_tokens")

    def __init__(self, model: str) -> None:
        self._model = model
        self._characters = 0
        self._tokens = 0

    def of(self, text: str) -> int:
        """The tokens of `text`, which begins with the text of the last call."""
        cut = _last_cut(text, self._characters)
        if cut > self._characters:
            self._tokens += count_text(self._model, text[self._characters : cut])
            self._characters = cut
        rest = count_text(self._model, text[self._characters :])
        if len(text) - self._characters <= _MOST_UNSETTLED_CHARACTERS:
            return self._tokens + rest
        self._tokens += max(0, rest - 1)
        self._characters = len(text)
        return self._tokens


def _last_cut(text: str, start: int) -> int:
    """The last place behind `start` where a token surely begins; `start` if there is none."""
    at = text.rfind(" ", start + 1)
    while at > start and text[at - 1].isspace():
        at = text.rfind(" ", start + 1, at)
    return max(at, start)
