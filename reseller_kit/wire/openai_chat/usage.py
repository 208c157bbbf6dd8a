"""Usage reports in the shape of OpenAI's chat and its relatives', read into `Usage` and written back. Prices nothing.

Sources: OpenAI API reference, "The chat completion object" (usage); DeepSeek "Context Caching" (prompt_cache_hit);
OpenRouter "Usage Accounting" (cache_write_tokens); xAI "Reasoning" (completion_tokens without reasoning); Google
"OpenAI compatibility" (total_tokens with thinking that completion_tokens leaves out); Moonshot "Context Caching"
(cached_tokens); Anthropic "Prompt caching" (cache_read_input_tokens, cache_creation_input_tokens).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from ...core.usage import ABSURD, UNSOUND, Usage
from ..usage_report import UsageReport, members_of

_Count = Annotated[int, Meta(ge=0, lt=ABSURD)]
_Zero = Annotated[int, Meta(ge=0, le=0)]


class _PromptDetails(Struct, frozen=True, forbid_unknown_fields=True):
    cached_tokens: _Count = 0
    audio_tokens: _Zero = 0


class _CompletionDetails(Struct, frozen=True):
    reasoning_tokens: _Count = 0
    audio_tokens: _Zero = 0
    image_tokens: _Zero = 0


class _Common(Struct, forbid_unknown_fields=True):
    """The shape that needs no interpretation; anything else about a report sends it the long way."""

    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: _Count
    prompt_tokens_details: _PromptDetails = _PromptDetails()
    completion_tokens_details: _CompletionDetails = _CompletionDetails()


_COMMON: Final = msgspec.json.Decoder(_Common)


class _Report(UsageReport):
    __slots__ = ("completion_details", "prompt_details")

    def __init__(self, members: dict[str, Any]) -> None:
        super().__init__(members)
        self.prompt_details = self.part("prompt_tokens_details", "input_tokens_details")
        self.completion_details = self.part("completion_tokens_details", "output_tokens_details")


def read_usage(report: bytes | Raw) -> Usage | None:
    """What an upstream says was used, each token in exactly one class; None if this is no usable report.

    A report of nothing but zeros is no report: a call that reached a model has input. Unsound figures are replaced
    (fractions rounded up, others by 0) and mark the result `irregular`; `UNSOUND` where none is left. Raises nothing.
    """
    try:
        return _common(_COMMON.decode(report)) or read_any_usage(report)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return read_any_usage(report)


def read_any_usage(report: bytes | Raw) -> Usage | None:
    """`read_usage` without its short cut for the most common shape; the result is the same."""
    members = members_of(report)
    return None if members is None else _interpret(_Report(members))


def _common(report: _Common) -> Usage | None:
    prompt, completion = report.prompt_tokens, report.completion_tokens
    cached = report.prompt_tokens_details.cached_tokens
    reasoning = report.completion_tokens_details.reasoning_tokens
    if not report.total_tokens == prompt + completion > 0 or cached > prompt or reasoning > completion:
        return None
    return Usage(
        input_tokens=prompt - cached,
        cached_input_tokens=cached,
        output_tokens=completion,
        reasoning_tokens=reasoning,
    )


def _interpret(report: _Report) -> Usage | None:
    if not report.has("prompt_tokens", "input_tokens"):
        return None
    prompt = report.figure("prompt_tokens", "input_tokens")
    total = report.figure("total_tokens")
    if report.has("completion_tokens", "output_tokens"):
        completion = report.figure("completion_tokens", "output_tokens")
    else:
        completion = max(0, total - prompt)
    cached, written, written_1h = _cache_figures(report)
    if _excludes_cache(report, prompt, completion, total, cached + written):
        prompt += cached + written
    completion, reasoning = _output_figures(report, prompt, completion, total)
    if prompt + completion == 0:
        return UNSOUND if report.irregular else None
    return _split(report, prompt, completion, (cached, written, written_1h), reasoning)


def _cache_figures(report: _Report) -> tuple[int, int, int]:
    """Tokens read from a cache, written to one, and the part of the latter that is kept for an hour or longer."""
    details = report.prompt_details
    cached = report.figure_in(details, "cached_tokens") or report.figure(
        "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"
    )
    by_duration = report.part("cache_creation")
    written_1h = (
        report.figure_in(details, "cache_write_1h_tokens")
        or report.figure_in(by_duration, "ephemeral_1h_input_tokens")
        or _kept_long(report, details.get("cache_write_tokens_details"))
    )
    written = (
        report.figure_in(details, "cache_write_tokens", "cache_creation_tokens")
        or report.figure("cache_creation_input_tokens")
        or report.figure_in(by_duration, "ephemeral_5m_input_tokens") + written_1h
    )
    return cached, written, written_1h


def _kept_long(report: _Report, by_retention: Any) -> int:
    return report.figure_in(by_retention, "ttl_12h_tokens") if isinstance(by_retention, dict) else 0


def _excludes_cache(report: _Report, prompt: int, completion: int, total: int, cache: int) -> bool:
    """Whether the prompt figure leaves cache tokens out: the total tells, else Anthropic's names do."""
    if not cache:
        return False
    if total:
        reasoning = report.figure_in(report.completion_details, "reasoning_tokens")
        return total == prompt + completion + cache and reasoning != cache
    named = report.has("cache_read_input_tokens", "cache_creation_input_tokens")
    return named and (cache > prompt or not report.has("prompt_tokens"))


