"""Usage reports in Anthropic's shape, of plain answers and streams, read into `Usage` and written back. Prices nothing.

Sources: Anthropic API reference, "Messages" and "Streaming messages" (usage of message_start and message_delta);
"Prompt caching" (cache_creation by duration); "Compaction" and "Advisor tool" (usage.iterations, whose compaction and
advisor entries the top level leaves out); "Web search tool" (server_tool_use).
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Raw, Struct

from ...core.usage import UNSOUND, Usage
from ..usage_report import UsageReport, members_of

_INPUT: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_BY_DURATION: Final = "cache_creation"
_IN_TOP_LEVEL: Final = frozenset({"message", "fallback_message"})
"""Iterations whose tokens the top level sums up; those of any other type come on top of it."""
_FREE_TOOL_REQUESTS: Final = frozenset({"web_fetch_requests", "tool_search_requests"})
"""Tools that cost nothing but the tokens that they bring."""
_REQUESTS: Final = "_requests"


class Reported(Struct, frozen=True):
    """What an upstream has said so far of one message: the members of its usage objects, later ones over earlier."""

    members: dict[str, Any] = {}


class Terms(Struct, frozen=True, kw_only=True):
    """On which terms the message was served, as far as the report says.

    `models`: names of models that iterations were made by, each once. Models named here may be the served one.
    """

    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    models: tuple[str, ...] = ()

    @property
    def standard(self) -> bool:
        """Whether these are the terms that a model's price list speaks of."""
        return (
            self.service_tier in {None, "standard"}
            and self.speed in {None, "standard"}
            and self.inference_geo in {None, "", "global", "not_available"}
        )


NOTHING_REPORTED: Final = Reported()


def add_report(known: Reported, report: bytes | Raw) -> Reported:
    """`known` with a later usage object of the same message; what is no object changes nothing. Raises nothing.

    Figures are cumulative, so each replaces what was known. Input figures that are all 0 are left out: an input does
    not shrink to nothing, and some upstreams name it in `message_start` alone, others in `message_delta` alone. The
    split of cache writes by duration is kept where the later object has none.
    """
    members = members_of(report)
    if members is None:
        return known
    given = {name: value for name, value in members.items() if value is not None}
    if any(known.members.get(name) for name in _INPUT) and not any(given.get(name) for name in _INPUT):
        given = {name: value for name, value in given.items() if name not in _INPUT and name != _BY_DURATION}
    return Reported({**known.members, **given})


def usage_of(reported: Reported) -> Usage | None:
    """What the message used, each token in exactly one class; None if nothing that is usable was reported.

    Unsound figures are replaced and mark the result `irregular`; `UNSOUND` where none is left. Raises nothing.
    """
    report = UsageReport(reported.members)
    usage = _whole_message(report, reported.members)
    counted = usage.total_input_tokens + usage.total_output_tokens
    if counted:
        return usage
    return UNSOUND if usage.irregular else None


def read_usage(report: bytes | Raw) -> Usage | None:
    """`usage_of` a plain answer's usage object."""
    return usage_of(add_report(NOTHING_REPORTED, report))


def terms_of(reported: Reported) -> Terms:
    """On which terms the message was served."""
    members = reported.members
    models = [entry["model"] for entry in _iterations(members) if isinstance(entry.get("model"), str)]
    return Terms(
        service_tier=_text(members.get("service_tier")),
        speed=_text(members.get("speed")),
        inference_geo=_text(members.get("inference_geo")),
        models=tuple(dict.fromkeys(models)),
    )


def usage_object(usage: Usage) -> dict[str, Any]:
    """`usage` as the usage object of a plain answer and of `message_start`, so that the caller sees what is charged.

    What that shape has no place for is added only where there is any, within `input_tokens_details` and
    `output_tokens_details`; its tokens are in `input_tokens` and `output_tokens`.
    """
    return {
        **_counts(usage),
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        **_details(usage),
        "service_tier": "standard",
    }


def delta_usage_object(usage: Usage) -> dict[str, Any]:
    """`usage` as the usage object of `message_delta`: cumulative, and without the split by duration.

    Behind a `message_start` that has the split, as `usage_object` writes it, it reads as the same usage.
    """
    return {**_counts(usage), **_details(usage)}


