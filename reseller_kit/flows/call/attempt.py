"""Asks a call's routes in order until one begins to answer. Charges nothing."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from ...core import routing
from ...core.catalog import Route
from ...core.errors import InvalidRequest, KitError, UpstreamFailed
from ...core.storefront import UpstreamConfig
from ...upstream.base import Upstream
from ...upstream.faults import Busy, TransportFailed
from ...upstream.response import Response
from ...wire import upstream_message
from ...wire.codec import Call, Codec, Reply, Sending
from ...wire.codecs import CODECS
from ...wire.completion import Answer, Tap
from ...wire.conversation import Conversation
from ...wire.pseudonyms import apart
from ...wire.translated import TranslatedAnswer, TranslatedTap
from ..runtime import Runtime
from .job import Job
from .passage import passage_for
from .serving import api_for, maker_of

_log = logging.getLogger(__name__)
_ERROR_BODY_BYTES: Final = 64 * 1024


class Reached(Struct, frozen=True, kw_only=True):
    """An upstream that began to answer with a good status, and the API that it was asked in."""

    response: Response
    call: Call
    codec: Codec
    reply: Reply

    def open_tap(self) -> Tap:
        """The tap for its stream."""
        if self.codec.api == self.call.api:
            return self.codec.open_tap(self.call, self.reply)
        writer = CODECS[self.call.api].event_writer(self.call, self.reply)
        return TranslatedTap(self.codec.event_reader(self.reply), writer, self.call.api)

    def read_answer(self, body: bytes) -> Answer:
        """Its plain answer. Raises UpstreamFailed for what is none."""
        if self.codec.api == self.call.api:
            return self.codec.read_answer(self.call, body, self.reply)
        completion = self.codec.read_completion(body, self.reply)
        return TranslatedAnswer(completion=completion, codec=CODECS[self.call.api], call=self.call, reply=self.reply)


class Routes:
    """The routes of a job that are still to be asked, in order. `suits`: whether an upstream can serve the call."""

    def __init__(self, runtime: Runtime, job: Job, suits: Callable[[UpstreamConfig], bool]) -> None:
        self._runtime, self._job = runtime, job
        upstreams = runtime.snapshot.upstreams
        found = [
            route
            for route in job.offered.routes
            if route.upstream in upstreams and suits(upstreams[route.upstream]) and _prices_units(route, job)
        ]
        self.left = routing.ordered(found, random.random)[: routing.MAX_ATTEMPTS]

    def take(self) -> Route | None:
        """The next one, which is the job's from now on; None when the choice is exhausted."""
        if not self.left:
            return None
        route = self._job.route = self.left.pop(0)
        return route

    def config(self, route: Route) -> UpstreamConfig:
        """The route's upstream."""
        return self._runtime.snapshot.upstreams[route.upstream]

    async def open(self, route: Route, path: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> Response:
        """Ask the route's upstream. Raises UpstreamFailed."""
        job, upstream = self._job, self._runtime.upstream(route.upstream)
        job.attempts += 1
        try:
            try:
                return await self._open(upstream, route, path, body, headers)
            except TransportFailed as error:
                if not error.stale:
                    raise
                # The kept-alive connection had been closed meanwhile: the upstream never saw the request.
                return await self._open(upstream, route, path, body, headers)
        except Busy as error:
            job.busy = error
            raise

    async def _open(
        self, upstream: Upstream, route: Route, path: str, body: bytes, headers: Sequence[tuple[str, str]]
    ) -> Response:
        job = self._job
        passage = passage_for(self._runtime, job, route, self.config(route))
        return await upstream.open(
            path, body, stream=job.stream, request_id=job.request_id, headers=headers, passage=passage
        )

    async def refused(self, response: Response, route: Route) -> None:
        """Raise for a request that is itself at fault; return when another route may be asked."""
        try:
            body = await response.read(_ERROR_BODY_BYTES)
        except UpstreamFailed:
            body = b""
        finally:
            response.abort()
        if not routing.is_rejection(response.status) or upstream_message.blames_the_account(body):
            note_failure(self._job, UpstreamFailed(f"status {response.status}", upstream_status=response.status))
            return
        rejection: KitError = upstream_message.rejection(
            response.status,
            body,
            upstream_model=route.upstream_model,
            public_model=self._job.offered.name,
            hide=self._runtime.snapshot.hidden_words,
        )
        raise rejection


class Attempts:
    """Answers of a job's routes, one after the other, for as long as the reader asks for another one.

    Raises InvalidRequest for members of the call that can't be kept apart by customer.
    """

    def __init__(self, runtime: Runtime, job: Job, call: Call) -> None:
        self._job, self._call = job, call
        self._sent = apart(call, job.account.customer_id)
        self._routes = Routes(runtime, job, lambda config: api_for(call.api, config) is not None)
        self._conversation: Conversation | None = None
        self._refusal: InvalidRequest | None = None

    async def next(self) -> Reached | None:
        """The next answer with a good status; None when the choice is exhausted.

        Raises UpstreamRejected when an upstream refuses the request itself, and InvalidRequest when what it asks for
        can't be carried to any of the routes.
        """
        while (route := self._routes.take()) is not None:
            try:
                reached = await self._ask(route, self._routes.config(route))
            except UpstreamFailed as error:
                note_failure(self._job, error)
                continue
            except InvalidRequest as error:
                self._refusal = error
                continue
            if reached.response.status < 300:
                return reached
            await self._routes.refused(reached.response, route)
        if self._refusal is not None and not self._job.attempts:
            raise self._refusal
        return None

    async def _ask(self, route: Route, config: UpstreamConfig) -> Reached:
        job, call = self._job, self._call
        codec = CODECS[api_for(call.api, config) or call.api]
        native = codec.api == call.api
        sending = Sending(
            model=route.upstream_model,
            provider=config.provider,
            maker=maker_of(config),
            output_limit=_limit_to_send(job, call),
            room=job.output_limit,
        )
        body = self._passed_on(codec, sending) if native else self._translated(codec, sending)
        reply = Reply(model=job.offered.name, request_id=job.request_id, maker=sending.maker)
        response = await self._routes.open(route, codec.path(self._sent, sending), body, call.headers if native else ())
        return Reached(response=response, call=call, codec=codec, reply=reply)

    def _passed_on(self, codec: Codec, sending: Sending) -> bytes:
        """The request in its own API."""
        self._job.left_out = codec.left_out(self._call)
        return codec.encode(self._sent, sending)

    def _translated(self, codec: Codec, sending: Sending) -> bytes:
        """The request in another API, by way of the intermediate form. Raises InvalidRequest for what can't be said."""
        if self._conversation is None:
            self._conversation = CODECS[self._call.api].to_conversation(self._sent)
        body = codec.from_conversation(self._conversation, sending)
        left_out = (*self._conversation.left_out, *codec.not_carried(self._conversation, sending))
        self._job.left_out = tuple(dict.fromkeys(left_out))
        return body


def _prices_units(route: Route, job: Job) -> bool:
    """Whether it is known what the route charges for the units that the call may come to."""
    prices = route.cost.price_list.prices
    return all(name in prices for name in job.units if name != "request")


def note_failure(job: Job, error: UpstreamFailed) -> None:
    """Log a failed attempt for the operator."""
    upstream = job.route.upstream if job.route is not None else "none"
    _log.warning("%s: attempt %d at upstream %s failed: %s", job.request_id, job.attempts, upstream, error.reason)


def _limit_to_send(job: Job, call: Call) -> int | None:
    """The limit of the hold, where the caller's own does not already say it or a lower one."""
    if call.output_limit is None:
        return job.output_limit if job.lowered else None
    return job.output_limit


def first_byte(job: Job) -> None:
    """Note the time of the first content, once."""
    if job.first_byte_ns is None:
        job.first_byte_ns = time.monotonic_ns()
