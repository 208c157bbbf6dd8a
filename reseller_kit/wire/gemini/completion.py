"""Plain answers between this API's generateContent and the intermediate form."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..codec import Call, Reply
from ..completion import Completion, Finish
from ..conversation import Media, Reasoning, Text, ToolCall, ToolNames, fit_id
from ..gemini_usage import read_usage
from ..json_body import is_given
from .answer import BAD, Chunk, Piece, encode_usage, named, pieces_of, read_chunk
from .contents import kind_of
from .conversation import shows_thoughts, tool_names
from .thoughts import shown
from .written_turns import object_of

_FINISHES: Final[dict[str, Finish]] = {
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
_REASONS: Final[dict[Finish, str]] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "STOP",
    "context_length": "MAX_TOKENS",
}
_ENCODER: Final = msgspec.json.Encoder()


def finish_of(reason: str | None, *, called: bool) -> Finish:
    """Why an answer ended, in the form's words; any other reason than those known is an ordinary end."""
    finish = _FINISHES.get(reason or "", "stop")
    return "tool_calls" if finish == "stop" and called else finish


def finish_reason(finish: Finish, *, refused: bool) -> str:
    """Why an answer ended, in this API's words. A refusal in words is an answer like others."""
    return "STOP" if finish == "refusal" and refused else _REASONS[finish]


def own_call_id(reply: Reply, index: int) -> str:
    """An id for a call that the upstream gave none."""
    return f"call_{reply.request_id.rpartition('_')[2][-40:]}_{index}"


def read_completion(body: bytes, reply: Reply) -> Completion:
    """Read the body of a 200: its first candidate, for no more are asked for.

    Raises UpstreamFailed for an error inside it and for anything but an answer.
    """
    chunk = read_chunk(body)
    usage = read_usage(chunk.usage_metadata)
    if not chunk.candidates:
        return Completion(parts=(), finish="content_filter", usage=usage)
    try:
        parts = _read_parts(chunk, reply)
    except BAD as error:
        raise UpstreamFailed(f"not an answer: {error}", upstream_status=200) from None
    called = any(isinstance(part, ToolCall) for part in parts)
    return Completion(
        parts=tuple(parts), finish=finish_of(chunk.candidates[0].finish_reason, called=called), usage=usage
    )


def _read_parts(chunk: Chunk, reply: Reply) -> list[Text | Reasoning | ToolCall | Media]:
    parts: list[Text | Reasoning | ToolCall | Media] = []
    for candidate in (chunk.candidates or ())[:1]:
        calls = 0
        for piece in pieces_of(candidate.content):
            parts += parts_of(piece, reply, calls)
            calls += piece.function_call is not None
    return parts


def parts_of(piece: Piece, reply: Reply, calls: int) -> list[Text | Reasoning | ToolCall | Media]:
    """What a part holds; `calls`: how many functions were called before it."""
    signature = piece.thought_signature or None
    maker = reply.maker if signature else None
    if piece.function_call is not None:
        call = piece.function_call
        return [
            ToolCall(
                id=call.id or own_call_id(reply, calls),
                name=call.name,
                arguments=bytes(call.args).decode() if is_given(call.args) else "{}",
                signature=signature,
                maker=maker,
            )
        ]
    if piece.thought:
        text = piece.text or ""
        thought = Reasoning(text=text, signature=signature, maker=maker, redacted=not text)
        return [thought] if text or signature else []
    found: list[Text | Reasoning | ToolCall | Media] = []
    if piece.inline_data is not None:
        made = piece.inline_data
        found.append(Media(kind=kind_of(made.mime_type), media_type=made.mime_type or None, data=made.data))
    elif piece.text:
        found.append(Text(text=piece.text))
    if signature:
        found.append(Reasoning(text="", signature=signature, maker=maker, redacted=True))
    return found


class PartWriter:
    """Writes parts of an answer for a caller of this API: names as it knows them, thoughts only if it asked."""

    def __init__(self, call: Call, reply: Reply) -> None:
        self._names = ToolNames(tool_names(call))
        self.shows_thoughts = shows_thoughts(call)
        self._maker = reply.maker

    def parts(self, part: Text | Reasoning | ToolCall | Media) -> list[dict[str, Any]]:
        """The parts of the wire; none for what the caller does not want or what is empty."""
        if isinstance(part, Text):
            return [{"text": part.text}] if part.text else []
        if isinstance(part, ToolCall):
            return [self.call(part)]
        if isinstance(part, Reasoning):
            return self._thought(part) if self.shows_thoughts else []
        if part.data is None:
            return [{"text": f"![{part.kind}]({part.url})"}]
        return [{"inlineData": {"mimeType": part.media_type or "image/png", "data": part.data}}]

    def call(self, part: ToolCall) -> dict[str, Any]:
        """A call of a function under the caller's name of it."""
        args = object_of(part.arguments)
        call = {"id": fit_id(part.id), "name": self._names.original(part.name), "args": args}
        return {"functionCall": call, **self._signed(part.signature, part.maker)}

    def _thought(self, part: Reasoning) -> list[dict[str, Any]]:
        signed = self._signed(part.signature, part.maker)
        return [{"text": part.text, "thought": True, **signed}] if part.text or signed else []

    def _signed(self, signature: str | None, maker: str | None) -> dict[str, str]:
        return {"thoughtSignature": shown(signature, maker or self._maker)} if signature else {}


def write_completion(completion: Completion, call: Call, reply: Reply, usage: Usage) -> bytes:
    """The JSON body for the caller, showing `usage` as what is charged."""
    writer = PartWriter(call, reply)
    parts = [written for part in completion.parts for written in writer.parts(part)]
    refused = any(isinstance(part, Text) and part.refusal for part in completion.parts)
    candidate: dict[str, Any] = {
        **({"content": {"parts": parts, "role": "model"}} if parts else {}),
        "finishReason": finish_reason(completion.finish, refused=refused),
        "index": 0,
    }
    return b'{"candidates":[%b],"usageMetadata":%b,%b' % (
        _ENCODER.encode(candidate),
        encode_usage(usage),
        named(reply),
    )
