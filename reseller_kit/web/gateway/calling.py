"""The handlers of what is charged: decodes a request, hands it to a flow, sends the answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from ...core.errors import KitError
from ...db.authentication import KeyAccount
from ...flows import call as calls
from ...flows import responses
from ...flows.responses import Turn
from ...flows.runtime import Runtime
from ...wire import openai_responses
from ...wire.codec import Call
from ...wire.codec import Headers as CallHeaders
from ...wire.openai_responses.kept import response_in
from ...wire.task import Task, TaskApi
from ...wire.tasks import DECODERS, decode_transcription
from ..responses import JSON, WRITER_KEY, respond
from .form import read_form
from .plain import PlainCall
from .request import Handler, Request, call_headers, send_json
from .stream import StreamSink

_log = logging.getLogger(__name__)
_RESPONSES_COUNTER: Final = calls.Counter(
    path=lambda _call, _sending: openai_responses.COUNT_PATH,
    encode=openai_responses.encode_count,
    read=openai_responses.read_count,
)


def _as_it_is(body: bytes) -> bytes:
    return body


def _keep(runtime: Runtime, turn: Turn, end: bytes) -> None:
    turn.end(runtime, response_in(end))


class Calling:
    """Handlers that serve calls of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def generating(self, decode: Callable[[bytes, CallHeaders], Call]) -> Handler:
        """The handler of a path that generates; `decode` reads its body."""

        async def handle(request: Request, account: KeyAccount) -> int:
            call = decode(await request.body(), request.headers)
            return await self.generate(request, account, call)

        return handle

    def counting(
        self, decode: Callable[[bytes, CallHeaders], Call], counter: calls.Counter, write: Callable[[int], bytes]
    ) -> Handler:
        """The handler of a path that counts the input of what `decode` reads; `write` makes the answer's body."""

        async def handle(request: Request, account: KeyAccount) -> int:
            call = decode(await request.body(), request.headers)
            return await send_json(request, write(await self._count(request, request.caller(account), call, counter)))

        return handle

    async def respond(self, request: Request, account: KeyAccount) -> int:
        """A request of Responses, which may go on from an earlier one and be gone on from."""
        call = openai_responses.decode(await request.body(), request.headers)
        turn = await responses.begin(self._runtime, request.caller(account), call)
        return await self.generate(request, account, turn.call, turn=turn)

    async def count_response(self, request: Request, account: KeyAccount) -> int:
        """The tokens that such a request would read."""
        call = openai_responses.decode_count(await request.body(), request.headers)
        caller = request.caller(account)
        turn = await responses.begin(self._runtime, caller, call)
        tokens = await self._count(request, caller, turn.call, _RESPONSES_COUNTER)
        return await send_json(request, openai_responses.count_body(tokens))

    def tasks(self) -> dict[TaskApi, Handler]:
        """The handlers of the tasks with a body of JSON, by their `TaskApi`."""
        return {api: self._performing(decode) for api, decode in DECODERS.items()}

    async def transcribe(self, request: Request, account: KeyAccount) -> int:
        """The one task whose body is a form."""
        task = decode_transcription(read_form(await request.body(), request.headers))
        return await self.perform(request, account, task)

    def generate(
        self,
        request: Request,
        account: KeyAccount,
        call: Call,
        *,
        sink: type[StreamSink] = StreamSink,
        rewrite: Callable[[bytes], bytes] = _as_it_is,
        turn: Turn | None = None,
    ) -> Awaitable[int]:
        """Answer a decoded call, plain or streamed.

        `sink` frames its events, `rewrite` a plain answer's body; `turn` keeps the answer.
        """
        caller = request.caller(account)
        if not call.stream:
            return self._answer(request, caller, call, rewrite, turn)
        made = sink(request.receive, request.send, call_headers, request.scope.get(WRITER_KEY))
        if turn is not None:
            made.on_end = partial(_keep, self._runtime, turn)
        return self._stream(request, caller, call, made)

    async def _answer(
        self, request: Request, caller: calls.Caller, call: Call, rewrite: Callable[[bytes], bytes], turn: Turn | None
    ) -> int:
        with self._standing_by(request) as standby:
            result = await calls.answer(self._runtime, caller, call, standby)
        if turn is not None:
            turn.end(self._runtime, result.body)
        headers, body, writer = [JSON, *call_headers(result.job)], rewrite(result.body), request.writer
        if writer is None or not writer.answer(200, headers, body):
            await respond(request.send, 200, headers, body)
        return 200

    async def perform(self, request: Request, account: KeyAccount, task: Task) -> int:
        """Answer a decoded task."""
        caller = request.caller(account)
        with self._standing_by(request) as standby:
            result = await calls.perform(self._runtime, caller, task, standby)
        headers = [(b"content-type", result.content_type.encode()), *call_headers(result.job)]
        await respond(request.send, 200, headers, result.body, writer=request.writer)
        return 200

    def _performing(self, decode: Callable[[bytes], Task]) -> Handler:
        async def handle(request: Request, account: KeyAccount) -> int:
            task = decode(await request.body())
            return await self.perform(request, account, task)

        return handle

    async def _count(self, request: Request, caller: calls.Caller, call: Call, counter: calls.Counter | None) -> int:
        with self._standing_by(request) as standby:
            return await calls.count(self._runtime, caller, call, counter, standby)

    def _standing_by(self, request: Request) -> PlainCall:
        """A plain answer, ended early when its client leaves or the process must end."""
        return PlainCall(request.receive, request.note, self._runtime.answering)

    async def _stream(self, request: Request, caller: calls.Caller, call: Call, sink: StreamSink) -> int:
        self._runtime.answering.add(sink)
        self._runtime.open_streams += 1
        try:
            await calls.stream(self._runtime, caller, call, sink)
        # What the caller needs to know was sent in-band, once the stream had begun.
        except KitError as error:
            if not sink.started:
                raise
            _log.warning("%s: failed after the stream had begun: %s", request.id, error)
        except Exception:
            if not sink.started:
                raise
            _log.exception("%s: failed after the stream had begun", request.id)
        finally:
            self._runtime.open_streams -= 1
            self._runtime.answering.discard(sink)
            sink.close()
        return 200
