"""What is fuzzed: all that reads bytes of callers and of upstreams. A target raises only for a fault of ours.

An input is a byte that chooses the target and the bytes that it reads. Of callers' requests nothing but InvalidRequest
may come, of upstreams' answers nothing but UpstreamFailed, and what is written in turn has to be JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.web.gateway.form import read_form
from reseller_kit.wire import anthropic_messages, gemini, openai_chat, openai_responses
from reseller_kit.wire.codec import Api, Call, Reply, Sending
from reseller_kit.wire.codecs import CODECS
from reseller_kit.wire.completion import Tap
from reseller_kit.wire.pseudonyms import apart
from reseller_kit.wire.stops import cut_completion
from reseller_kit.wire.task import Task, TaskApi, check_offered, units_of
from reseller_kit.wire.tasks import DECODERS, decode_transcription
from reseller_kit.wire.translated import TranslatedAnswer, TranslatedTap

MODEL: Final = "public-model"
_SENDING: Final = Sending(model="upstream-model", provider="openai", maker="maker", output_limit=2_000, room=2_000)
_REPLY: Final = Reply(model=MODEL, request_id="req_0123456789", maker="maker")
_CHARGED: Final = Usage(input_tokens=7, output_tokens=5)
_STOPS: Final = ("e", "\n\n", " a")
_HEADERS: Final = ((b"content-type", b"application/json"),)
_SMALL: Final[dict[Api, bytes]] = {
    "chat": b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}',
    "messages": b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}',
    "responses": b'{"model":"m","input":"hi","stream":true}',
    "generate_content": b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}',
}
DECODERS_OF_CALLS: Final[dict[Api, Callable[[bytes], Call]]] = {
    "chat": openai_chat.decode,
    "messages": anthropic_messages.decode,
    "responses": openai_responses.decode,
    "generate_content": partial(gemini.decode, model="m", stream=True),
}
_COUNT_DECODERS: Final[tuple[Callable[[bytes], Call], ...]] = (
    anthropic_messages.decode_count,
    openai_responses.decode_count,
    partial(gemini.decode_count, model="m"),
)
TASKS: Final[dict[TaskApi, bytes]] = {
    "embeddings": b'{"model":"m","input":["a b","c"]}',
    "images": b'{"model":"m","prompt":"a b","n":2}',
    "speech": b'{"model":"m","input":"a b","voice":"alloy"}',
    "moderations": b'{"model":"m","input":"a b"}',
    "rerank": b'{"model":"m","query":"a","documents":["b","c"],"top_n":1}',
}
BOUNDARY: Final = "edge"
FORM: Final = (
    b"".join(
        b'--edge\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % part
        for part in (
            (b"model", b"", b"m"),
            (b"file", b'; filename="a.wav"', b"RIFF"),
            (b"response_format", b"", b"json"),
        )
    )
    + b"--edge--\r\n"
)
_PRICES: Final = (
    {"input": 1, "output": 1},
    {"input": 1, "output": 1, "output_image": 1, "input_image": 1},
    {"request": 1, "images": 1, "characters": 1, "seconds": 1},
)
_TASKS: Final = {api: DECODERS[api](body) for api, body in TASKS.items()}
_CALLS: Final = {api: decode(_SMALL[api]) for api, decode in DECODERS_OF_CALLS.items()}


def request(api: Api, data: bytes) -> None:
    """A request, passed on and translated for every other API."""
    try:
        call = DECODERS_OF_CALLS[api](data)
    except InvalidRequest:
        return
    codec = CODECS[api]
    codec.counted(call)
    with suppress(InvalidRequest):
        sent = apart(call, "customer")
        codec.left_out(call)
        _json(codec.encode(sent, _SENDING))
        conversation = codec.to_conversation(sent)
        for other in CODECS.values():
            with suppress(InvalidRequest):
                _json(other.from_conversation(conversation, _SENDING))
                other.not_carried(conversation, _SENDING)


def counting(number: int, data: bytes) -> None:
    """A request that wants its input counted."""
    with suppress(InvalidRequest):
        call = _COUNT_DECODERS[number](data)
        CODECS[call.api].counted(call)


def task(api: TaskApi, data: bytes) -> None:
    """A request that is no conversation, and what our own count says of it."""
    with suppress(InvalidRequest):
        _look_at(DECODERS[api](data))


def embedding(data: bytes) -> None:
    """Gemini's embeddings, one and many."""
    for decode in (gemini.decode_one, gemini.decode_batch):
        with suppress(InvalidRequest):
            _look_at(decode(data, model="m"))


