"""Usage reports in Gemini's shape, read into `Usage` and written back. Prices nothing.

Source: Gemini API reference, "GenerateContentResponse" (UsageMetadata): the prompt includes cached content, tool-use
prompts come on top of it, candidates exclude thoughts, and the total is the sum of these four.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Raw

from ..core.usage import UNSOUND, Usage
from .usage_report import UsageReport, members_of

_COUNTS: Final = (
    "promptTokenCount",
    "candidatesTokenCount",
    "responseTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "totalTokenCount",
)


def read_usage(report: bytes | Raw) -> Usage | None:
    """What an upstream says was used, each token in exactly one class; None if this is no usable report.

    In a stream each chunk tells the whole so far, so the last report that is not None counts. Video, documents and
    unknown modalities are plain input. Unsound figures are replaced and mark the result `irregular`; `UNSOUND` where
    none is left. Raises nothing.
    """
    members = members_of(report)
    if members is None or not any(members.get(name) is not None for name in _COUNTS):
        return None
    usage = _interpret(UsageReport(members))
    if usage.total_input_tokens + usage.total_output_tokens:
        return usage
    return UNSOUND if usage.irregular else None


def usage_object(usage: Usage) -> dict[str, Any]:
    """`usage` as `usageMetadata`, so that the caller sees what is charged.

    Cache writes, which that shape has no place for, are part of the prompt and named only where there are any.
    """
    thoughts = usage.reasoning_tokens
    given, made = usage.total_input_tokens, usage.total_output_tokens
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    found = {
        "promptTokenCount": given,
        "candidatesTokenCount": made - thoughts,
        "totalTokenCount": given + made,
        "cachedContentTokenCount": usage.cached_input_tokens,
        "thoughtsTokenCount": thoughts,
        "cacheWriteTokenCount": written,
        "cacheWrite1hTokenCount": usage.cache_write_1h_tokens,
        "promptTokensDetails": _details(given, usage.input_audio_tokens, usage.input_image_tokens),
        "cacheTokensDetails": _details(usage.cached_input_tokens, 0, 0),
        "candidatesTokensDetails": _details(made - thoughts, usage.output_audio_tokens, usage.output_image_tokens),
    }
    always = {"promptTokenCount", "candidatesTokenCount", "totalTokenCount"}
    return {name: value for name, value in found.items() if value or name in always}


def _interpret(report: UsageReport) -> Usage:
    prompt = report.figure("promptTokenCount")
    tools = report.figure("toolUsePromptTokenCount")
    thoughts = report.figure("thoughtsTokenCount")
    candidates = report.figure("candidatesTokenCount", "responseTokenCount")
    total = report.figure("totalTokenCount")
    if thoughts and total == prompt + tools + candidates and candidates >= thoughts:
        candidates -= thoughts
    surplus = max(0, total - prompt - tools - candidates - thoughts)
    if report.has("candidatesTokenCount", "responseTokenCount"):
        # What a total holds beyond its parts are tool-use prompts that were not named.
        tools += surplus
    else:
        candidates += surplus
    return _split(report, prompt, tools, candidates, thoughts)


def _split(report: UsageReport, prompt: int, tools: int, candidates: int, thoughts: int) -> Usage:
    cached = report.at_most(report.figure("cachedContentTokenCount"), prompt)
    written = report.at_most(report.figure("cacheWriteTokenCount"), prompt - cached)
    written_1h = report.at_most(report.figure("cacheWrite1hTokenCount"), written)
    rest = prompt - cached - written
    # Without a word on what was cached, plain tokens are taken for it first.
    audio_in = min(_modality(report, "promptTokensDetails", "AUDIO", less="cacheTokensDetails"), rest)
    image_in = min(_modality(report, "promptTokensDetails", "IMAGE", less="cacheTokensDetails"), rest - audio_in)
    audio_tools = report.at_most(_modality(report, "toolUsePromptTokensDetails", "AUDIO"), tools)
    image_tools = report.at_most(_modality(report, "toolUsePromptTokensDetails", "IMAGE"), tools - audio_tools)
    audio_out = report.at_most(_output_modality(report, "AUDIO"), candidates)
    image_out = report.at_most(_output_modality(report, "IMAGE"), candidates - audio_out)
    return Usage(
        input_tokens=rest - audio_in - image_in + tools - audio_tools - image_tools,
        cached_input_tokens=cached,
        cache_write_tokens=written - written_1h,
        cache_write_1h_tokens=written_1h,
        output_tokens=candidates - audio_out - image_out + thoughts,
        input_audio_tokens=audio_in + audio_tools,
        output_audio_tokens=audio_out,
        input_image_tokens=image_in + image_tools,
        output_image_tokens=image_out,
        reasoning_tokens=thoughts,
        irregular=report.irregular,
    )


def _output_modality(report: UsageReport, modality: str) -> int:
    return _modality(report, "candidatesTokensDetails", modality) or _modality(
        report, "responseTokensDetails", modality
    )


def _modality(report: UsageReport, name: str, modality: str, *, less: str = "") -> int:
    """Tokens of one modality in a list of details, less those that another list names."""
    found = 0
    for details, sign in ((report.members.get(name), 1), (report.members.get(less), -1)):
        for entry in details if isinstance(details, list) else ():
            if isinstance(entry, dict) and str(entry.get("modality")).upper() == modality:
                found += sign * report.figure_in(entry, "tokenCount")
    return max(0, found)


def _details(total: int, audio: int, image: int) -> list[dict[str, Any]]:
    figures = {"TEXT": total - audio - image, "AUDIO": audio, "IMAGE": image}
    return [{"modality": name, "tokenCount": figure} for name, figure in figures.items() if figure]
