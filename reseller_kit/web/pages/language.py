"""Which of a storefront's languages a page is in. Remembers nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PARAMETER: Final = "lang"
"""The query parameter by which a visitor chooses, and the cookie that remembers it."""
_MAX_HEADER: Final = 1_000
_MAX_RANGES: Final = 20


def cookie_name(*, secure: bool) -> str:
    """What the cookie is called: over https with the prefix that keeps sibling domains from planting one."""
    return f"__Host-{PARAMETER}" if secure else PARAMETER


def choose(offered: Sequence[str], *chosen: str | None, accept: str = "") -> str:
    """The first of what was `chosen` that is offered, else the best that `Accept-Language` asks for, else the first.

    A wish for `de-AT` is met by `de`, one for `pt` by `pt-BR`. Source of the header's form: RFC 9110, section 12.5.4.
    """
    for wish in (*chosen, *_ranges(accept)):
        if wish and (found := _match(offered, wish)):
            return found
    return offered[0]


def _match(offered: Sequence[str], wish: str) -> str | None:
    exact = {language.casefold(): language for language in offered}
    wanted = wish.casefold().replace("_", "-")
    if wanted in exact:
        return exact[wanted]
    base = wanted.partition("-")[0]
    return exact.get(base) or next((name for key, name in exact.items() if key.partition("-")[0] == base), None)


def _ranges(header: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first; those of weight 0 are not wanted."""
    found: list[tuple[float, str]] = []
    for part in header[:_MAX_HEADER].split(",")[:_MAX_RANGES]:
        name, _, parameters = part.strip().partition(";")
        weight = _weight(parameters)
        if name and name != "*" and weight > 0:
            found.append((weight, name.strip()))
    return [name for _, name in sorted(found, key=lambda pair: -pair[0])]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
