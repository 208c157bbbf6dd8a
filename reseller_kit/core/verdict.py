"""Whose fault it is that an upstream did not answer: the value that routing, breakers and key pools decide by."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Blame = Literal["key", "cooldown", "endpoint", "request"]
"""key: the credential is refused or has no money left, whatever is asked with it; cooldown: there was too much at
once, of this key or here; endpoint: the provider's own trouble; request: what was asked, or who asked has left."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of an attempt that brought no answer.

    `reason` is one line for the operator, in part the provider's own words. `retry_after`: seconds that the provider
    asks to wait, None where it names no time.
    """

    blame: Blame
    reason: str
    retry_after: float | None = None
