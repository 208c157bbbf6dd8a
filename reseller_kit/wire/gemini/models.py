"""What models of the Gemini family take, by their names. Asks nobody, and knows no price.

Source: Gemini API, "Thinking", "Structured output", "Function calling". A name that says nothing is taken for a model
of today's that does not think.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from ..conversation import Effort

_NAME: Final = re.compile(r"gemini-(\d{1,2})(?:\.(\d{1,2}))?-(pro|flash-lite|flash)")
_NOT_TEXT: Final = re.compile(r"image|tts|audio|live|embedding")
_FIRST_WITH_LEVELS: Final = 3
_FIRST_WITH_BUDGETS: Final = (2, 5)
_FLASH_LEVELS: Final[dict[Effort, str]] = {
    "none": "minimal",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}
_PRO_LEVELS: Final[dict[Effort, str]] = {**_FLASH_LEVELS, "none": "low", "minimal": "low"}
_FIRST_PRO_LEVELS: Final[dict[Effort, str]] = {**_PRO_LEVELS, "medium": "high"}
_BUDGETS: Final = {"pro": (128, 32_768), "flash": (0, 24_576), "flash-lite": (512, 24_576)}


class Model(Struct, frozen=True, kw_only=True):
    """`levels`: the level for each effort, of a model that takes levels. `budgets`: least and most tokens of thought.

    `silent`: whether it can be told not to think. `penalties`: takes them. `schema_with_tools`: takes both at once.
    """

    levels: dict[Effort, str] | None = None
    budgets: tuple[int, int] | None = None
    silent: bool = False
    penalties: bool = True
    schema_with_tools: bool = False


def model_of(name: str) -> Model:
    """What the model of this name takes."""
    found = _NAME.search(name.lower())
    if found is None:
        return Model()
    version, size = (int(found[1]), int(found[2] or 0)), found[3]
    newest = version[0] >= _FIRST_WITH_LEVELS
    if _NOT_TEXT.search(name.lower()) or version < _FIRST_WITH_BUDGETS:
        return Model(schema_with_tools=newest)
    if newest:
        pro = _FIRST_PRO_LEVELS if version == (3, 0) else _PRO_LEVELS
        return Model(levels=pro if size == "pro" else _FLASH_LEVELS, penalties=False, schema_with_tools=True)
    return Model(budgets=_BUDGETS[size], silent=size != "pro", penalties=False)
