"""Asks a call's candidates one after the other and tells their circuits how it went. Reads no answer.

At most three requests a call, over its fallbacks as well, and retries of all calls together stay within the budget.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Iterator, Sequence
from typing import Final

from ...core import routing
from ...core.errors import KitError, UpstreamFailed
from ...core.routing import Fault, Permit
from ...core.verdict import Verdict
from ...upstream.base import Upstream
from ...upstream.credentials import NoKeyFree, Ticket
from ...upstream.faults import Busy, TransportFailed
from ...upstream.response import Refusal, Response
from ...wire import upstream_message
from ..prepared import Candidate
from ..runtime import Runtime
from .job import Job
from .kinds import kind_of, told_by
from .passage import no_room, passage_for

_log = logging.getLogger(__name__)
_SERVERS_OWN: Final = 500
_PAUSE_SECONDS: Final = (0.05, 0.25)
"""Before the same endpoint is asked again: the bounds between which the pause is drawn."""
_NOT_AGAIN: Final = frozenset({"timeout", "malformed", "too_large", "busy", "aborted"})
"""Kinds of faults after which the same endpoint is not asked again: it takes too long, or says the same."""
_OWN_KINDS: Final = frozenset({"busy", "aborted"})
_LEAST_WAIT_SECONDS: Final = 1


class Attempt:
    """One request to a candidate. Its circuit hears one word of how it went; `close` says that there was none."""

    fault: Fault | None = None
    sent = b""
    """The body of its request."""
    ticket: Ticket | None = None
    """The key that a good answer came over, to learn of an error inside it."""
    again = False
    """Whether its fault may pass, so that it makes sense to ask the same endpoint again."""
    _first_byte_ms: int | None = None
    _told = False

    def __init__(
        self, runtime: Runtime, job: Job, candidate: Candidate, client: Upstream, permit: Permit | None
    ) -> None:
        self.candidate, self.client = candidate, client
        self._runtime, self._job, self._permit = runtime, job, permit
        self._began_ns = time.monotonic_ns()
        self._step = job.caller.note.step.child(
            "upstream", upstream=candidate.route.upstream, model=candidate.route.upstream_model
        )

    def content(self) -> None:
        """The first content came: the call stays here."""
        if self._first_byte_ms is not None:
            return
        now = time.monotonic_ns()
        self._first_byte_ms = (now - self._began_ns) // 1_000_000
        if self._job.first_byte_ns is None:
            self._job.first_byte_ns = now
        if self._job.wanted.remember is not None:
            self._note_conversation(self._job.wanted.remember)
        if self._permit is not None and self._permit.probe:
            # A stream may go on for minutes, and everyone waits for what its probe tells.
            self._runtime.endpoints.succeed(self.candidate.endpoint, self._permit)

    def succeeded(self) -> None:
        """The answer is whole."""
        if self._tell("ok"):
            endpoints = self._runtime.endpoints
            if self._permit is not None:
                endpoints.succeed(self.candidate.endpoint, self._permit)
            if self._first_byte_ms is not None:
                stream = self._job.wanted.stream
                endpoints.speeds.note_first_byte(self.candidate.endpoint, self._first_byte_ms, stream=stream)

    def failed(self, error: UpstreamFailed, fault: Fault = "endpoint") -> None:
        """It brought no answer, or not the whole of one."""
        self._job.in_flight = False
        kind = kind_of(error)
        if not self._tell(kind):
            return
        if kind in _OWN_KINDS:
            fault = "neutral"
        elif error.verdict.blame in {"key", "cooldown"}:
            fault = "key" if error.verdict.blame == "key" else "cooldown"
        if self.ticket is not None:
            self.ticket.learn(error.verdict)
        self.fault = fault
        self.again = fault in {"endpoint", "neutral"} and kind not in _NOT_AGAIN and self._first_byte_ms is None
        route, reason = self.candidate.route, error.reason
        if self.ticket is not None:
            # A refusal is without the key already; an error inside an answer that began well is not.
            reason = self.ticket.credential.without_secret(reason)
        level = logging.ERROR if fault in {"misconfigured", "key"} else logging.WARNING
        _log.log(
            level,
            "%s: attempt %d at upstream %s, model %s, failed (%s, %s): %s",
            *(self._job.caller.request_id, self._job.attempts, route.upstream, route.upstream_model, fault, kind),
            reason,
        )
        if self._permit is not None:
            if routing.is_switched(fault):
                self._runtime.endpoints.fail(self.candidate.endpoint, self._permit, f"{kind}: {reason}")
            else:
                self._runtime.endpoints.release(self.candidate.endpoint, self._permit)

    def close(self, outcome: str | None = "left") -> None:
        """Nothing more will be told. Frees the place of a probe that nothing was told of. None: it was never made."""
        if not self._told and self._tell(outcome) and self._permit is not None:
            self._runtime.endpoints.release(self.candidate.endpoint, self._permit)

    def _tell(self, outcome: str | None) -> bool:
        if self._told:
            return False
        self._told = True
        self._step.end(outcome or "not made")
        if outcome is not None:
            note, upstream = self._job.caller.note, self.candidate.route.upstream
            note.upstream, note.attempts = upstream, self._job.attempts
            self._runtime.metrics.attempts.labels(upstream, outcome).value += 1
        return True

    def _note_conversation(self, conversation: int) -> None:
        runtime, endpoint = self._runtime, self.candidate.endpoint
        known = runtime.endpoints.affinity.note(conversation, endpoint, time.monotonic())
        if self._job.wanted.conversation is None:
            known = None
        runtime.metrics.count_conversation("new" if known is None else "same" if known == endpoint else "moved")


class Routes:
    """The candidates of a job that are still to be asked."""

    def __init__(self, runtime: Runtime, job: Job, more: Iterator[Candidate]) -> None:
        self._runtime, self._job, self._more = runtime, job, more
        self._seen: list[Candidate] = []
        """Those that were looked at so far."""
        self._left: list[Candidate] = []
        """And of them, those that were not asked."""
        self._last: Attempt | None = None
        self._repeated = self._counted = False

    @property
    def none(self) -> bool:
        """Whether nothing could serve the job at all."""
        return not self._seen and next(self._unasked(), None) is None

    async def take(self) -> Attempt | None:
        """The next one, whose model and route are the job's from now on; None when the choice is exhausted."""
        job, now = self._job, time.monotonic()
        if job.attempts >= routing.MAX_ATTEMPTS or (job.attempts and job.caller.note.left):
            return None
        attempt = self._with_another_key(now) if self._last is not None else None
        if attempt is None:
            attempt = self._first_healthy(now) or await self._probing() or await self._again()
        if attempt is None:
            return None
        if job.attempts and not self._runtime.endpoints.budget.retry(now):
            self._runtime.metrics.retries_denied.inc()
            attempt.close(None)
            return None
        if not self._counted:
            self._counted = True
            self._runtime.endpoints.budget.call(now)
        self._last = attempt
        job.route, job.served = attempt.candidate.route, attempt.candidate.offered
        return attempt

    def skip(self, attempt: Attempt) -> None:
        """The attempt can't be made: it can't carry the call."""
        attempt.close(None)
        self._last = None

    async def open(self, attempt: Attempt, path: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> Response:
        """Make the attempt. Raises UpstreamFailed, which the attempt knows of then."""
        attempt.sent = body
        try:
            try:
                response = await self._send(attempt, path, body, headers)
            except TransportFailed as error:
                if not self._is_worth_repeating(error):
                    raise
                attempt.client = self._runtime.upstream(attempt.candidate.route.upstream)
                response = await self._send(attempt, path, body, headers)
        except UpstreamFailed as error:
            if isinstance(error, NoKeyFree | Busy):
                # Somebody took the last one meanwhile, or all slots are taken: nothing was sent.
                self._job.attempts -= 1
            if isinstance(error, Busy):
                self._job.busy = error
            attempt.failed(error)
            raise
        except BaseException:
            attempt.close()
            raise
        if response.refusal is None:
            self._job.ticket = attempt.ticket = response.ticket
        return response

    async def refused(self, attempt: Attempt, response: Response) -> None:
        """Raise for a request that is itself at fault; return when another route may be asked."""
        response.abort()
        route = attempt.candidate.route
        refusal = response.refusal or Refusal(b"", Verdict(blame="endpoint", reason=""))
        fault = self._fault(response.status, refusal, route.upstream_model)
        if fault == "request" and attempt.candidate.offered is not self._job.offered:
            # The model that was asked for might have taken it: to its caller that one is down, no more.
            fault = "neutral"
        if fault != "request":
            failure = UpstreamFailed(
                told_by(response.status, refusal.body), upstream_status=response.status, verdict=refusal.verdict
            )
            attempt.failed(failure, fault)
            return
        attempt.close("rejected")
        rejection: KitError = upstream_message.rejection(
            response.status,
            refusal.body,
            upstream_model=route.upstream_model,
            public_model=self._job.offered.name,
            hide=self._runtime.snapshot.hidden_words,
            sent=attempt.sent,
        )
        raise rejection

    def exhausted(self) -> KitError:
        """Why the call can't be served, with the time to come back where an upstream had no room or none was asked."""
        if self._job.busy is not None:
            return no_room(self._job.busy)
        if self._job.attempts:
            return UpstreamFailed("every route failed")
        now = time.monotonic()
        waits = [
            max(client.soonest(), self._runtime.endpoints.seconds_left(each.endpoint, now))
            for each in (*self._seen, *self._more)
            if (client := self._client(each)) is not None
        ]
        error = UpstreamFailed("no route is healthy")
        error.retry_after_seconds = max(_LEAST_WAIT_SECONDS, math.ceil(min(waits, default=0)))
        return error

    @staticmethod
    def _fault(status: int, refusal: Refusal, upstream_model: str) -> Fault:
        blame = refusal.verdict.blame
        if blame in {"key", "cooldown"} or status >= _SERVERS_OWN:
            return blame
        if upstream_message.blames_the_route(status, refusal.body, upstream_model):
            return "misconfigured"
        return blame

    def _send(
        self, attempt: Attempt, path: str, body: bytes, headers: Sequence[tuple[str, str]]
    ) -> Awaitable[Response]:
        job, candidate = self._job, attempt.candidate
        passage = passage_for(self._runtime, job, candidate.route, candidate.config)
        job.attempts += 1
        job.in_flight = False
        return attempt.client.open(
            path,
            body,
            stream=job.wanted.stream,
            request_id=job.caller.request_id,
            headers=headers,
            affinity=job.wanted.conversation,
            passage=passage,
        )

    def _is_worth_repeating(self, error: TransportFailed) -> bool:
        """Whether the kept-alive connection had been closed meanwhile: most likely the upstream never saw the request.

        An upstream that takes requests and closes looks alike, so this one counts as well.
        """
        if not error.stale or self._job.attempts >= self._most_here():
            return False
        return self._runtime.endpoints.budget.retry(time.monotonic())

    def _unasked(self) -> Iterator[Candidate]:
        """Those that are left, each looked at for the first time when its turn comes."""
        yield from tuple(self._left)
        for candidate in self._more:
            self._seen.append(candidate)
            self._left.append(candidate)
            yield candidate

    def _with_another_key(self, now: float) -> Attempt | None:
        """The same endpoint, where only the key was at fault and there is another; the last attempt is for others."""
        last = self._last
        if last is None or last.fault not in {"key", "cooldown"} or len(last.candidate.config.api_keys) < 2:
            return None
        return None if self._job.attempts >= self._most_here() else self._enter(last.candidate, now)

    def _most_here(self) -> int:
        """Requests up to which the present endpoint may be asked; the last one is for others."""
        return routing.MAX_ATTEMPTS - self._has_other(time.monotonic())

    def _has_other(self, now: float) -> bool:
        endpoints = self._runtime.endpoints
        return any(not each.breaks or endpoints.admission(each.endpoint, now) == "yes" for each in self._unasked())

    def _first_healthy(self, now: float) -> Attempt | None:
        """The next candidate that may be asked."""
        for candidate in tuple(self._left):
            attempt = self._look_at(candidate, now)
            if attempt is not None:
                self._left.remove(candidate)
                return attempt
        for candidate in self._more:
            self._seen.append(candidate)
            attempt = self._look_at(candidate, now)
            if attempt is not None:
                return attempt
            self._left.append(candidate)
        return None

    def _look_at(self, candidate: Candidate, now: float) -> Attempt | None:
        """The attempt, if it may be asked. If it is due for a probe, that is asked for beside the call."""
        attempt, endpoints = self._enter(candidate, now), self._runtime.endpoints
        if attempt is None and candidate.breaks and endpoints.admission(candidate.endpoint, now) == "claim":
            endpoints.claim_soon(candidate.endpoint)
        return attempt

    async def _probing(self) -> Attempt | None:
        """Where none is healthy, one that is due for a probe, if that is ours."""
        endpoints, now = self._runtime.endpoints, time.monotonic()
        for candidate in self._left:
            if candidate.breaks and endpoints.admission(candidate.endpoint, now) == "claim":
                # Nothing else could answer, so the call waits for the few milliseconds that a claim takes.
                await endpoints.claim(candidate.endpoint)
                return self._first_healthy(time.monotonic())
        return None

    async def _again(self) -> Attempt | None:
        """The endpoint that failed last, after a pause, once: its fault may have passed."""
        last = self._last
        if last is None or not last.again or self._repeated:
            return None
        self._repeated = True
        await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311  # it spreads retries, no more
        return self._enter(last.candidate, time.monotonic())

    def _enter(self, candidate: Candidate, now: float) -> Attempt | None:
        client = self._client(candidate)
        if client is None or not client.usable():
            return None
        if not candidate.breaks:
            return Attempt(self._runtime, self._job, candidate, client, None)
        permit = self._runtime.endpoints.enter(candidate.endpoint, now)
        return None if permit is None else Attempt(self._runtime, self._job, candidate, client, permit)

    def _client(self, candidate: Candidate) -> Upstream | None:
        """The upstream's client; None where its configuration can't make one, which is no affair of the caller's."""
        try:
            return self._runtime.upstream(candidate.route.upstream)
        except KitError as error:
            _log.error("upstream %s can't be asked: %s", candidate.route.upstream, error.message)
            return None
