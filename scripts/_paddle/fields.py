"""Reads the members of a request's body, and refuses what does not fit them. Keeps nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from scripts._paddle.errors import invalid
from scripts._paddle.money import RATES

_MAX_AMOUNT: Final = 10**12


def text(body: Mapping[str, Any], name: str, *, where: str = "") -> str:
    """A string that has to be there."""
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise invalid(where + name, "must be a non-empty string")
    return found


def optional_text(body: Mapping[str, Any], name: str) -> str | None:
    """A string, or None."""
    found = body.get(name)
    if found is not None and not isinstance(found, str):
        raise invalid(name, "must be a string")
    return found


def choice(body: Mapping[str, Any], name: str, known: Collection[str], default: str | None = None) -> str:
    """One of some words."""
    found = default if body.get(name) is None else body[name]
    if found not in known:
        raise invalid(name, f"must be one of {', '.join(sorted(known))}")
    return str(found)


def custom_data(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The seller's own data: an object or nothing."""
    found = body.get("custom_data")
    if found is not None and not isinstance(found, dict):
        raise invalid("custom_data", "must be an object")
    return found or None


def amount(found: Any, where: str) -> int:
    """A string of minor units."""
    if not isinstance(found, str) or not found.isdecimal() or not found.isascii() or int(found) > _MAX_AMOUNT:
        raise invalid(where, "must be a string of digits in the lowest denomination of the currency")
    return int(found)


def currency(found: Any, where: str = "currency_code") -> str:
    """A currency of the double's table."""
    if found not in RATES:
        raise invalid(where, "is not a supported currency")
    return str(found)


def money(body: Mapping[str, Any], name: str, where: str = "") -> dict[str, str]:
    """An amount with its currency."""
    found = body.get(name)
    if not isinstance(found, dict):
        raise invalid(where + name, "must be an object")
    minor = amount(found.get("amount"), f"{where}{name}.amount")
    return {"amount": str(minor), "currency_code": currency(found.get("currency_code"), f"{where}{name}.currency_code")}


def count(found: Any, where: str, *, low: int = 1, high: int = 999_999_999) -> int:
    """A whole number between bounds."""
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise invalid(where, f"must be between {low} and {high}")
    return found


def duration(body: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """A billing cycle, or None."""
    found = body.get(name)
    if found is None:
        return None
    if not isinstance(found, dict) or found.get("interval") not in {"day", "week", "month", "year"}:
        raise invalid(name, "must have an interval of day, week, month or year")
    return {"interval": found["interval"], "frequency": count(found.get("frequency"), f"{name}.frequency")}


def objects(body: Mapping[str, Any], name: str, *, most: int = 100) -> list[dict[str, Any]]:
    """A list of objects that holds one at least."""
    found = body.get(name)
    if not isinstance(found, list) or not 1 <= len(found) <= most or not all(isinstance(item, dict) for item in found):
        raise invalid(name, f"must be a list of 1 to {most} objects")
    return found
