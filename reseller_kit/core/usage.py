"""What a call used, by price class, and how far an upstream's word on it is believed. Prices nothing.

Each token lands in exactly one priced class, whatever shape the upstream reports in: cached, cache-write, audio and
image tokens are taken out of the plain input and output. Reasoning is the exception: it is a part of the output,
kept for information.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct, structs

ABSURD: Final = 1 << 40
"""A trillion tokens: no call comes near it, and sums of figures below it fit every integer column."""

_INPUT_CUT: Final = (
    "input_tokens",
    "input_image_tokens",
    "input_audio_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
)
_OUTPUT_CUT: Final = ("output_tokens", "output_image_tokens", "output_audio_tokens")
_UNITS: Final = {
    "seconds": "seconds",
    "characters": "characters",
    "images": "images",
    "request": "requests",
    "tool_call": "tool_calls",
}
"""Classes of other units than tokens, and their fields."""
ONE_REQUEST: Final[Mapping[str, int]] = MappingProxyType({"request": 1})
"""The units that any call may come to: itself."""


PRICE_CLASSES: Final = (
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "output",
    "input_audio",
    "output_audio",
    "input_image",
    "output_image",
    "seconds",
    "characters",
    "images",
    "request",
    "tool_call",
)
"""The same classes as `catalog.USAGE_CLASSES`, in the order of the fields of `Usage`."""
INPUT_TOKENS: Final = ("input", "cached_input", "cache_write", "cache_write_1h")
"""The classes that text which was read is counted in."""


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Quantities of one call; every figure is an integer, tokens unless the name says otherwise.

    `input_tokens` excludes cached, cache-write, audio and image tokens. `output_tokens` includes reasoning and
    excludes audio and image tokens. `requests` is 0 unless the price list has a price per request. `irregular`: the
    upstream's report held something that is not a non-negative integer, or parts larger than their whole.
    """

    # In the order of PRICE_CLASSES.
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_image_tokens: int = 0
    seconds: int = 0
    characters: int = 0
    images: int = 0
    requests: int = 0
    tool_calls: int = 0
    # No class of their own.
    reasoning_tokens: int = 0
    irregular: bool = False

    def quantities(self) -> dict[str, int]:  # noqa: C901, PLR0912  # every call asks, and this costs a quarter of a loop
        """Quantity by price class; classes of which there is nothing are left out."""
        found: dict[str, int] = {}
        if self.input_tokens:
            found["input"] = self.input_tokens
        if self.cached_input_tokens:
            found["cached_input"] = self.cached_input_tokens
        if self.cache_write_tokens:
            found["cache_write"] = self.cache_write_tokens
        if self.cache_write_1h_tokens:
            found["cache_write_1h"] = self.cache_write_1h_tokens
        if self.output_tokens:
            found["output"] = self.output_tokens
        if self.input_audio_tokens:
            found["input_audio"] = self.input_audio_tokens
        if self.output_audio_tokens:
            found["output_audio"] = self.output_audio_tokens
        if self.input_image_tokens:
            found["input_image"] = self.input_image_tokens
        if self.output_image_tokens:
            found["output_image"] = self.output_image_tokens
        if self.seconds:
            found["seconds"] = self.seconds
        if self.characters:
            found["characters"] = self.characters
        if self.images:
            found["images"] = self.images
        if self.requests:
            found["request"] = self.requests
        if self.tool_calls:
            found["tool_call"] = self.tool_calls
        return found

    @property
    def total_input_tokens(self) -> int:
        """Input of all classes, as an upstream's own total counts it."""
        return (
            self.input_tokens
            + self.cached_input_tokens
            + self.cache_write_tokens
            + self.cache_write_1h_tokens
            + self.input_audio_tokens
            + self.input_image_tokens
        )

    @property
    def total_output_tokens(self) -> int:
        """Output of all classes, reasoning included."""
        return self.output_tokens + self.output_audio_tokens + self.output_image_tokens


