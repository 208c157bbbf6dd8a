"""Checkpoints of a running stream: what it delivered is noted within a second. Settles nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec.structs import replace

from ...core.usage import Usage, figures_in, with_output
from ...db.ledger import Checkpoint
from ...tokens import GrowingCount, tokenizer_of
from ...wire.codec import Call
from ...wire.completion import Tap
from ..runtime import Runtime
from .estimate import input_used
from .job import CheckpointFacts, Job, encode_json
from .settle import believed

_NOTE_SECONDS: Final = 0.8
"""With the commit that it joins, a checkpoint is durable within a second of what it speaks of."""


class Pulse:
    """Notes what a stream delivered, each time at most `_NOTE_SECONDS` after the first token not noted yet."""

    def __init__(self, runtime: Runtime, job: Job, call: Call, tap: Tap) -> None:
        self._runtime, self._job, self._call, self._tap = runtime, job, call, tap
        self._timer: asyncio.TimerHandle | None = None
        self._input: Usage | None = None
        self._output = GrowingCount(job.served.model)

    def beat(self) -> None:
        """Something was delivered. A stream that falls silent behind it is noted all the same."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_NOTE_SECONDS, self._note)

    def stop(self) -> None:
        """The stream is over: its settle says the rest."""
        if self._timer is not None:
            self._timer.cancel()

    def _note(self) -> None:
        self._timer = None
        job, route = self._job, self._job.route
        if route is None or not self._tap.started:
            return
        usage, _ = believed(job, self._so_far())
        facts = CheckpointFacts(
            upstream=route.upstream,
            upstream_model=route.upstream_model,
            cost_version=route.cost.id,
            usage=usage,
            attempts=job.attempts,
            first_byte_ms=job.first_byte_ms() or 0,
            delivered_characters=self._tap.delivered_chars,
            tokenizer=tokenizer_of(job.served.model),
            fallback=job.fallback_facts,
        )
        checkpoint = Checkpoint(job.caller.request_id, job.caller.storefront.tenant_id, encode_json(facts).decode())
        future = self._runtime.ledger.submit(checkpoint)
        # A checkpoint that fails is made good by the next one, or by the settle.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _so_far(self) -> Usage:
        """What was reported so far, with at least the output that was delivered; else all by our own count."""
        output_tokens = self._output.of(self._tap.estimate_text())
        reported = figures_in(self._tap.usage)
        if reported is not None:
            return with_output(reported, output_tokens)
        if self._input is None:
            self._input = input_used(self._call, self._job.served.model, self._tap.opening)
        return replace(self._input, output_tokens=output_tokens)