def _output_figures(report: _Report, prompt: int, completion: int, total: int) -> tuple[int, int]:
    """All output and the reasoning within it; some upstreams report an output without its reasoning."""
    details = report.completion_details
    reasoning = report.figure_in(details, "reasoning_tokens")
    surplus = total - prompt - completion
    if surplus > 0 and (surplus == reasoning or details.get("reasoning_tokens") is None):
        return completion + surplus, surplus
    if not total and reasoning > completion:
        return completion + reasoning, reasoning
    return completion, reasoning


def _split(report: _Report, prompt: int, completion: int, cache: tuple[int, int, int], reasoning: int) -> Usage:
    cached = report.at_most(cache[0], prompt)
    written = report.at_most(cache[1], prompt - cached)
    written_1h = report.at_most(cache[2], written)
    rest = prompt - cached - written
    # Cached audio is counted both as cached and as audio, so more audio than is left is no contradiction.
    audio_in = min(report.figure_in(report.prompt_details, "audio_tokens"), rest)
    image_in = min(report.figure_in(report.prompt_details, "image_tokens"), rest - audio_in)
    audio_out = report.at_most(report.figure_in(report.completion_details, "audio_tokens"), completion)
    image_out = report.at_most(report.figure_in(report.completion_details, "image_tokens"), completion - audio_out)
    output = completion - audio_out - image_out
    return Usage(
        input_tokens=rest - audio_in - image_in,
        cached_input_tokens=cached,
        cache_write_tokens=written - written_1h,
        cache_write_1h_tokens=written_1h,
        output_tokens=output,
        reasoning_tokens=report.at_most(reasoning, output),
        input_audio_tokens=audio_in,
        output_audio_tokens=audio_out,
        input_image_tokens=image_in,
        output_image_tokens=image_out,
        irregular=report.irregular,
    )


def usage_body(usage: Usage) -> bytes:
    """`usage` as the JSON object that OpenAI's clients read, so that the caller sees what is charged.

    Cache writes and image tokens, which that shape has no place for, are added to the details only where there are any.
    """
    prompt, completion = usage.total_input_tokens, usage.total_output_tokens
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
        % (
            prompt,
            completion,
            prompt + completion,
        )
        + b'"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":%d%b},'
        % (
            usage.cached_input_tokens,
            usage.input_audio_tokens,
            _extra_details(usage),
        )
        + b'"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":%d%b}}'
        % (
            usage.reasoning_tokens,
            usage.output_audio_tokens,
            b',"image_tokens":%d' % usage.output_image_tokens if usage.output_image_tokens else b"",
        )
    )


def _extra_details(usage: Usage) -> bytes:
    extra = b""
    if usage.cache_write_tokens or usage.cache_write_1h_tokens:
        extra += b',"cache_write_tokens":%d' % (usage.cache_write_tokens + usage.cache_write_1h_tokens)
    if usage.cache_write_1h_tokens:
        extra += b',"cache_write_1h_tokens":%d' % usage.cache_write_1h_tokens
    if usage.input_image_tokens:
        extra += b',"image_tokens":%d' % usage.input_image_tokens
    return extra
