"""A generated answer from hold to settle, plain and streamed, in any API. Sends through a sink, knows no ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from typing import Final, cast

from msgspec import Struct

from ...core.errors import KitError, ModelNotFound, ServiceUnavailable, UpstreamFailed
from ...core.usage import ONE_REQUEST
from ...db.ledger import LostLease
from ...upstream.response import Response
from ...wire.codec import Api, Call, check_priced
from ...wire.completion import Answer, Tap
from ...wire.opening import opening_of
from ..runtime import Runtime
from .admit import admit, prepared_for
from .attempt import Attempts, Reached
from .conversations import Conversation, conversation_of
from .endings import left_ending, plain_ending, stream_ending
from .job import Caller, Job, Wanted
from .keepalive import Keepalive
from .pulse import Pulse
from .settle import settle, settle_failed, settle_left
from .sink import Sink
from .standby import Standby

_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_MAX_HELD_BYTES: Final = 1024 * 1024
_MAX_HELD_PIECES: Final = 4_096
"""Of a stream before its content: events of the start and pings, which come for as long as a model thinks silently."""
_CALLED: Final[dict[Api, str]] = {
    "chat": "chat completions",
    "responses": "responses",
    "messages": "messages",
    "generate_content": "generateContent",
}


class PlainResult(Struct, frozen=True):
    """A plain answer to send, and the call it belongs to."""

    body: bytes
    job: Job


class _Stream(Struct, eq=False):
    """A held streaming call with where it goes. `opened`: whether the client has the events that it opens with."""

    job: Job
    call: Call
    sink: Sink
    keepalive: Keepalive
    opened: bool = False


async def answer(runtime: Runtime, caller: Caller, call: Call, standby: Standby) -> PlainResult:
    """A plain answer, settled. Raises a KitError when there is none; what was held is then released.

    While `standby` may cancel the task, that ends the request upstream. Where the client left, its input is charged.
    """
    job = await _admit(runtime, caller, call)
    try:
        standby.held()
        found = await _ask_plain(runtime, job, call)
        standby.answered()
        usage = await settle(runtime, job, plain_ending(job, call, found))
    except asyncio.CancelledError as error:
        await settle_left(runtime, job, partial(left_ending, job, call), error)
        raise
    except BaseException as error:
        await settle_failed(runtime, job, error)
        raise
    return PlainResult(found.body(usage), job)


async def stream(runtime: Runtime, caller: Caller, call: Call, sink: Sink) -> Job:
    """A streamed answer, settled before its last byte is sent.

    Raises a KitError only before the sink was started; later faults end the stream in-band.
    """
    job = await _admit(runtime, caller, call)
    keepalive = Keepalive(sink, job, call)
    stream = _Stream(job, call, sink, keepalive)
    tap: Tap | None = None
    try:
        attempts = Attempts(runtime, job, call)
        while (reached := await _next_while_wanted(attempts, sink)) is not None:
            response, tap = reached.response, reached.open_tap()
            sink.on_gone(response.abort)
            try:
                held = await _until_started(stream, reached, tap)
                if held is not None:
                    await _relay(runtime, stream, reached, tap, held)
                    return job
            finally:
                reached.attempt.close()
                # After the terminal event the connection may be kept, even if its last bytes are still on the way.
                response.leave() if tap.done and not sink.gone() else response.abort()
        if sink.gone():
            job.caller.note.left = True
            raise UpstreamFailed("the client left")
        raise attempts.exhausted()
    except BaseException as error:
        keepalive.stop()
        if not job.settled:
            await _settle_cut(runtime, job, call, tap, error)
        if isinstance(error, Exception):
            await keepalive.fail(_told(error), tap if stream.opened or (tap is not None and tap.started) else None)
        raise
    finally:
        keepalive.stop()


def _admit(runtime: Runtime, caller: Caller, call: Call) -> Awaitable[Job]:
    """The call's job, once it is held. Raises what `admit` does, and ModelNotFound or InvalidRequest."""
    prepared = prepared_for(runtime, caller, call.model)
    if not prepared.generates:
        raise ModelNotFound(f"The model {call.model!r} is not offered for {_CALLED[call.api]}.")
    check_priced(call, prepared.offered.retail.price_list.prices)
    return admit(runtime, caller, prepared, _wanted(call, conversation_of(caller, call) if prepared.choice else None))


def _wanted(call: Call, found: Conversation | None = None) -> Wanted:
    return Wanted(
        stream=call.stream,
        choices=call.n + call.summaries,
        input_bound=call.input_bound,
        output_limit=call.output_limit,
        inputs=call.inputs,
        units={**ONE_REQUEST, "tool_call": call.tool_calls} if call.tool_calls else {},
        conversation=None if found is None else found.shared,
        named=found is not None and found.named,
        remember=None if found is None else found.own,
    )


async def _ask_plain(runtime: Runtime, job: Job, call: Call) -> Answer:
    attempts = Attempts(runtime, job, call)
    while (reached := await attempts.next()) is not None:
        attempt = reached.attempt
        try:
            found = reached.read_answer(await reached.response.read(_MAX_ANSWER_BYTES))
        except UpstreamFailed as error:
            if error.rejection is not None:
                raise error.rejection from None
            attempt.failed(error)
        else:
            attempt.content()
            attempt.succeeded()
            return found
        finally:
            attempt.close()
            reached.response.abort()
    raise attempts.exhausted()


async def _next_while_wanted(attempts: Attempts, sink: Sink) -> Reached | None:
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


