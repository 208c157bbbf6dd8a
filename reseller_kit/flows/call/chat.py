"""A chat completion from hold to settle, plain and streamed. Sends through a sink, knows no ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol, cast

from msgspec import Struct

from ...core.errors import KitError, UpstreamFailed, UpstreamRejected
from ...core.usage import Usage
from ...db.ledger import LostLease
from ...tokens import count_text, tokenizer_of
from ...upstream.response import Response
from ...wire.openai_answer import Answer, read_answer
from ...wire.openai_chat import ChatCall, check_priced, estimate_input
from ...wire.openai_stream import StreamTap
from ..runtime import Runtime
from .admit import Caller, Wanted, admit, find_model
from .attempt import Attempts, first_byte, note_failure
from .job import Job
from .pulse import Pulse
from .settle import Ending, settle

_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024


class PlainResult(Struct, frozen=True):
    """A plain answer to send, and the call it belongs to."""

    body: bytes
    job: Job


class Sink(Protocol):
    """Where a stream goes: the client's connection."""

    async def start(self, job: Job) -> None:
        """Send status and headers."""

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send bytes; returns when the connection takes more."""

    def on_gone(self, call: Callable[[], object]) -> None:
        """Call this when the client leaves or the call is told to end, at once if so; the latest one counts."""

    def gone(self) -> bool:
        """Whether the client has left."""

    def unwanted(self) -> bool:
        """Whether no answer is to be begun: the client has left, or the call was told to end."""


async def answer_chat(
    runtime: Runtime, caller: Caller, call: ChatCall, *, on_answer: Callable[[], None]
) -> PlainResult:
    """A plain completion, settled. Raises a KitError when there is none; what was held is then released.

    Until `on_answer` is called the task may be cancelled, which releases the hold; behind it the answer is paid for.
    """
    job = await _admit(runtime, caller, call)
    try:
        answer = await _ask_plain(runtime, job, call)
        on_answer()
        usage = await settle(runtime, job, _plain_ending(job, call, answer))
    except BaseException as error:
        await _settle_failed(runtime, job, error)
        raise
    return PlainResult(answer.body(usage), job)


async def stream_chat(runtime: Runtime, caller: Caller, call: ChatCall, sink: Sink) -> Job:
    """A streamed completion, settled before its last byte is sent.

    Raises a KitError only before the sink was started; later faults end the stream in-band.
    """
    job = await _admit(runtime, caller, call)
    tap: StreamTap | None = None
    try:
        attempts = Attempts(runtime, job, call)
        while (response := await _next_while_wanted(attempts, sink)) is not None:
            tap = StreamTap(model=job.offered.name, response_id=_response_id(job), include_usage=call.include_usage)
            sink.on_gone(response.abort)
            try:
                held = await _until_started(job, response, tap, sink)
                if held is not None:
                    await _begin(job, sink, held)
                    await _relay(runtime, job, call, response, tap, sink)
                    return job
            finally:
                # After the terminal event the connection may be kept, even if its last bytes are still on the way.
                response.leave() if tap.done and not sink.gone() else response.abort()
        raise UpstreamFailed("the client left" if sink.gone() else "every route failed")
    except BaseException as error:
        if not job.settled:
            await _settle_cut(runtime, job, call, tap, error)
        raise


async def _admit(runtime: Runtime, caller: Caller, call: ChatCall) -> Job:
    offered = find_model(caller.storefront, caller.account, call.model)
    check_priced(call, offered.retail.price_list.prices)
    wanted = Wanted(
        model=call.model,
        stream=call.stream,
        choices=call.n,
        input_bound=call.input_bound,
        output_limit=call.output_limit,
    )
    return await admit(runtime, caller, wanted)


async def _ask_plain(runtime: Runtime, job: Job, call: ChatCall) -> Answer:
    attempts = Attempts(runtime, job, call)
    while (response := await attempts.next()) is not None:
        try:
            body = await response.read(_MAX_ANSWER_BYTES)
            answer = read_answer(body, model=job.offered.name, response_id=_response_id(job))
        except UpstreamFailed as error:
            note_failure(job, error)
        else:
            first_byte(job)
            return answer
        finally:
            response.abort()
    raise UpstreamFailed("every route failed")


async def _next_while_wanted(attempts: Attempts, sink: Sink) -> Response | None:
    """The next route's answer; None when there is none, or when the client leaves, which ends the request upstream."""
    if sink.unwanted():
        return None
    task = cast("asyncio.Task[object]", asyncio.current_task())
    sink.on_gone(task.cancel)
    try:
        return await attempts.next()
    except asyncio.CancelledError:
        if not sink.unwanted() or task.uncancel():
            raise
        return None
    finally:
        sink.on_gone(_do_nothing)


