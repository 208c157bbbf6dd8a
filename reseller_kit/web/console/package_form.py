"""The form of a package: from its fields to the terms of the configuration, and back. Asks nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ...core.errors import InvalidForm, InvalidManifest
from ...flows.provision.edit import problems_of
from ..forms import Form
from .pricing_form import said

KINDS: Final = ("topup", "package", "subscription")
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "topup": ("min", "max"),
    "package": ("price", "credits"),
    "subscription": ("price", "credits", "period"),
}
_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "topup": ("min", "max", "presets", "bonus"),
    "package": ("price", "credits", "daily_allowance"),
    "subscription": ("price", "credits", "period", "roll_over", "roll_over_periods", "daily_allowance"),
}
_COMMON: Final = ("title", "valid_days", "models", "refund_days")
_ALL: Final = tuple(dict.fromkeys([*_COMMON, *(name for names in _OWN.values() for name in names)]))
_LISTS: Final = frozenset({"models", "presets"})
_NUMBERS: Final = frozenset({"valid_days", "refund_days", "roll_over_periods"})
_AMOUNTS: Final = frozenset({"price", "credits", "min", "max", "daily_allowance"})
_MAX_LINE: Final = 2000
_ITEM: Final = re.compile(r"\[\d+\].*")


def fields_in(form: Form, kind: str) -> dict[str, Any]:
    """The terms that were typed; None where one is left out. Raises InvalidForm for what is missing or unreadable."""
    found: dict[str, Any] = {"kind": kind}
    for name in _ALL:
        text = form.line(name, 200 if name == "title" else _MAX_LINE, needed=False)
        found[name] = _read(name, text) if text and name in {*_COMMON, *_OWN[kind]} else None
    for name in ("title", *_NEEDED[kind]):
        if found[name] is None:
            raise InvalidForm({name: ("form.needed", {})})
    return found


def texts_of(terms: Mapping[str, Any]) -> dict[str, str]:
    """A package's terms as its form shows them."""
    given = [name for name in _ALL if terms.get(name) is not None and terms[name] is not False]
    texts = {name: _shown(name, terms[name]) for name in given}
    return {**texts, "kind": terms.get("kind", "package")}


def form_problem(error: InvalidManifest, code: str) -> InvalidForm:
    """What the configuration's checks found, at the fields that it was typed in."""
    found: dict[str, tuple[str, Mapping[str, object]]] = {}
    for path, text in problems_of(error.details).items():
        name = _ITEM.sub("", path.removeprefix(f"packages.{code}").removeprefix("."))
        name = "code" if name == "id" else name if name in _ALL else ""
        found.setdefault(name, ("{text}", {"text": text}))
    return InvalidForm(found)


def _read(name: str, text: str) -> Any:
    if name == "bonus":
        return _bonus(text)
    if name in _LISTS:
        items = [part.removeprefix("$") for part in re.split(r"[,;\s]+", text) if part]
        return items or None
    if name in _NUMBERS:
        if not (text.isascii() and text.isdigit() and len(text) < 7):
            raise said("Give a whole number.", name)
        return int(text)
    if name == "roll_over":
        return True
    return text.removeprefix("$").strip() if name in _AMOUNTS else text


def _bonus(text: str) -> list[dict[str, str]] | None:
    tiers = []
    for part in re.split(r"[,;\s]+", text):
        amount, separator, percent = part.partition("=")
        if part and not (separator and amount and percent):
            raise said("Write each as amount=percent, such as 100=5%.", "bonus")
        if part:
            tiers.append({"from": amount.removeprefix("$"), "percent": percent})
    return tiers or None


def _shown(name: str, value: Any) -> str:
    if name == "bonus":
        return ", ".join(f"{tier['from']}={tier['percent']}" for tier in value)
    if name in _LISTS:
        return ", ".join(value)
    return "yes" if value is True else str(value)
