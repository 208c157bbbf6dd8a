"""Words for how a request to an upstream failed, for metrics, circuits and logs. Judges nothing."""

from __future__ import annotations

from typing import Final

from ...core.errors import UpstreamFailed
from ...upstream.faults import Busy, TransportFailed
from ...wire import upstream_message

_NAMED_STATUSES: Final = frozenset({400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529})


def kind_of(error: UpstreamFailed) -> str:
    """A word of a bounded set for metrics and for circuits' reasons."""
    if isinstance(error, Busy):
        return "busy"
    if isinstance(error, TransportFailed):
        return error.kind
    status = error.upstream_status
    if status is None:
        return "cut"
    if status < 300:  # a good status with a bad answer
        return "bad_answer"
    return f"status_{status}" if status in _NAMED_STATUSES else "status_other"


def told_by(status: int, body: bytes) -> str:
    """What an upstream said with a bad status, for logs and circuits."""
    told = upstream_message.describe_body(body)
    return f"status {status}: {told}" if told else f"status {status}"