def _whole_message(report: UsageReport, members: dict[str, Any]) -> Usage:
    sums = _figures(report, members)
    left_out = _left_out(report, sums, _iterations(members))
    if left_out:
        sums = {name: figure + sum(part[name] for part in left_out) for name, figure in sums.items()}
    sums["reasoning_tokens"] = report.at_most(sums["reasoning_tokens"], sums["output_tokens"])
    return Usage(**sums, tool_calls=_tool_calls(report), irregular=report.irregular)


def _left_out(report: UsageReport, top: dict[str, int], entries: list[dict[str, Any]]) -> list[dict[str, int]]:
    """Iterations that the top level leaves out; none if it is the sum of them all, as some relays make it."""
    figures = [(_text(entry.get("type")) in _IN_TOP_LEVEL, _figures(report, entry)) for entry in entries]
    beside = [part for summed, part in figures if not summed]
    if len(beside) < len(figures) and _total(top) == sum(_total(part) for _, part in figures):
        return []
    return beside


def _figures(report: UsageReport, part: dict[str, Any]) -> dict[str, int]:
    """The tokens of the top level or of one iteration by field of `Usage`."""
    written, written_1h = _written(report, part)
    plain, audio_in, image_in = _modalities(report, part, "input_tokens")
    output, audio_out, image_out = _modalities(report, part, "output_tokens")
    return {
        "input_tokens": plain,
        "cached_input_tokens": report.figure_in(part, "cache_read_input_tokens"),
        "cache_write_tokens": written - written_1h,
        "cache_write_1h_tokens": written_1h,
        "output_tokens": output,
        "input_audio_tokens": audio_in,
        "output_audio_tokens": audio_out,
        "input_image_tokens": image_in,
        "output_image_tokens": image_out,
        "reasoning_tokens": report.figure_in(_object(part, "output_tokens_details"), "thinking_tokens"),
    }


def _modalities(report: UsageReport, part: dict[str, Any], name: str) -> tuple[int, int, int]:
    """Plain, audio and image tokens of `input_tokens` or `output_tokens`."""
    total, details = report.figure_in(part, name), _object(part, f"{name}_details")
    audio = report.at_most(report.figure_in(details, "audio_tokens"), total)
    image = report.at_most(report.figure_in(details, "image_tokens"), total - audio)
    return total - audio - image, audio, image


def _written(report: UsageReport, part: dict[str, Any]) -> tuple[int, int]:
    """Tokens written to a cache, and the part of them that is kept for an hour.

    Writes beyond the known split are of the kind that all known ones were, and of the shorter one if these differ.
    """
    split = _object(part, _BY_DURATION)
    for_5m = report.figure_in(split, "ephemeral_5m_input_tokens")
    for_1h = report.figure_in(split, "ephemeral_1h_input_tokens")
    if part.get("cache_creation_input_tokens") is None:
        return for_5m + for_1h, for_1h
    total = report.figure_in(part, "cache_creation_input_tokens")
    if for_1h and not for_5m:
        return total, total
    return total, min(for_1h, total)


def _tool_calls(report: UsageReport) -> int:
    """Requests of the tools that the provider runs and charges by the request."""
    used = report.part("server_tool_use")
    charged = [name for name in used if name.endswith(_REQUESTS) and name not in _FREE_TOOL_REQUESTS]
    return sum(report.figure_in(used, name) for name in charged)


def _counts(usage: Usage) -> dict[str, Any]:
    cached, written = usage.cached_input_tokens, usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": usage.total_input_tokens - cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.total_output_tokens,
    }


def _details(usage: Usage) -> dict[str, Any]:
    given = {"audio_tokens": usage.input_audio_tokens, "image_tokens": usage.input_image_tokens}
    made = {
        "thinking_tokens": usage.reasoning_tokens,
        "audio_tokens": usage.output_audio_tokens,
        "image_tokens": usage.output_image_tokens,
    }
    tools = {"web_search_requests": usage.tool_calls, "web_fetch_requests": 0} if usage.tool_calls else {}
    found = {
        "input_tokens_details": {name: figure for name, figure in given.items() if figure},
        "output_tokens_details": {name: figure for name, figure in made.items() if figure},
        "server_tool_use": tools,
    }
    return {name: part for name, part in found.items() if part}


def _iterations(members: dict[str, Any]) -> list[dict[str, Any]]:
    found = members.get("iterations")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _object(part: dict[str, Any], name: str) -> dict[str, Any]:
    value = part.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _total(figures: dict[str, int]) -> int:
    return sum(figure for name, figure in figures.items() if name != "reasoning_tokens")
