"""What models of the Claude family take, by their names. Asks nobody, and knows no price.

Source: Anthropic, "Effort", "Adaptive thinking", and the migration guides of the models from 4.6 to 5.5. A name that
says nothing is taken for an older model's, which other makers' models with this API resemble.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

_NAME: Final = re.compile(r"claude-(opus|sonnet|haiku|fable|mythos)-(\d{1,2})(?:[.-](\d{1,2})(?![0-9]))?")


class Model(Struct, frozen=True, kw_only=True):
    """`adaptive`: thinks as it likes and takes an effort, instead of a budget. `sampling`: takes a temperature.

    `silent`: how it is told not to think; None if it always does. `forced`: takes a forced choice of tools. `xhigh`:
    has that effort. `thinks`: takes a thinking setting at all.
    """

    adaptive: bool = False
    sampling: bool = True
    silent: str | None = "disabled"
    forced: bool = True
    xhigh: bool = False
    thinks: bool = True


def model_of(name: str) -> Model:
    """What the model of this name takes."""
    match = _NAME.search(name.lower())
    if match is None:
        return Model(thinks="claude-3" not in name or "claude-3-7" in name)
    family, version = match.group(1), (int(match.group(2)), int(match.group(3) or 0))
    newest = family in {"fable", "mythos"}
    always = newest or (family == "opus" and version >= (5, 5))
    return Model(
        adaptive=newest or version >= (4, 6),
        sampling=not newest and version < (4, 7),
        silent=None if always else "between_tools" if family == "sonnet" and version >= (5, 5) else "disabled",
        forced=not (family == "opus" and version >= (5, 5)) and not (newest and version >= (5, 1)),
        xhigh=newest or version >= (4, 7),
    )