UNSOUND: Final = Usage(irregular=True)
"""A report in which there is no figure to go by: what was used has to be estimated, and somebody should look."""


def later(known: Usage | None, found: Usage | None) -> Usage | None:
    """What is known after a further report; one without a figure to go by only casts doubt on the one before."""
    if found is None:
        return known
    if known is None or found.quantities():
        return found
    return structs.replace(known, irregular=True)


def figures_in(usage: Usage | None) -> Usage | None:
    """The report, if it holds a figure to go by."""
    if usage is None:
        return None
    # Nearly every report has one of the first two.
    return usage if usage.input_tokens or usage.output_tokens or usage.quantities() else None


def with_output(usage: Usage, output_tokens: int) -> Usage:
    """`usage` with that output, by our count, where what was reported can't be of it.

    Some upstreams report as they go, others before they wrote; a report of half our count and more is of the former
    kind, and more exact than we are.
    """
    missing = output_tokens - usage.total_output_tokens
    if missing <= usage.total_output_tokens:
        return usage
    return structs.replace(usage, output_tokens=usage.output_tokens + missing)


def without_output(usage: Usage) -> Usage:
    """`usage` without the tokens of an answer."""
    return structs.replace(usage, output_tokens=0, output_audio_tokens=0, output_image_tokens=0, reasoning_tokens=0)


def clamp(
    usage: Usage, *, context: int, output_limit: int, max_output: int, units: Mapping[str, int] = ONE_REQUEST
) -> tuple[Usage, bool]:
    """`usage` as far as it is believed, and whether anything was cut or irregular (recorded as `usage_capped`).

    Input of all classes together is believed up to `context`; output up to `output_limit` (what was sent upstream,
    times the number of choices) plus the reported reasoning, of which up to `max_output` (times the number of
    choices) is believed. Plain tokens are cut before those of other classes. Other units are believed up to `units`
    (class → what the request could come to), and not at all where it names none: a tool that nobody asked for has no
    price. See docs/money.md, "Hold and settle".
    """
    if _is_plausible(usage, context, output_limit):
        return usage, usage.irregular
    figures = {field: _sound(getattr(usage, field)) for field in _QUANTITIES}
    reasoning = min(figures["reasoning_tokens"], figures["output_tokens"])
    _cut(figures, _INPUT_CUT, context)
    _cut(figures, _OUTPUT_CUT, output_limit + min(reasoning, max_output))
    for name, field in _UNITS.items():
        figures[field] = min(figures[field], units.get(name, 0))
    figures["reasoning_tokens"] = min(reasoning, figures["output_tokens"])
    clamped = Usage(**figures, irregular=usage.irregular)
    return clamped, usage.irregular or clamped != usage


def _is_plausible(usage: Usage, context: int, output_limit: int) -> bool:
    """The common case: whole, non-negative figures of tokens, all within their bounds, and no other units."""
    try:
        if type(sum(structs.astuple(usage))) is not int:
            return False
    except TypeError:
        return False
    for figure in usage.quantities().values():
        if type(figure) is not int or not 0 <= figure < ABSURD:
            return False
    reasoning = usage.reasoning_tokens
    return (
        usage.total_input_tokens <= context
        and usage.total_output_tokens <= output_limit
        and type(reasoning) is int
        and 0 <= reasoning <= usage.output_tokens
        and not (usage.seconds or usage.characters or usage.images or usage.requests or usage.tool_calls)
    )


def _sound(value: object) -> int:
    """A figure that is not a whole non-negative number counts as nothing."""
    return min(value, ABSURD) if type(value) is int and value > 0 else 0


def _cut(figures: dict[str, int], fields: tuple[str, ...], bound: int) -> None:
    excess = sum(figures[field] for field in fields) - bound
    for field in fields:
        if excess <= 0:
            return
        cut = min(excess, figures[field])
        figures[field] -= cut
        excess -= cut


_QUANTITIES: Final = tuple(field for field in Usage.__struct_fields__ if field != "irregular")
