"""Tokens of the management API: their form, and what each may be for. Stores nothing.

A token is a key in form (`core.apikey`), with `-admin` behind the brand's own prefix so that nobody takes one for
the other.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from . import apikey

Scope = Literal[
    "customers:read",
    "customers:write",
    "keys",
    "credits",
    "orders",
    "packages",
    "prices:read",
    "prices:write",
    "usage:read",
    "webhooks",
]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_SUFFIX: Final = "-admin"
_LONGEST: Final = 16
"""Characters of a key's prefix."""


def generate(brand_prefix: str) -> str:
    """A new token of a brand whose keys begin with `brand_prefix`."""
    return apikey.generate(brand_prefix[: _LONGEST - len(_SUFFIX)] + _SUFFIX)


def is_well_formed(token: str) -> bool:
    """Whether it has the form of a token and its check is right."""
    return apikey.is_well_formed(token) and token.partition("_")[0].endswith(_SUFFIX)


def is_covered(wanted: Scope, given: tuple[str, ...]) -> bool:
    """Whether a token with these scopes may do what asks for `wanted`: whoever may write may read."""
    family, _, kind = wanted.partition(":")
    return wanted in given or (kind == "read" and f"{family}:write" in given)
