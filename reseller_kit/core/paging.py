"""Pages of a list: limits, and cursors that name the last row of a page. Fetches nothing.

A cursor is opaque to clients: base64url of a JSON array of the list's name and the row's sort key.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from .errors import InvalidRequest

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
_MAX_CURSOR: Final = 400
_INT64: Final = 2**63

T = TypeVar("T")
SortKey = tuple[int | str, ...]


class Window(Struct, frozen=True):
    """Which page is asked for: at most `limit` rows behind the row that `cursor` names."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None


class Page(Struct, Generic[T], frozen=True):
    """One page, newest first; `next_cursor` is None on the last one."""

    items: list[T]
    next_cursor: str | None


def window(limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Window:
    """A checked window. Raises InvalidRequest for a limit outside 1 to 1000."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest(
            f"The limit {limit} is out of range.", param="limit", fix=f"Give a number from 1 to {MAX_LIMIT}."
        )
    return Window(limit, cursor)


def after(asked: Window, name: str, types: tuple[type, ...]) -> SortKey | None:
    """The sort key that the window's cursor carries, None on the first page.

    Raises InvalidRequest for a cursor that is malformed or was made for a list of another name.
    """
    if asked.cursor is None:
        return None
    try:
        if len(asked.cursor) > _MAX_CURSOR:
            raise ValueError
        padded = asked.cursor + "=" * (-len(asked.cursor) % 4)
        found = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[int | str])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        found = []
    key = tuple(found[1:])
    if not found or found[0] != name or tuple(map(type, key)) != types or not all(map(_storable, key)):
        raise InvalidRequest(
            "The cursor is not one of this list.",
            param="cursor",
            fix="Pass next_cursor of the page before, unchanged, or leave it out.",
        )
    return key


def page_of(rows: Sequence[T], asked: Window, name: str, key: Callable[[T], SortKey]) -> Page[T]:
    """The page of `rows`, of which one more than the limit was fetched to see whether more follow."""
    items = list(rows[: asked.limit])
    more = len(rows) > asked.limit
    return Page(items, _encode(name, key(items[-1])) if more else None)


def _encode(name: str, key: SortKey) -> str:
    parts: list[Any] = [name, *key]
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


def _storable(part: int | str) -> bool:
    """Whether a database takes it as it is: an integer of 64 bits, or printable text."""
    return part.isprintable() if isinstance(part, str) else -_INT64 <= part < _INT64
