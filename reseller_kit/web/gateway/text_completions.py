"""The handler of `/v1/completions`: a chat call whose answer is written in the shape of the API before chat."""

from __future__ import annotations

from ...db.authentication import KeyAccount
from ...wire import text_completions
from .calling import Calling
from .request import Handler, Request
from .stream import StreamSink


class TextSink(StreamSink):
    """Takes whole events of a chat stream."""

    def framed(self, data: bytes, *, last: bool = False) -> bytes:  # noqa: ARG002  # the last ones are like all
        """As events of that API."""
        return text_completions.stream_events(data)


def handler(calling: Calling) -> Handler:
    """The handler of a POST to `/v1/completions`."""

    async def handle(request: Request, account: KeyAccount) -> int:
        call = text_completions.decode(await request.body(), request.headers)
        return await calling.generate(request, account, call, sink=TextSink, rewrite=text_completions.answer_body)

    return handle
