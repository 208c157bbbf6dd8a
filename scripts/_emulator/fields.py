"""Reads the fields of a decoded JSON body; what does not fit is a BadRequest that names the field."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from scripts._emulator.directives import BadRequest


def names(text: str) -> frozenset[str]:
    """The words of a text, as a set of names."""
    return frozenset(text.split())


def decode(body: bytes) -> dict[str, Any]:
    """The object that a body is. Raises BadRequest."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest("We could not parse the JSON body of your request.") from error
    return mapping(found, "body")


def mapping(found: Any, where: str) -> dict[str, Any]:
    """An object. Raises BadRequest."""
    if not isinstance(found, dict):
        raise BadRequest(f"{where}: Input should be an object", where)
    return cast("dict[str, Any]", found)


def kind_of(found: dict[str, Any]) -> str:
    """The `type` of an object as a text, whatever stands there; empty where nothing does."""
    return str(found.get("type") or "")


def mappings(found: Any, where: str) -> list[dict[str, Any]]:
    """A list of objects. Raises BadRequest."""
    return [mapping(item, f"{where}.{n}") for n, item in enumerate(sequence(found, where))]


def sequence(found: Any, where: str) -> list[Any]:
    """A list. Raises BadRequest."""
    if not isinstance(found, list):
        raise BadRequest(f"{where}: Input should be a valid list", where)
    return found


def string(found: Any, where: str) -> str:
    """A text. Raises BadRequest."""
    if not isinstance(found, str):
        raise BadRequest(f"{where}: Input should be a valid string", where)
    return found


def strings(found: Any, where: str) -> list[str]:
    """A list of texts; a missing one is empty. Raises BadRequest."""
    return [] if found is None else [string(item, where) for item in sequence(found, where)]


def whole(found: Any, where: str, least: int) -> int | None:
    """A whole number of at least `least`, or None. Raises BadRequest."""
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool):
        raise BadRequest(f"{where}: Input should be a valid integer", where)
    if found < least:
        raise BadRequest(f"{where}: Input should be greater than or equal to {least}", where)
    return found


def flag(found: Any, where: str) -> bool:
    """True or false; a missing one is false. Raises BadRequest."""
    if found is not None and not isinstance(found, bool):
        raise BadRequest(f"{where}: Input should be a valid boolean", where)
    return bool(found)
