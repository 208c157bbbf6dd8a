"""From the first source's rules of matching to plain names. Guesses no name that the source does not write.

The source matches model names by equality, prefix, part or pattern, and the first model that fits wins. Here a model
gets explicit names: its id and every text that a rule of it tests by equality or prefix, as far as the source's own
rules lead from that name back to this model. Of a prefix or pattern one thing more is kept: whether a day may follow
the name. A name with any other ending is unknown, so that a new model is never sold at the price of an older one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from .fetch import SourceFault
from .source import Node

_PROBES: Final = ("-2031-07-19", "-20310719")
"""Days that no rule names: what fits with one of them fits with any day."""


def fits(clause: Node, name: str) -> bool:
    """Whether the source's rule takes the name, which is in lower case."""
    match clause.shape:
        case "ClauseEquals":
            return name == str(clause.get("equals")).lower()
        case "ClauseStartsWith":
            return name.startswith(str(clause.get("starts_with")).lower())
        case "ClauseEndsWith":
            return name.endswith(str(clause.get("ends_with")).lower())
        case "ClauseContains":
            return str(clause.get("contains")).lower() in name
        case "ClauseRegex":
            return re.search(str(clause.get("regex")), name) is not None
        case "ClauseOr":
            return any(fits(part, name) for part in clause.get("or_", []))
        case "ClauseAnd":
            return all(fits(part, name) for part in clause.get("and_", []))
        case _:
            raise SourceFault(f"{clause.shape} is no rule of matching")


def explicit_names(models: Sequence[Node]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Model id → its names, and those of them that a day may follow."""
    named = {}
    for model in models:
        own = [name for name in dict.fromkeys(_candidates(model)) if _resolve(models, name) is model]
        dated_names = [name for name in own if any(_resolve(models, name + probe) is model for probe in _PROBES)]
        named[str(model.get("id"))] = (tuple(sorted(own)), tuple(sorted(dated_names)))
    return named


def _resolve(models: Sequence[Node], name: str) -> Node | None:
    return next((model for model in models if fits(model.get("match"), name)), None)


def _candidates(model: Node) -> Iterator[str]:
    yield str(model.get("id")).lower()
    for text in _texts(model.get("match")):
        if text and text[-1].isalnum():
            yield text.lower()


def _texts(clause: Node) -> Iterator[str]:
    for part in (*clause.get("or_", []), *clause.get("and_", [])):
        yield from _texts(part)
    for key in ("equals", "starts_with"):
        if clause.get(key) is not None:
            yield str(clause.get(key))
