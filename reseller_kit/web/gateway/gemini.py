"""The handlers of Gemini's paths, which name the model and what to do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

from ...db.authentication import KeyAccount
from ...flows.call import Counter
from ...wire import gemini
from ...wire.codec import Call
from ...wire.codec import Headers as CallHeaders
from .calling import Calling
from .json_array import JsonArraySink
from .paths import gemini_target
from .request import Handler, Request
from .stream import StreamSink

_COUNTER: Final = Counter(path=gemini.count_path, encode=gemini.encode_count, read=gemini.read_count)
_GENERATING: Final = {"generateContent": False, "streamGenerateContent": True}


def handler(calling: Calling) -> Handler:
    """The handler of a POST to `…/models/MODEL:VERB`."""

    async def handle(request: Request, account: KeyAccount) -> int:
        model, verb = gemini_target(request.path)
        if verb in _GENERATING:
            return await _generate(calling, request, account, model, stream=_GENERATING[verb])
        if verb == "countTokens":
            return await calling.counting(_count_of(model), _COUNTER, gemini.count_body)(request, account)
        decode = gemini.decode_batch if verb == "batchEmbedContents" else gemini.decode_one
        task = decode(await request.body(), model=model)
        return await calling.perform(request, account, task)

    return handle


async def _generate(calling: Calling, request: Request, account: KeyAccount, model: str, *, stream: bool) -> int:
    body = await request.body()
    call = gemini.decode(body, request.headers, model=model, stream=stream)
    sink = StreamSink if _wants_events(request.scope["query_string"]) else JsonArraySink
    return await calling.generate(request, account, call, sink=sink)


def _count_of(model: str) -> Callable[[bytes, CallHeaders], Call]:
    return lambda body, headers: gemini.decode_count(body, headers, model=model)


def _wants_events(query: bytes) -> bool:
    try:
        return "sse" in parse_qs(query.decode("latin-1"), max_num_fields=20).get("alt", ())
    except ValueError:
        return False