def transcription(data: bytes) -> None:
    """A form with a file."""
    with suppress(InvalidRequest):
        fields = read_form(data, ((b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode()),))
        _look_at(decode_transcription(fields))


def _look_at(found: Task) -> None:
    found.encode("upstream-model")
    for prices in _PRICES:
        with suppress(InvalidRequest):
            check_offered(found, prices)
            units_of(found, prices)
            found.estimate(prices, len)
    if found.gemini is not None:
        _json(found.gemini.encode("upstream-model"))


def task_answer(api: TaskApi, data: bytes) -> None:
    """An answer to a task, from an upstream of its own API and from one of Gemini's."""
    asked = _TASKS[api]
    for prices in _PRICES:
        with suppress(UpstreamFailed):
            found = asked.read(data, "audio/mpeg" if api == "speech" else "application/json", prices, "req_0123456789")
            found.body(found.usage or _CHARGED)
        if asked.gemini is not None:
            with suppress(UpstreamFailed):
                asked.gemini.restore(data)


def answer(api: Api, data: bytes) -> None:
    """A plain answer, passed on and translated for every other API."""
    codec = CODECS[api]
    with suppress(UpstreamFailed):
        found = codec.read_answer(_CALLS[api], data, _REPLY)
        found.estimate_text()
        _json(found.body(found.usage or _CHARGED))
    with suppress(UpstreamFailed):
        completion = codec.read_completion(data, _REPLY)
        for call in _CALLS.values():
            completion = cut_completion(completion, _STOPS) if len(data) % 2 else completion
            made = TranslatedAnswer(completion=completion, codec=CODECS[call.api], call=call, reply=_REPLY)
            made.estimate_text()
            _json(made.body(made.usage or _CHARGED))


def stream(api: Api, data: bytes) -> None:
    """A stream in pieces that the bytes decide: passed on, and translated for every other API, also cut at stops."""
    codec = CODECS[api]
    _drain(codec.open_tap(_CALLS[api], _REPLY), data)
    for call in _CALLS.values():
        for stops in ((), _STOPS):
            writer = CODECS[call.api].event_writer(call, _REPLY)
            _drain(TranslatedTap(codec.event_reader(_REPLY), writer, call.api, stops), data)


def _drain(tap: Tap, data: bytes) -> None:
    size = 1 + 37 * len(data) % 500
    try:
        for start in range(0, len(data), size):
            tap.feed(data[start : start + size])
            if tap.done or tap.error is not None:
                break
        else:
            tap.end()
    except UpstreamFailed as error:
        tap.fail(error)
        return
    tap.estimate_text()
    if tap.whole:
        tap.finish(tap.usage or _CHARGED)
    else:
        tap.fail(UpstreamFailed("cut"))


def _json(written: bytes) -> None:
    msgspec.json.decode(written)


TARGETS: Final[tuple[Callable[[bytes], None], ...]] = (
    *(partial(request, api) for api in CODECS),
    *(partial(answer, api) for api in CODECS),
    *(partial(stream, api) for api in CODECS),
    *(partial(counting, number) for number in range(len(_COUNT_DECODERS))),
    *(partial(task, api) for api in DECODERS),
    *(partial(task_answer, api) for api in DECODERS),
    embedding,
    transcription,
)
"""By their number."""


def run(data: bytes) -> None:
    """One input. Raises whatever a target should not have let out."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])
