"""`POST /v1/audio/transcriptions`. Source: OpenAI API reference, "Create transcription".

A plain text is asked for as JSON, which alone says what was used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest, UpstreamFailed
from ...core.usage import Usage
from ..json_body import is_given
from ..media import audio_seconds, stated_seconds
from ..media_usage import counted_by, transcription_usage, transcription_usage_object
from ..task import Prices, Task, TaskAnswer
from .common import read_json
from .multipart import Field, boundary_of, write_form

MAX_FIELDS: Final = 32
_USUAL_BYTES_PER_SECOND: Final = 16_000
"""128 kbit/s. Where nobody says how long a recording is, the doubt is the customer's gain."""
_TOKENS_PER_SECOND: Final = 10
"""Audio tokens; source: OpenAI, "Audio and speech" (a token stands for 100 ms of a user's sound)."""
_MOST_TEXT_PER_SECOND: Final = 20
_FORMATS: Final = frozenset({"json", "text", "srt", "verbose_json", "vtt", "diarized_json"})
_JSON_FORMATS: Final = frozenset({"json", "verbose_json", "diarized_json"})
_TYPES: Final = {"text": "text/plain; charset=utf-8", "srt": "text/plain; charset=utf-8", "vtt": "text/vtt"}
_END: Final = re.compile(r"--> *(?:(\d+):)?(\d\d):(\d\d)[.,](\d{1,3})")
_SAFE_TYPE: Final = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,60}(; ?[a-z]+=[A-Za-z0-9._-]{1,40})?")
_SHOWN: Final = ("text", "language", "duration", "segments", "words", "task", "logprobs")
_encode = msgspec.json.Encoder().encode


class _Text(Struct):
    text: str


_ANSWER: Final = msgspec.json.Decoder(dict[str, Raw])
_TEXT: Final = msgspec.json.Decoder(_Text)


def decode(fields: Sequence[Field]) -> Task:
    """Read a form. Raises InvalidRequest."""
    plain, sound = _split(fields)
    model = plain.get("model", "")
    if not 0 < len(model) <= 200:
        raise InvalidRequest("model: the form needs the name of a model.", param="model")
    if plain.get("stream", "false").lower() not in {"false", "0", ""}:
        raise InvalidRequest("Transcripts are not streamed here.", param="stream")
    wanted = plain.get("response_format") or "json"
    if wanted not in _FORMATS:
        raise InvalidRequest(f"A response format is one of {', '.join(sorted(_FORMATS))}.", param="response_format")
    seconds, bound = stated_seconds(sound.content), audio_seconds(sound.content)
    sent = _sent(fields, "json" if wanted == "text" else wanted)
    boundary = boundary_of(sent)
    return Task(
        api="transcriptions",
        model=model,
        encode=lambda name: write_form([*sent, Field(name="model", content=name.encode())], boundary),
        read=_reader(wanted, seconds),
        estimate=_estimator(seconds or -(-len(sound.content) // _USUAL_BYTES_PER_SECOND)),
        content_type=f"multipart/form-data; boundary={boundary}",
        accept="*/*",
        inputs=max(1, bound),
        input_bound=bound * _TOKENS_PER_SECOND + len(plain.get("prompt", "").encode()),
        output_bound=max(1, bound * _MOST_TEXT_PER_SECOND),
        units={"seconds": bound},
    )


def _split(fields: Sequence[Field]) -> tuple[dict[str, str], Field]:
    """The fields that steer, each once, and the file. Raises InvalidRequest."""
    if len(fields) > MAX_FIELDS:
        raise InvalidRequest(f"A form has at most {MAX_FIELDS} fields here.")
    plain: dict[str, str] = {}
    sound: Field | None = None
    for field in fields:
        if field.name == "file":
            if sound is not None:
                raise InvalidRequest("file: one recording at a time.", param="file")
            sound = field
        elif not field.name.endswith("[]"):
            if field.name.casefold() in plain:
                raise InvalidRequest(f"The field {field.name[:80]!r} appears more than once.", param=field.name[:200])
            plain[field.name.casefold()] = field.content.decode("utf-8", "replace")
    if sound is None or not sound.content:
        raise InvalidRequest("file: the recording is missing.", param="file")
    return plain, sound


def _sent(fields: Sequence[Field], wanted: str) -> list[Field]:
    kept = [
        Field(
            name=field.name,
            content=field.content,
            filename=field.filename,
            content_type=field.content_type if _SAFE_TYPE.fullmatch(field.content_type or "") else None,
        )
        for field in fields
        if field.name.casefold() not in {"model", "response_format", "stream"}
    ]
    return [*kept, Field(name="response_format", content=wanted.encode())]


def _reader(wanted: str, seconds: int | None) -> Callable[[bytes, str, Prices, str], TaskAnswer]:
    def read(body: bytes, _content_type: str, prices: Prices, _request_id: str) -> TaskAnswer:
        if wanted in _JSON_FORMATS or wanted == "text":
            return _read_json(body, prices, wanted, seconds)
        text = body.decode("utf-8", "replace")
        if not text.strip() or text.lstrip().startswith("{"):
            raise UpstreamFailed("an answer without a transcript", upstream_status=200)
        # A header may understate, and subtitles end with the last word: the later end counts.
        measured = max(seconds or 0, _last_moment(text) or 0) or None
        usage = transcription_usage(None, prices=prices, seconds=measured)
        return TaskAnswer(usage=usage, body=lambda _usage: body, content_type=_TYPES[wanted])

    return read


def _read_json(body: bytes, prices: Prices, wanted: str, seconds: int | None) -> TaskAnswer:
    members = read_json(_ANSWER, body)
    text = read_json(_TEXT, body).text
    # A verbose answer says its length outside of its usage.
    given = members.get("usage")
    report = given if given is not None and is_given(given) else Raw(body)
    usage = transcription_usage(report, prices=prices, seconds=seconds)

    def write(charged: Usage) -> bytes:
        if wanted == "text":
            return text.encode() + b"\n"
        shown = {name: members[name] for name in _SHOWN if name in members}
        return _encode({**shown, "usage": transcription_usage_object(charged)})

    return TaskAnswer(usage=usage, body=write, content_type=_TYPES.get(wanted, "application/json"))


def _last_moment(subtitles: str) -> int | None:
    """When the last line of subtitles ends, in seconds, rounded up."""
    ends = [
        int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + (1 if int(rest) else 0)
        for hours, minutes, seconds, rest in _END.findall(subtitles)
    ]
    return max(ends, default=None)


def _estimator(seconds: int) -> Callable[[Prices, Callable[[str], int]], Usage]:
    def estimate(prices: Prices, _count: Callable[[str], int]) -> Usage:
        by = counted_by("transcriptions", prices)
        audio = seconds * _TOKENS_PER_SECOND if by.tokens else 0
        return Usage(seconds=seconds if by.unit else 0, input_audio_tokens=audio)

    return estimate
