"""Collects the text of a stream piece by piece in bounded memory."""

from __future__ import annotations

from typing import Final

_FOLD_PIECES: Final = 1024
MAX_KEPT_CHARACTERS: Final = 4_000_000
"""About a million tokens: more than any model writes in one answer."""


class TextLog:
    """Text in the order of arrival; beyond `MAX_KEPT_CHARACTERS` only its length is kept."""

    __slots__ = ("_characters", "_dropped", "_folded", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._folded: list[str] = []
        self._characters = 0
        self._dropped = 0

    def add(self, text: str) -> None:
        """Append `text`; small pieces are joined once there are many of them."""
        self._pieces.append(text)
        if len(self._pieces) >= _FOLD_PIECES:
            self._join()

    def text(self) -> str:
        """What was kept."""
        self._join()
        return "".join(self._folded)

    @property
    def characters(self) -> int:
        """How many characters came, kept or not."""
        self._join()
        return self._characters + self._dropped

    def _join(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        kept = text[: MAX_KEPT_CHARACTERS - self._characters]
        if kept:
            self._folded.append(kept)
        self._characters += len(kept)
        self._dropped += len(text) - len(kept)
