"""Counts the tokens of a text with OpenAI's published vocabularies, offline. A count is an estimate for other makers.

The vocabularies are loaded at first use (about a tenth of a second), then kept for the life of the process. What a call
costs is bounded: a text of any length is counted from at most `EXACT_CHARACTERS` of it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Final

EXACT_CHARACTERS: Final = 1 << 18
"""Longer texts are counted by samples: at the slowest about 0.1 s of work."""
_SAMPLES: Final = 16
_CHUNK_CHARACTERS: Final = 1 << 14
_EXTENSION: Final = "bpe_openai._bindings"
_DEFAULT: Final = "o200k_base"
_OLDER: Final = "cl100k_base"
_OLDER_MODELS: Final = re.compile(
    r"(?:.*/)?(?:gpt-4(?!o|\.\d)|gpt-3\.5|gpt-35|text-embedding-|davinci-002|babbage-002)", re.IGNORECASE
)


def tokenizer_of(model: str) -> str:
    """The vocabulary that `model` is counted with, as a usage record names it.

    OpenAI's own for its models (source: OpenAI Cookbook, "How to count tokens with tiktoken"), the newest for others.
    """
    return _OLDER if _OLDER_MODELS.match(model) else _DEFAULT


def count_text(model: str, text: str) -> int:
    """Tokens of `text` for `model`.

    A text longer than `EXACT_CHARACTERS` is counted by evenly spread samples and scaled up, rounded up. A text is
    counted in chunks; each cut can add a token, never lose one. Raises nothing.
    """
    if not text:
        return 0
    count = _counter(tokenizer_of(model))
    if len(text) <= EXACT_CHARACTERS:
        return _count(count, text)
    stride = len(text) // _SAMPLES
    sample_characters = EXACT_CHARACTERS // _SAMPLES
    counted = sum(
        _count(count, text[start : start + sample_characters]) for start in range(0, stride * _SAMPLES, stride)
    )
    return -(-counted * len(text) // (sample_characters * _SAMPLES))


def warm(model: str = "") -> None:
    """Load the vocabulary of `model` ahead of its first use; for a worker thread, as it takes a tenth of a second."""
    _counter(tokenizer_of(model))


@functools.cache
def _counter(name: str) -> Callable[[str], int]:
    count: Callable[[str], int] = _extension().tokenizer_for_encoding(name).count
    return count


@functools.cache
def _extension() -> ModuleType:
    """The compiled part alone: the package's Python layer builds every vocabulary a second time and has no count."""
    package = find_spec("bpe_openai")
    found = None if package is None else PathFinder.find_spec(_EXTENSION, package.submodule_search_locations)
    if found is None or found.loader is None:
        raise ModuleNotFoundError(f"{_EXTENSION} is not installed", name=_EXTENSION)
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _count(count: Callable[[str], int], text: str) -> int:
    return sum(
        count(text[start : start + _CHUNK_CHARACTERS].encode("utf-8", "replace").decode())
        for start in range(0, len(text), _CHUNK_CHARACTERS)
    )
