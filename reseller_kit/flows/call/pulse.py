"""Checkpoints of a running stream: what it delivered is noted within a second. Settles nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from ...core.usage import Usage
from ...db.ledger import Checkpoint
from ...tokens import GrowingCount, count_text, tokenizer_of
from ...wire.codec import Call
from ...wire.codecs import CODECS
from ...wire.completion import Tap
from ..runtime import Runtime
from .job import CheckpointFacts, Job, encode_json
from .settle import believed

_NOTE_SECONDS: Final = 0.8
"""With the commit that it joins, a checkpoint is durable within a second of what it speaks of."""


class Pulse:
    """Notes what a stream delivered, each time at most `_NOTE_SECONDS` after the first token not noted yet."""

    def __init__(self, runtime: Runtime, job: Job, call: Call, tap: Tap) -> None:
        self._runtime, self._job, self._call, self._tap = runtime, job, call, tap
        self._timer: asyncio.TimerHandle | None = None
        self._input_tokens: int | None = None
        self._output = GrowingCount(job.offered.model)

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
        usage, _ = believed(job, self._tap.usage or self._estimate())
        facts = CheckpointFacts(
            upstream=route.upstream,
            upstream_model=route.upstream_model,
            cost_version=route.cost.id,
            usage=usage,
            attempts=job.attempts,
            first_byte_ms=job.first_byte_ms() or 0,
            delivered_characters=self._tap.delivered_chars,
            tokenizer=tokenizer_of(job.offered.model),
        )
        checkpoint = Checkpoint(job.request_id, job.storefront.tenant_id, encode_json(facts).decode())
        future = self._runtime.ledger.submit(checkpoint)
        # A checkpoint that fails is made good by the next one, or by the settle.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _estimate(self) -> Usage:
        """Tokens so far by our own count."""
        model = self._job.offered.model
        if self._input_tokens is None:
            self._input_tokens = CODECS[self._call.api].estimate_input(self._call, lambda text: count_text(model, text))
        return Usage(input_tokens=self._input_tokens, output_tokens=self._output.of(self._tap.estimate_text()))
