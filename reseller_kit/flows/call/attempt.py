"""Answers of a call's routes, one after the other, each in the API that its upstream is asked in. Charges nothing."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from ...core.catalog import OfferedModel
from ...core.errors import InvalidRequest, KitError, UpstreamFailed
from ...core.usage import ONE_REQUEST
from ...upstream.response import Response
from ...wire.codec import Call, Codec, Reply, Sending
from ...wire.codecs import CODECS
from ...wire.completion import Answer, Tap
from ...wire.conversation import Conversation
from ...wire.pseudonyms import apart, named, says_who
from ...wire.stops import check_stops, cut_completion
from ...wire.translated import TranslatedAnswer, TranslatedTap
from ..end_users import pseudonym_of
from ..prepared import NEEDED, Candidate
from ..runtime import Runtime
from .candidates import Suits, candidates, is_at_home
from .job import Job
from .routes import Attempt, Routes
from .serving import api_for, maker_of


class Written(Struct, frozen=True):
    """A request as it goes to an upstream, and what is to be made of the answer.

    `stops`: where the answer is cut, what of the caller's stop sequences the upstream was not told.
    """

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    codec: Codec
    reply: Reply
    stops: tuple[str, ...]


class Reached(Struct, frozen=True):
    """An upstream that began to answer with a good status, and the API that it was asked in."""

    attempt: Attempt
    response: Response
    call: Call
    written: Written

    def open_tap(self) -> Tap:
        """The tap for its stream."""
        call, codec, reply = self.call, self.written.codec, self.written.reply
        if codec.api == call.api:
            return codec.open_tap(call, reply)
        writer = CODECS[call.api].event_writer(call, reply)
        return TranslatedTap(codec.event_reader(reply), writer, call.api, self.written.stops)

    def read_answer(self, body: bytes) -> Answer:
        """Its plain answer. Raises UpstreamFailed for what is none."""
        call, codec, reply = self.call, self.written.codec, self.written.reply
        if codec.api == call.api:
            return codec.read_answer(call, body, reply)
        completion = cut_completion(codec.read_completion(body, reply), self.written.stops)
        return TranslatedAnswer(completion=completion, codec=CODECS[call.api], call=call, reply=reply)


class Attempts:
    """Answers of a job's routes, one after the other, for as long as the reader asks for another one.

    Raises InvalidRequest for members of the call that can't be kept apart by customer.
    """

    def __init__(self, runtime: Runtime, job: Job, call: Call) -> None:
        self._job, self._call = job, call
        self._pepper = runtime.vault.pepper
        self._sent = apart(call, self._pseudonym()) if says_who(call) else call
        self._routes = Routes(runtime, job, candidates_of(runtime, job, call))
        self._conversation: Conversation | None = None
        self._refusal: InvalidRequest | None = None

    async def next(self) -> Reached | None:
        """The next answer with a good status; None when the choice is exhausted.

        Raises UpstreamRejected when an upstream refuses the request itself, and InvalidRequest when what it asks for
        can't be carried to any of the routes.
        """
        routes = self._routes
        while (attempt := await routes.take()) is not None:
            try:
                written = self._write(attempt)
                response = await routes.open(attempt, written.path, written.body, written.headers)
            except UpstreamFailed:
                continue
            except InvalidRequest as error:
                self._refusal = error
                routes.skip(attempt)
                continue
            if response.status < 300:
                return Reached(attempt, response, self._call, written)
            await routes.refused(attempt, response)
        if self._refusal is not None and not self._job.attempts:
            raise self._refusal
        return None

    def exhausted(self) -> KitError:
        """Why there is no answer."""
        return self._routes.exhausted()

    def _write(self, attempt: Attempt) -> Written:
        """The request of an attempt. Raises InvalidRequest for what can't be said in the API that it goes to."""
        job, call, config = self._job, self._call, attempt.candidate.config
        codec = CODECS[api_for(call.api, config) or call.api]
        native = codec.api == call.api
        sending = Sending(
            model=attempt.candidate.route.upstream_model,
            provider=config.provider,
            maker=maker_of(config),
            output_limit=_limit_to_send(job, call, room := job.sent_limit),
            room=room,
        )
        who = self._pseudonym() if config.settings.get("end_user_ids") else None
        stops: tuple[str, ...] = ()
        if native:
            body = self._passed_on(codec, sending, who)
        else:
            body, stops = self._translated(codec, sending, who)
        reply = Reply(
            model=job.shown, request_id=job.caller.request_id, maker=sending.maker, likely_input=job.expected[0]
        )
        return Written(codec.path(self._sent, sending), body, call.headers if native else (), codec, reply, stops)

    def _pseudonym(self) -> str:
        """What upstreams hear of the customer."""
        return pseudonym_of(self._pepper, self._job.caller.storefront.tenant_id, self._job.caller.account.customer_id)

    def _passed_on(self, codec: Codec, sending: Sending, who: str | None) -> bytes:
        """The request in its own API; `who`: the customer's pseudonym where the upstream is to hear it."""
        self._job.left_out = codec.left_out(self._call)
        return codec.encode(self._sent if who is None else named(self._sent, who, sending.provider), sending)

    def _translated(self, codec: Codec, sending: Sending, who: str | None) -> tuple[bytes, tuple[str, ...]]:
        """The request in another API, by way of the intermediate form, and the stop sequences that it leaves to us.

        Raises InvalidRequest for what can't be said.
        """
        if self._conversation is None:
            self._conversation = CODECS[self._call.api].to_conversation(self._sent)
        conversation = self._conversation
        if who is not None and not conversation.user:
            conversation = replace(conversation, user=who)
        stops = codec.cut_here(conversation, sending)
        check_stops(stops)
        body = codec.from_conversation(conversation, sending)
        left_out = (*self._conversation.left_out, *codec.not_carried(self._conversation, sending))
        self._job.left_out = tuple(dict.fromkeys(left_out))
        return body, stops


def candidates_of(runtime: Runtime, job: Job, call: Call) -> Iterator[Candidate]:
    """The routes that may serve the call, and nothing of it that they would hold in a circle."""
    first, upstreams = job.first, runtime.snapshot.upstreams
    if first is None or job.units is not ONE_REQUEST or upstreams.get(first.route.upstream) is not first.config:
        return candidates(runtime, job, _suits(call))
    if first.only:
        return iter((first,))
    if is_at_home(runtime, job, first.endpoint):
        return _behind(first, runtime, job, call)
    return candidates(runtime, job, _suits(call))


def _behind(first: Candidate, runtime: Runtime, job: Job, call: Call) -> Iterator[Candidate]:
    """The first one, and all others, which are not looked at before they are asked for."""
    yield first
    for candidate in candidates(runtime, job, _suits(call)):
        if candidate.route is not first.route:
            yield candidate


def _suits(call: Call) -> Suits:
    return Suits(lambda config: api_for(call.api, config) is not None, lambda model: _has_prices(model, call))


def _has_prices(model: OfferedModel, call: Call) -> bool:
    """Whether a model that could be fallen back to has a price for all that the call may come to."""
    prices = model.retail.price_list.prices
    return all(name in prices for name in (*NEEDED, *call.needs))


def _limit_to_send(job: Job, call: Call, most: int) -> int | None:
    """The limit of the hold, where the caller's own does not already say it or a lower one.

    A fallback is always told: what it writes where nothing is said may be more than was held for.
    """
    if call.output_limit is None and job.served is job.offered:
        return job.output_limit if job.lowered else None
    return most