async def _until_started(job: Job, response: Response, tap: StreamTap, sink: Sink) -> bytes | None:
    """What may be sent once content has begun or the stream has ended well; None when it failed before that."""
    held = []
    try:
        while True:
            data = await response.chunk()
            held.append(tap.feed(data) if data else tap.end())
            if tap.started or tap.done:
                break
            if tap.error is not None:
                raise tap.error
            if not data:
                if tap.finished:
                    break
                raise UpstreamFailed("the stream ended before content")
    except UpstreamFailed as error:
        if not sink.gone():
            note_failure(job, error)
        return None
    return b"".join(held)


async def _begin(job: Job, sink: Sink, held: bytes) -> None:
    first_byte(job)
    await sink.start(job)
    if held:
        await sink.send(held)


async def _relay(runtime: Runtime, job: Job, call: ChatCall, response: Response, tap: StreamTap, sink: Sink) -> None:
    pulse = Pulse(runtime, job, call, tap)
    try:
        while not (tap.done or tap.error or sink.gone()):
            pulse.beat()
            data = await response.chunk()
            if runtime.heartbeat.doubtful():
                # While this process stood still its hold may have become another's: give nothing more.
                await runtime.heartbeat.confirmed()
            if job.epoch != runtime.ledger.epoch:
                break
            out = tap.feed(data) if data else tap.end()
            if out:
                await sink.send(out)
            if not data:
                break
    except UpstreamFailed as error:
        if not sink.gone():
            note_failure(job, error)
    finally:
        pulse.stop()
    if tap.error is not None:
        note_failure(job, tap.error)
    whole = _ended_well(call, tap)
    try:
        usage = await settle(runtime, job, _stream_ending(job, call, tap, "ok" if whole else "cut"))
        end = tap.finish(usage) if whole else tap.fail(UpstreamFailed("cut"))
    except LostLease as error:
        end = tap.fail(error)
    await sink.send(end, last=True)


def _ended_well(call: ChatCall, tap: StreamTap) -> bool:
    """Whether the answer is whole: its terminal event came, or the end of every choice."""
    return tap.error is None and (tap.done or tap.finished >= call.n)


def _plain_ending(job: Job, call: ChatCall, answer: Answer) -> Ending:
    if answer.usage is not None:
        return Ending(status="ok", http_status=200, usage=answer.usage)
    if not answer.delivered:
        return Ending(status="ok", http_status=200, estimated=True)
    return _estimated(job, call, answer.estimate_text(), "ok")


def _stream_ending(job: Job, call: ChatCall, tap: StreamTap, status: str) -> Ending:
    if tap.usage is not None:
        return Ending(status=status, http_status=200, usage=tap.usage)
    if not tap.started:
        return Ending(status=status, http_status=200, estimated=True)
    return _estimated(job, call, tap.estimate_text(), status)


def _estimated(job: Job, call: ChatCall, text: str, status: str) -> Ending:
    """Without a report: our count of the input plus the tokens of what was delivered."""
    model = job.offered.model
    usage = Usage(
        input_tokens=estimate_input(call, lambda part: count_text(model, part)), output_tokens=count_text(model, text)
    )
    return Ending(
        status=status,
        http_status=200,
        usage=usage,
        estimated=True,
        delivered_characters=len(text),
        tokenizer=tokenizer_of(model),
    )


async def _settle_failed(runtime: Runtime, job: Job, error: BaseException) -> None:
    """Release a hold whose call brought nothing."""
    if job.settled:
        return
    if isinstance(error, UpstreamRejected):
        ending = Ending(status="refused", http_status=error.http_status)
    else:
        ending = Ending(status="failed", http_status=error.status if isinstance(error, KitError) else 500)
    with suppress(LostLease):
        await asyncio.shield(settle(runtime, job, ending))


async def _settle_cut(runtime: Runtime, job: Job, call: ChatCall, tap: StreamTap | None, error: BaseException) -> None:
    """End a stream that was left or broke off: what had come is charged, nothing if there was none."""
    if tap is not None and tap.started:
        with suppress(LostLease):
            await asyncio.shield(settle(runtime, job, _stream_ending(job, call, tap, "cut")))
    else:
        await _settle_failed(runtime, job, error)


def _do_nothing() -> None:
    pass


def _response_id(job: Job) -> str:
    return "chatcmpl-" + job.request_id.partition("_")[2]
