"""Plain answers of generateContent: checked, metered, and rewritten to the storefront's names. Keeps no trace.

Only members on lists of ours leave; what is in them travels as raw bytes. Source: Gemini API reference,
"GenerateContentResponse".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..codec import Call, Reply
from ..gemini_usage import read_usage, usage_object
from ..json_body import NULL, is_given, quote
from ..known import CallId, Known, Shape, names
from ..upstream_message import failed

BAD: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What decoding of an upstream's bytes may raise."""


class Candidate(Struct, rename="camel"):
    """One of the answers as far as it is passed on."""

    content: Raw = NULL
    index: int = 0
    finish_reason: str | None = None
    citation_metadata: Raw = NULL
    safety_ratings: Raw = NULL
    grounding_metadata: Raw = NULL
    url_context_metadata: Raw = NULL
    avg_logprobs: Raw = NULL
    logprobs_result: Raw = NULL

    def ending(self) -> dict[str, Raw | str]:
        """The members beside its content and place that leave as they came."""
        if self.finish_reason is None and self.safety_ratings is NULL and self.citation_metadata is NULL:
            return {}
        return {name: value for name, attribute in _ENDING if is_given(value := getattr(self, attribute))}


_ENDING: Final = (
    ("finishReason", "finish_reason"),
    ("citationMetadata", "citation_metadata"),
    ("safetyRatings", "safety_ratings"),
    ("groundingMetadata", "grounding_metadata"),
    ("urlContextMetadata", "url_context_metadata"),
    ("avgLogprobs", "avg_logprobs"),
    ("logprobsResult", "logprobs_result"),
)


class Feedback(Struct, rename="camel"):
    """Why a prompt was not answered, if it was not."""

    block_reason: str | None = None
    safety_ratings: Raw = NULL


class Chunk(Struct, rename="camel"):
    """An answer, or an event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Raw = NULL
    error: Raw = NULL


class Piece(Struct, rename="camel"):
    """A part of an answer as far as it is read."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: Called | None = None
    inline_data: Inline | None = None


class Called(Struct):
    """A function that the model calls."""

    name: str = ""
    id: str | None = None
    args: Raw = NULL


class Inline(Struct, rename="camel"):
    """A medium that the model made, in base64."""

    data: str = ""
    mime_type: str = ""


class Written(Struct):
    """The content of a candidate."""

    parts: list[Piece] | None = None


_CALL: Final[Shape] = {**names("name args"), "id": CallId("")}
_CONTENT: Final = Known(
    {
        "role": None,
        "parts": {
            **names("text thought thoughtSignature partMetadata"),
            "functionCall": _CALL,
            "inlineData": names("data mimeType displayName"),
            "executableCode": names("id language code"),
            "codeExecutionResult": names("id outcome output"),
        },
    }
)
_CHUNK: Final = msgspec.json.Decoder(Chunk)
_WRITTEN: Final = msgspec.json.Decoder(Written | None)
_ENCODER: Final = msgspec.json.Encoder()


def decode_chunk(data: bytes) -> Chunk:
    """An answer or an event. Raises one of `BAD`."""
    if not data.isascii():
        data.decode()
    return _CHUNK.decode(data)


def own_content(content: Raw) -> Raw:
    """A candidate's content as the caller may see it. Raises one of `BAD`."""
    return _CONTENT.only(content)


def pieces_of(content: Raw) -> list[Piece]:
    """The parts of a candidate's content. Raises one of `BAD`."""
    written = _WRITTEN.decode(content)
    return (written.parts if written is not None else None) or []


def text_of(piece: Piece) -> str:
    """What the model wrote in a part, of any kind."""
    if piece.function_call is not None:
        return piece.function_call.name + (bytes(piece.function_call.args).decode() if piece.function_call.args else "")
    return piece.text or ""


def response_id(reply: Reply) -> str:
    """The answer's own id."""
    return reply.request_id.partition("_")[2] or reply.request_id


def named(reply: Reply) -> bytes:
    """The members at the end of every answer and event, with its closing brace."""
    return b'"modelVersion":%b,"responseId":%b}' % (quote(reply.model), quote(response_id(reply)))


def named_within(reply: Reply) -> bytes:
    """As `named`, of an event that is not the last one.

    Clients of strict languages take no event without usage; its figures are told once they are charged.
    """
    return b'"usageMetadata":{"promptTokenCount":0,"candidatesTokenCount":0,"totalTokenCount":0},%b' % named(reply)


def encode_usage(usage: Usage) -> bytes:
    """`usageMetadata` as charged."""
    return _ENCODER.encode(usage_object(usage))


def encode_feedback(feedback: Feedback | None) -> bytes:
    """The member that says why a prompt was not answered; nothing if it was."""
    if feedback is None or feedback.block_reason is None:
        return b""
    shown: dict[str, Any] = {"blockReason": feedback.block_reason}
    if is_given(feedback.safety_ratings):
        shown["safetyRatings"] = feedback.safety_ratings
    return b'"promptFeedback":%b,' % _ENCODER.encode(shown)


def read_chunk(body: bytes) -> Chunk:
    """The answer in a 200. Raises UpstreamFailed for an error inside and for anything that is no answer."""
    try:
        chunk = decode_chunk(body)
    except BAD as error:
        raise UpstreamFailed(f"not an answer: {error}", upstream_status=200) from None
    if is_given(chunk.error):
        raise failed(chunk.error, "an error in a 200")
    if not chunk.candidates and (chunk.prompt_feedback is None or chunk.prompt_feedback.block_reason is None):
        raise UpstreamFailed("an answer without candidates", upstream_status=200)
    return chunk


class GeneratedAnswer(Struct, frozen=True, kw_only=True):
    """A usable answer: what the upstream reported, and all that `body` needs."""

    usage: Usage | None
    chunk: Chunk
    pieces: tuple[Piece, ...]
    reply: Reply

    @property
    def delivered(self) -> bool:
        """Whether any content came."""
        return bool(self.pieces)

    def estimate_text(self) -> str:
        """All text that the model wrote, for an estimate where no usage was reported."""
        return "".join(map(text_of, self.pieces))

    def body(self, usage: Usage) -> bytes:
        """The JSON body for the caller, showing `usage` as what is charged."""
        candidates = [
            {
                **({"content": own_content(one.content)} if is_given(one.content) else {}),
                **one.ending(),
                "index": one.index,
            }
            for one in self.chunk.candidates or ()
        ]
        return b'{%b%b"usageMetadata":%b,%b' % (
            b'"candidates":%b,' % _ENCODER.encode(candidates) if candidates else b"",
            encode_feedback(self.chunk.prompt_feedback),
            encode_usage(usage),
            named(self.reply),
        )


def read_answer(_call: Call, body: bytes, reply: Reply) -> GeneratedAnswer:
    """Read the body of a 200. Raises UpstreamFailed for an error inside it and for anything but an answer."""
    chunk = read_chunk(body)
    try:
        pieces = [piece for one in chunk.candidates or () for piece in pieces_of(one.content)]
    except BAD as error:
        raise UpstreamFailed(f"not an answer: {error}", upstream_status=200) from None
    return GeneratedAnswer(usage=read_usage(chunk.usage_metadata), chunk=chunk, pieces=tuple(pieces), reply=reply)
