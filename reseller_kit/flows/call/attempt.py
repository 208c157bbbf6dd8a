"""Asks a call's routes in order until one begins to answer. Charges nothing."""

from __future__ import annotations

import logging
import random
import time
from typing import Final

from ...core import routing
from ...core.catalog import Route
from ...core.errors import KitError, UpstreamFailed
from ...upstream.faults import TransportFailed
from ...upstream.response import Response
from ...wire import openai_chat, upstream_message
from ..runtime import Runtime
from .job import Job

_log = logging.getLogger(__name__)
_ERROR_BODY_BYTES: Final = 64 * 1024
_NEWER_LIMIT_FIELD: Final = "max_completion_tokens"
_COMMON_LIMIT_FIELD: Final = "max_tokens"


class Attempts:
    """Answers of a job's routes, one after the other, for as long as the reader asks for another one."""

    def __init__(self, runtime: Runtime, job: Job, call: openai_chat.ChatCall) -> None:
        self._runtime, self._job, self._call = runtime, job, call
        routes = [route for route in job.offered.routes if route.upstream in runtime.snapshot.upstreams]
        self._left = routing.ordered(routes, random.random)[: routing.MAX_ATTEMPTS]

    async def next(self) -> Response | None:
        """The next answer with a good status; None when the choice is exhausted.

        Raises UpstreamRejected when an upstream refuses the request itself.
        """
        while self._left:
            route = self._job.route = self._left.pop(0)
            try:
                response = await _open(self._runtime, self._job, self._call, route)
            except UpstreamFailed as error:
                note_failure(self._job, error)
                continue
            if response.status < 300:
                return response
            await _refused(self._runtime, self._job, response, route)
        return None


def note_failure(job: Job, error: UpstreamFailed) -> None:
    """Log a failed attempt for the operator."""
    upstream = job.route.upstream if job.route is not None else "none"
    _log.warning("%s: attempt %d at upstream %s failed: %s", job.request_id, job.attempts, upstream, error.reason)


async def _open(runtime: Runtime, job: Job, call: openai_chat.ChatCall, route: Route) -> Response:
    upstream = runtime.upstream(route.upstream)
    provider = runtime.snapshot.upstreams[route.upstream].provider
    body = openai_chat.encode_upstream(
        call,
        model=route.upstream_model,
        output_limit=_limit_to_send(job, call),
        limit_field=_NEWER_LIMIT_FIELD if provider == "openai" else _COMMON_LIMIT_FIELD,
    )
    job.attempts += 1
    try:
        return await upstream.open("/chat/completions", body, stream=call.stream, request_id=job.request_id)
    except TransportFailed as error:
        if not error.stale:
            raise
        # The kept-alive connection had been closed meanwhile: the upstream never saw the request.
        return await upstream.open("/chat/completions", body, stream=call.stream, request_id=job.request_id)


def _limit_to_send(job: Job, call: openai_chat.ChatCall) -> int | None:
    """The limit of the hold, where the caller's own does not already say it or a lower one."""
    if call.output_limit is None:
        return job.output_limit if job.lowered else None
    return job.output_limit


async def _refused(runtime: Runtime, job: Job, response: Response, route: Route) -> None:
    """Raise for a request that is itself at fault; return when another route may be asked."""
    try:
        body = await response.read(_ERROR_BODY_BYTES)
    except UpstreamFailed:
        body = b""
    finally:
        response.abort()
    if not routing.is_rejection(response.status):
        note_failure(job, UpstreamFailed(f"status {response.status}", upstream_status=response.status))
        return
    rejection: KitError = upstream_message.rejection(
        response.status,
        body,
        upstream_model=route.upstream_model,
        public_model=job.offered.name,
        hide=runtime.snapshot.hidden_words,
    )
    raise rejection


def first_byte(job: Job) -> None:
    """Note the time of the first content, once."""
    if job.first_byte_ns is None:
        job.first_byte_ns = time.monotonic_ns()
