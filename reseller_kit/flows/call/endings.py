"""What a generated call comes to when it ends: what its upstream reported, else an estimate. Charges nothing."""

from __future__ import annotations

from msgspec.structs import replace

from ...core.usage import UNSOUND, Usage, figures_in, with_output
from ...tokens import count_text, tokenizer_of
from ...wire.codec import Call
from ...wire.completion import Answer, Tap
from .estimate import input_used
from .job import Job
from .settle import LEFT, Ending


def plain_ending(job: Job, call: Call, found: Answer) -> Ending:
    """Of a plain answer that came."""
    reported = figures_in(found.usage)
    if reported is not None:
        return Ending(status="ok", http_status=200, usage=reported)
    if not found.delivered:
        return Ending(status="ok", http_status=200, estimated=True)
    return _in_doubt(_estimated(job, call, found.estimate_text(), "ok"), found.usage)


def stream_ending(job: Job, call: Call, tap: Tap, status: str) -> Ending:
    """Of a stream, whole or not."""
    reported = figures_in(tap.usage)
    if reported is not None and tap.whole:
        return Ending(status=status, http_status=200, usage=reported)
    if reported is not None:
        return _cut(job, reported, tap.estimate_text(), status)
    if not tap.started:
        return Ending(status=status, http_status=200, estimated=True)
    return _in_doubt(_estimated(job, call, tap.estimate_text(), status, tap.opening), tap.usage)


def left_ending(job: Job, call: Call) -> Ending:
    """Of a plain call whose client left while its upstream was at work: its input, since nothing was delivered."""
    return replace(_estimated(job, call, "", "cut"), http_status=LEFT)


def _in_doubt(ending: Ending, reported: Usage | None) -> Ending:
    """An estimate in place of a report without a figure to go by is flagged like a report that was cut."""
    if reported != UNSOUND or ending.usage is None:
        return ending
    return replace(ending, usage=replace(ending.usage, irregular=True))


def _cut(job: Job, reported: Usage, text: str, status: str) -> Ending:
    """Some upstreams report as they go: the input at first, the output at last. What was delivered is charged."""
    usage = with_output(reported, count_text(job.served.model, text))
    if usage == reported:
        return Ending(status=status, http_status=200, usage=reported)
    return _counted(job, usage, text, status)


def _estimated(job: Job, call: Call, text: str, status: str, opening: Usage | None = None) -> Ending:
    """Without a report of the whole: the input plus the tokens of what was delivered."""
    model = job.served.model
    usage = replace(input_used(call, model, opening), output_tokens=count_text(model, text))
    return _counted(job, usage, text, status)


def _counted(job: Job, usage: Usage, text: str, status: str) -> Ending:
    """Figures of our own, with what they were counted from."""
    return Ending(
        status=status,
        http_status=200,
        usage=usage,
        estimated=True,
        delivered_characters=len(text),
        tokenizer=tokenizer_of(job.served.model),
    )
