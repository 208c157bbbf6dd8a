"""Plain answers to messages requests: checked, metered, and rewritten to the storefront's names. Keeps no trace.

Only members on lists of ours leave; what is in them travels as raw bytes. Source: Anthropic API reference, "Create a
Message".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..codec import Call, Reply
from ..json_body import NULL, is_given, quote
from ..known import CallId, Known, names
from ..texts import strings_in
from ..upstream_message import failed
from .usage import read_usage, usage_object

OPTIONAL: Final = ("stop_details", "context_management")
"""Members that leave as they came where there are any."""


class Message(Struct):
    """An answer as far as it is passed on."""

    type: str = ""
    content: list[Raw] | None = None
    stop_reason: Raw = NULL
    stop_sequence: Raw = NULL
    stop_details: Raw = NULL
    context_management: Raw = NULL
    usage: Raw = NULL
    error: Raw = NULL


_TOOL: Final = CallId("toolu_")
BLOCK: Final = Known(
    {
        **names("type text citations thinking signature data name input caller content is_error title context source"),
        "id": _TOOL,
        "tool_use_id": _TOOL,
    }
)
"""What a content block may show, of whatever type it is."""
_MESSAGE: Final = msgspec.json.Decoder(Message)
_ENCODER: Final = msgspec.json.Encoder()
_ANY: Final = msgspec.json.Decoder()


def message_id(request_id: str) -> str:
    """The id that an answer shows."""
    return "msg_" + request_id.removeprefix("req_")


def read_message(body: bytes) -> Message:
    """The message in a 200. Raises UpstreamFailed for an error inside and for anything that is not a message."""
    try:
        if not body.isascii():
            body.decode()
        message = _MESSAGE.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UpstreamFailed(f"not a message: {error}", upstream_status=200) from None
    if is_given(message.error):
        raise failed(message.error, "an error in a 200")
    if message.content is None or message.type not in {"message", ""}:
        raise UpstreamFailed("an answer without content", upstream_status=200)
    return message


class MessageAnswer(Struct, frozen=True, kw_only=True):
    """A usable message: what the upstream reported, and all that `body` needs."""

    usage: Usage | None
    message: Message
    reply: Reply

    @property
    def delivered(self) -> bool:
        """Whether any content came."""
        return bool(self.message.content)

    def estimate_text(self) -> str:
        """All text that the model wrote, for an estimate where no usage was reported."""
        return "".join(text for block in self.message.content or () for text in strings_in(_ANY.decode(block)))

    def body(self, usage: Usage) -> bytes:
        """The JSON body for the caller, showing `usage` as what is charged."""
        message = self.message
        optional = [(name, getattr(message, name)) for name in OPTIONAL]
        return b'{"id":%b,"type":"message","role":"assistant","model":%b,"content":%b,"stop_reason":%b,%b%b}' % (
            quote(message_id(self.reply.request_id)),
            quote(self.reply.model),
            _ENCODER.encode([BLOCK.only(block) for block in message.content or ()]),
            bytes(message.stop_reason),
            b'"stop_sequence":%b,' % bytes(message.stop_sequence),
            b"".join(b'"%b":%b,' % (name.encode(), bytes(value)) for name, value in optional if is_given(value))
            + b'"usage":%b' % _ENCODER.encode(usage_object(usage)),
        )


def read_answer(call: Call, body: bytes, reply: Reply) -> MessageAnswer:  # noqa: ARG001 - as every codec's
    """Read the body of a 200. Raises UpstreamFailed for an error inside it and for anything but a message."""
    message = read_message(body)
    return MessageAnswer(usage=read_usage(message.usage), message=message, reply=reply)