async def _until_started(stream: _Stream, reached: Reached, tap: Tap) -> bytes | None:
    """What is still to be sent once content has begun or the stream has ended well; None when it failed before that.

    What comes before content is held back, so that another route can still answer, but no more than a bound of it. Only
    the opening events are given at once: they are the same whoever answers, and another route's are left out then.
    """
    held: list[bytes] = []
    size, pieces, opened_before, attempt = 0, 0, stream.opened, reached.attempt
    try:
        while True:
            data = await reached.response.chunk()
            held.append(tap.feed(data) if data else tap.end())
            size += len(data)
            pieces += 1
            if tap.started or tap.done:
                break
            if size > _MAX_HELD_BYTES or pieces > _MAX_HELD_PIECES:
                raise UpstreamFailed("no content within the bound of what is held back")
            if tap.error is not None:
                raise tap.error.rejection or tap.error
            if not data:
                if tap.whole:
                    break
                raise UpstreamFailed("the stream ended before content")
            if not opened_before and len(held) < 2:  # behind what is held nothing opens any more
                held = await _open(stream, tap, held)
    except UpstreamFailed as error:
        if not stream.sink.gone():
            attempt.failed(error)
        return None
    attempt.content()
    rest = b"".join(held)
    return rest[len(opening_of(stream.call.api, rest)) :] if opened_before else rest


async def _open(stream: _Stream, tap: Tap, held: list[bytes]) -> list[bytes]:
    """Send the opening events, or more of them, if they have come; what is held besides."""
    whole = b"".join(held)
    opening = opening_of(stream.call.api, whole)
    if sent := opening or (b"" if stream.opened else tap.open()):
        stream.opened = True
        await _send(stream, sent)
    return [rest] if (rest := whole[len(opening) :]) else []


async def _send(stream: _Stream, data: bytes, *, last: bool = False) -> None:
    if not stream.sink.started:
        await stream.sink.start(stream.job)
    if data or last:
        stream.keepalive.sent()
        await stream.sink.send(data, last=last)


async def _relay(runtime: Runtime, stream: _Stream, reached: Reached, tap: Tap, begun: bytes) -> None:
    """Hand on the stream that has `begun`, and settle it. What came with its end waits for that and leaves with it."""
    job, call, sink = stream.job, stream.call, stream.sink
    rest = begun if _is_over(tap) else await _pass_on_noted(runtime, stream, reached, tap, begun)
    stream.keepalive.stop()
    whole = tap.whole
    if whole:
        reached.attempt.succeeded()
    elif not sink.unwanted() and job.epoch == runtime.ledger.epoch:
        reached.attempt.failed(tap.error or UpstreamFailed("the stream ended early"))
    try:
        usage = await settle(runtime, job, stream_ending(job, call, tap, "ok" if whole else "cut"))
        end = tap.finish(usage) if whole else tap.fail(_why(tap))
    except LostLease as error:
        end = tap.fail(error)
    await _send(stream, rest + end, last=True)


async def _pass_on_noted(runtime: Runtime, stream: _Stream, reached: Reached, tap: Tap, begun: bytes) -> bytes:
    """As `_pass_on`, while what was delivered is noted and a fault is told of; never raises UpstreamFailed."""
    pulse = Pulse(runtime, stream.job, stream.call, tap)
    try:
        await _send(stream, begun)
        return await _pass_on(runtime, stream, reached.response, tap, pulse)
    except UpstreamFailed as error:
        if not stream.sink.unwanted():
            reached.attempt.failed(error)
        return b""
    finally:
        pulse.stop()


async def _pass_on(runtime: Runtime, stream: _Stream, response: Response, tap: Tap, pulse: Pulse) -> bytes:
    """Hand on what comes until its end; what came with that is not sent but returned. Raises UpstreamFailed."""
    job, sink = stream.job, stream.sink
    rest = b""

    def hand_on() -> bool:
        """What came, in the same moment and without waking the task; whether nothing is left to do but to wait."""
        nonlocal rest
        if not sink.ready() or runtime.heartbeat.doubtful() or job.epoch != runtime.ledger.epoch:
            return False
        out = tap.feed(response.pop())
        if _is_over(tap):
            rest = out
            return False
        if out:
            stream.keepalive.sent()
            sink.write(out)
        pulse.beat()
        return True

    while not (_is_over(tap) or sink.gone()):
        pulse.beat()
        await response.wait(hand_on)
        if _is_over(tap):
            break
        data = await response.chunk()
        if not await _is_ours(runtime, job):
            break
        ended = not data
        out = tap.end() if ended else tap.feed(data)
        del data  # while the client takes its time, one copy of this is enough
        if ended or _is_over(tap):
            return out
        if out:
            stream.keepalive.sent()
            await sink.send(out)
    return rest


async def _is_ours(runtime: Runtime, job: Job) -> bool:
    """Whether more may be given: while this process stood still its hold may have become another's."""
    if runtime.heartbeat.doubtful():
        await runtime.heartbeat.confirmed()
    return job.epoch == runtime.ledger.epoch


def _is_over(tap: Tap) -> bool:
    return tap.done or tap.error is not None


def _why(tap: Tap) -> KitError:
    """What the caller gets to know of a stream that broke off."""
    return (tap.error and tap.error.rejection) or UpstreamFailed("cut")


def _told(error: Exception) -> KitError:
    """What the caller gets to know of a fault, foreseen or not."""
    return error if isinstance(error, KitError) else ServiceUnavailable("Something went wrong here. Please try again.")


async def _settle_cut(runtime: Runtime, job: Job, call: Call, tap: Tap | None, error: BaseException) -> None:
    """End a stream that was left or broke off: what had come is charged, nothing if there was none."""
    if tap is not None and tap.started:
        with suppress(LostLease):
            await asyncio.shield(settle(runtime, job, stream_ending(job, call, tap, "cut")))
    else:
        await settle_failed(runtime, job, error)


def _do_nothing() -> None:
    pass
