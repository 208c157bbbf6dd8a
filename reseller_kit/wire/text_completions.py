"""`POST /v1/completions`, the API before chat: its requests as chat completions, and chat answers in its shape.

The prompt becomes the one message of a user, so that every model can be asked. What a conversation can't say is
refused: text behind the insertion (`suffix`), echoes, log probabilities, several prompts and prompts of tokens.
Source: OpenAI API reference, "Completions" (legacy).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from ..core.errors import InvalidRequest
from . import openai_chat
from .codec import Call, Headers
from .json_body import NULL, decode_as, encode_object, is_given, parse_object

_DEFAULT_LIMIT: Final = Raw(b"16")
_OWN: Final = frozenset({"prompt", "suffix", "echo", "logprobs", "best_of"})
_FOREIGN: Final = ("audio", "functions", "messages", "modalities", "prediction", "tools", "top_logprobs")
"""Members of chat that would change what is asked for or what comes back."""
_DATA: Final = b"data: "
_END: Final = b"\n\n"
_DONE: Final = b"[DONE]"
_CHUNK_BEGINS: Final = b'{"id":'
_ID: Final = ("chatcmpl-", "cmpl-")


class _Head(Struct):
    prompt: str | list[Any]
    suffix: str | None = None
    echo: bool | None = None
    logprobs: int | None = None
    best_of: int | None = None
    n: Annotated[int, Meta(ge=1)] | None = None


class _Choice(Struct):
    index: Any = 0
    message: Any = None
    delta: Any = None
    finish_reason: Any = None


class _Chat(Struct):
    """A chat completion, or a chunk of one, as a storefront writes it."""

    id: str
    model: str
    created: int
    choices: list[_Choice]
    usage: Raw | msgspec.UnsetType = msgspec.UNSET


_HEAD: Final = msgspec.json.Decoder(_Head)
_CHAT: Final = msgspec.json.Decoder(_Chat)
_ENCODER: Final = msgspec.json.Encoder()


def decode(body: bytes, headers: Headers = ()) -> Call:
    """Read a request as the chat call that stands for it. Raises InvalidRequest, with `param` where one is to blame."""
    fields = parse_object(body)
    head = decode_as(_HEAD, body)
    _refuse(head, fields)
    kept = {name: value for name, value in fields.items() if name not in _OWN}
    kept["messages"] = Raw(_ENCODER.encode([{"role": "user", "content": _prompt_of(head.prompt)}]))
    if not is_given(fields.get("max_tokens")) and not is_given(fields.get("max_completion_tokens")):
        kept["max_tokens"] = _DEFAULT_LIMIT
    return openai_chat.decode(encode_object(kept), headers)


def answer_body(body: bytes) -> bytes:
    """A plain chat answer of ours in this API's shape."""
    chat = _CHAT.decode(body)
    return _ENCODER.encode(_document(chat, [_choice(choice, _text_of(choice.message)) for choice in chat.choices]))


def stream_events(events: bytes) -> bytes:
    """Whole events of our own chat stream in this API's shape; errors, comments and the end stay as they are."""
    return b"".join([_event(event) for event in events.split(_END) if event])


def _prompt_of(prompt: str | list[Any]) -> str:
    if isinstance(prompt, list):
        if len(prompt) != 1 or not isinstance(prompt[0], str):
            raise InvalidRequest("Send one prompt in each request, as text.", param="prompt")
        prompt = prompt[0]
    if not prompt:
        raise InvalidRequest("The prompt is empty.", param="prompt")
    return prompt


def _refuse(head: _Head, fields: dict[str, Raw]) -> None:
    wanted = {
        "suffix": bool(head.suffix),
        "echo": bool(head.echo),
        "logprobs": head.logprobs is not None,
        "best_of": head.best_of is not None and head.best_of != (head.n or 1),
        **{name: is_given(fields.get(name)) for name in _FOREIGN},
    }
    for name, given in wanted.items():
        if given:
            raise InvalidRequest(f"{name!r} can't be used in completions here. Use chat completions.", param=name)


def _event(event: bytes) -> bytes:
    data = event.removeprefix(_DATA)
    if data in (event, _DONE) or not data.startswith(_CHUNK_BEGINS):
        return event + _END
    chat = _CHAT.decode(data)
    pieces = [(choice, _text_of(choice.delta)) for choice in chat.choices]
    choices = [_choice(choice, text) for choice, text in pieces if text or choice.finish_reason is not None]
    if chat.choices and not choices:
        return b""
    return _DATA + _ENCODER.encode(_document(chat, choices)) + _END


def _text_of(said: Any) -> str:
    """The words of a message or delta; thoughts have no place here."""
    if not isinstance(said, dict):
        return ""
    content, refusal = said.get("content"), said.get("refusal")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(text for text in texts if isinstance(text, str))
    return next((text for text in (content, refusal) if text and isinstance(text, str)), "")


def _choice(choice: _Choice, text: str) -> dict[str, Any]:
    return {"text": text, "index": choice.index, "logprobs": None, "finish_reason": choice.finish_reason}


def _document(chat: _Chat, choices: list[dict[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": chat.id.replace(*_ID, 1),
        "object": "text_completion",
        "created": chat.created,
        "model": chat.model,
        "choices": choices,
    }
    if chat.usage is not msgspec.UNSET:
        document["usage"] = chat.usage or NULL
    return document
