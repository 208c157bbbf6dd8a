"""The second source's models and prices in the catalogue's terms. Corrects nothing: it is there to disagree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from .fetch import SourceFault, Wanted
from .prices import Unpriceable, whole_pico

Place = tuple[str, str, int]
"""Service tier ("" for the standard one), usage class, and the input tokens above which the price holds."""
Entry = Mapping[str, Any]

_CLASSES: Final = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_token": "output",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_image_token": "output_image",
}
_SERVICES: Final = {"_batches": "batch", "_flex": "flex", "_priority": "priority"}
_ABOVE: Final = re.compile(r"(.+)_above_(\d+)k_tokens", re.ASCII)
_NOT_TOKENS: Final = frozenset({"image_generation", "video_generation", "audio_speech", "audio_transcription", "ocr"})
"""Modes that the second source prices by other units at the same time."""


class Limits(Struct, frozen=True):
    """Context and output limit of a model."""

    context: int | None
    max_output: int | None


def read_second(text: str) -> dict[str, Entry]:
    """Models by name, numbers exact. Raises SourceFault for NaN and infinities."""

    def refuse(word: str) -> None:
        raise SourceFault(f"the second source holds {word}")

    data = json.loads(text, parse_float=Decimal, parse_constant=refuse)
    return {name: entry for name, entry in data.items() if isinstance(entry, dict) and name != "sample_spec"}


def models_of(wanted: Wanted, others: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    """The models of a provider, by the provider's own names in lower case."""
    if wanted.second is not None:
        for name, entry in others.items():
            if entry.get("litellm_provider") == wanted.second.provider and name.startswith(wanted.second.prefix):
                yield name.removeprefix(wanted.second.prefix).lower(), entry


def limits_of(entry: Entry) -> Limits:
    """What the model takes and gives."""
    return Limits(_tokens(entry.get("max_input_tokens")), _tokens(entry.get("max_output_tokens")))


def prices_of(entry: Entry) -> dict[Place, int]:
    """Pico-USD a token by place; nothing for models that are not priced by tokens, and for prices that are 0.

    A price that is no whole number of pico-USD is left out: nothing here can equal it.
    """
    if entry.get("mode") in _NOT_TOKENS:
        return {}
    found = {}
    for key, value in entry.items():
        place = _place(key)
        if place is not None and type(value) in {Decimal, int} and value > 0:
            try:
                found[place] = whole_pico(Decimal(value), 1)
            except Unpriceable:
                continue
    return found


def _place(key: str) -> Place | None:
    service = next((name for suffix, name in _SERVICES.items() if key.endswith(suffix)), "")
    for suffix in _SERVICES:
        key = key.removesuffix(suffix)
    if key in _CLASSES:
        return service, _CLASSES[key], 0
    match = _ABOVE.fullmatch(key)
    if match is None or match[1] not in _CLASSES:
        return None
    return service, _CLASSES[match[1]], int(match[2]) * 1000


def _tokens(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None
