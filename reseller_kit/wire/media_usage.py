"""What images, speech, transcriptions, embeddings, rankings and moderations used, and how the caller is told.

What the model's price list has a price for is counted: tokens, the unit of such calls, or both. Prices nothing.
Sources: OpenAI API reference, "The image generation response", "Create transcription", "Create speech", "The
embedding object"; Cohere API reference, "Rerank" (meta.billed_units); Jina API, "Reranker" (usage.total_tokens).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Raw, Struct

from ..core.catalog import price_of
from ..core.usage import UNSOUND, Usage
from .usage_report import UsageReport, members_of

_INPUT_DETAILS: Final = ("input_tokens_details", "input_token_details", "prompt_tokens_details")
_OUTPUT_DETAILS: Final = ("output_tokens_details", "output_token_details", "completion_tokens_details")
_INPUT_NAMES: Final = ("prompt_tokens", "input_tokens", "total_tokens")
_LONGEST_SECONDS: Final = 1 << 31

_CLASSES: Final = {
    "images": ("images", ("input", "input_image", "output_image")),
    "transcriptions": ("seconds", ("input", "input_audio", "output")),
    "speech": ("characters", ()),
    "embeddings": ("request", ("input",)),
    "rerank": ("request", ("input",)),
    "moderations": ("request", ("input",)),
}
"""By kind of call: the class of its unit, and those of its tokens. No answer tells the tokens of speech."""


class Counted(Struct, frozen=True):
    """What a price list lets a kind of call be charged by: its unit, its tokens, or both."""

    unit: bool
    tokens: bool

    @property
    def offered(self) -> bool:
        """Whether such calls have a price at all; a model without one is not offered for them."""
        return self.unit or self.tokens


def counted_by(kind: str, prices: Mapping[str, int]) -> Counted:
    """What calls of a kind are charged by: images, transcriptions, speech, embeddings, rerank or moderations."""
    unit, tokens = _CLASSES[kind]
    priced = [price_of(prices, name) is not None for name in tokens]
    return Counted(unit=unit in prices, tokens=bool(priced) and all(priced))


def images_usage(report: bytes | Raw | None, *, images: int, prices: Mapping[str, int]) -> Usage | None:
    """The usage of a generation or edit that brought `images` images; None if tokens have to be known and are not.

    `report`: the `usage` member of the answer. Output that is not told apart is image tokens.
    """
    by = counted_by("images", prices)
    units = images if by.unit else 0
    if not by.tokens:
        return Usage(images=units) if units else None
    found = _report(report)
    if found is None:
        return None
    given, made = found.figure("input_tokens"), found.figure("output_tokens")
    image_in = found.at_most(_detail(found, _INPUT_DETAILS, "image_tokens"), given)
    cached = found.at_most(_detail(found, _INPUT_DETAILS, "cached_tokens"), given - image_in)
    text_out = found.at_most(_detail(found, _OUTPUT_DETAILS, "text_tokens"), made) if "output" in prices else 0
    return _or_none(
        Usage(
            input_tokens=given - image_in - cached,
            cached_input_tokens=cached,
            input_image_tokens=image_in,
            output_tokens=text_out,
            output_image_tokens=made - text_out,
            images=units,
            irregular=found.irregular,
        )
    )


def images_usage_object(usage: Usage) -> dict[str, Any] | None:
    """The `usage` member of an images answer; None where images are charged by their number."""
    if not usage.total_output_tokens:
        return None
    given, made = usage.total_input_tokens, usage.total_output_tokens
    cached = {"cached_tokens": usage.cached_input_tokens} if usage.cached_input_tokens else {}
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "text_tokens": given - usage.input_image_tokens - usage.cached_input_tokens,
            "image_tokens": usage.input_image_tokens,
            **cached,
        },
        "output_tokens": made,
        "output_tokens_details": {
            "text_tokens": made - usage.output_image_tokens,
            "image_tokens": usage.output_image_tokens,
        },
        "total_tokens": given + made,
    }


def transcription_usage(
    report: bytes | Raw | None, *, prices: Mapping[str, int], seconds: int | None = None
) -> Usage | None:
    """The usage of a transcription or translation of speech; None if it can't be told.

    `report`: the answer's `usage`, or the whole of a verbose answer, whose `duration` says it as well. `seconds`: the
    recording's length by our own measure, used where seconds are charged and none are reported. A begun second counts.
    """
    by, found = counted_by("transcriptions", prices), _report(report)
    units = _seconds(found) or seconds or 0 if by.unit else 0
    if not by.tokens:
        return Usage(seconds=units, irregular=found is not None and found.irregular) if units else None
    if found is None or (by.unit and not units):
        return None
    given = found.figure("input_tokens", "prompt_tokens")
    made = found.figure("output_tokens", "completion_tokens")
    audio = found.at_most(_detail(found, _INPUT_DETAILS, "audio_tokens"), given)
    return _or_none(
        Usage(
            input_tokens=given - audio,
            input_audio_tokens=audio,
            output_tokens=made,
            seconds=units,
            irregular=found.irregular,
        )
    )


def transcription_usage_object(usage: Usage) -> dict[str, Any]:
    """The `usage` member of a transcription: seconds or tokens, as it is charged."""
    if not usage.total_input_tokens + usage.total_output_tokens:
        return {"type": "duration", "seconds": usage.seconds}
    given, made = usage.total_input_tokens, usage.total_output_tokens
    return {
        "type": "tokens",
        "input_tokens": given,
        "input_token_details": {
            "text_tokens": given - usage.input_audio_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
        "output_tokens": made,
        "total_tokens": given + made,
    }


def speech_usage(text: str, *, prices: Mapping[str, int]) -> Usage | None:
    """The usage of spoken `text`: its characters, Unicode code points; None if the model has no price for them."""
    return Usage(characters=len(text)) if counted_by("speech", prices).unit else None


def embeddings_usage(report: bytes | Raw | None, *, prices: Mapping[str, int]) -> Usage | None:
    """The usage of an embedding: its prompt tokens; None if these have to be known and are not."""
    return _requests("embeddings", _report(report), 1, prices)


def embeddings_usage_object(usage: Usage) -> dict[str, Any]:
    """The `usage` member of an embedding."""
    return {"prompt_tokens": usage.total_input_tokens, "total_tokens": usage.total_input_tokens}


def rerank_usage(report: bytes | Raw | None, *, prices: Mapping[str, int]) -> Usage | None:
    """The usage of a ranking: search units as requests, else tokens; None if these have to be known and are not.

    `report`: the answer's `meta` or `usage`. Without search units in it a ranking is one request.
    """
    found = _report(report)
    units = 0 if found is None else found.figure_in(found.part("billed_units"), "search_units")
    if found is not None and not found.has(*_INPUT_NAMES):
        found = _within(found, "billed_units", "tokens")
    return _requests("rerank", found, units or 1, prices)


def rerank_meta_object(usage: Usage) -> dict[str, Any]:
    """The `meta` member of a ranking: search units or tokens, as it is charged."""
    tokens = usage.total_input_tokens
    return {
        "billed_units": {
            **({"search_units": usage.requests} if usage.requests else {}),
            **({"input_tokens": tokens} if tokens else {}),
        }
    }


def moderation_usage(*, prices: Mapping[str, int], tokens: int) -> Usage | None:
    """The usage of a moderation: one request, else `tokens` of input by our own count, as no answer has a report.

    None if the model has no price for either.
    """
    by = counted_by("moderations", prices)
    return Usage(requests=int(by.unit), input_tokens=tokens if by.tokens else 0) if by.offered else None


def _report(report: bytes | Raw | None) -> UsageReport | None:
    members = None if report is None else members_of(report)
    return None if members is None else UsageReport(members)


def _detail(report: UsageReport, parts: tuple[str, ...], name: str) -> int:
    return report.figure_in(report.part(*parts), name)


def _seconds(report: UsageReport | None) -> int:
    """Reported seconds, rounded up: a fraction is how they are reported, so it is not irregular."""
    if report is None:
        return 0
    for part, name in ((report.part("usage"), "seconds"), (report.members, "seconds"), (report.members, "duration")):
        value = part.get(name)
        if isinstance(value, float) and 0 < value < _LONGEST_SECONDS:
            return math.ceil(value)
        if value:
            return report.whole(value)
    return 0


def _within(report: UsageReport, *names: str) -> UsageReport:
    inner = UsageReport(report.part(*names))
    inner.irregular = report.irregular
    return inner


def _requests(kind: str, report: UsageReport | None, units: int, prices: Mapping[str, int]) -> Usage | None:
    """Requests, input tokens or both; None if tokens have to be known and are not."""
    by = counted_by(kind, prices)
    requests = units if by.unit else 0
    irregular = report is not None and report.irregular
    if not by.tokens:
        return Usage(requests=requests, irregular=irregular) if requests else None
    tokens = 0 if report is None else report.figure(*_INPUT_NAMES)
    if report is None or not tokens:
        return None
    return Usage(requests=requests, input_tokens=tokens, irregular=report.irregular)


def _or_none(usage: Usage) -> Usage | None:
    if usage.total_input_tokens + usage.total_output_tokens:
        return usage
    return UNSOUND if usage.irregular else None
