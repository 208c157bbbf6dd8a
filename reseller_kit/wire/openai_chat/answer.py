"""Plain answers to chat requests: checked, metered, and rewritten to the storefront's names. Keeps no upstream trace.

Only members on lists of ours leave; what is in them travels as raw bytes. Source: OpenAI API reference, "The chat
completion object".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..json_body import NULL, quote
from ..texts import text_of
from ..upstream_message import failed
from .envelope import NO_FINGERPRINT, created_or_now, own_choices, tier_member
from .text import output_of
from .usage import read_usage, usage_body


class _Choice(Struct):
    message: dict[str, Raw] | None = None
    error: Raw = NULL
    usage: Raw = NULL


class _Completion(Struct):
    created: Raw = NULL
    choices: Raw = NULL
    usage: Raw = NULL
    service_tier: Raw = NULL
    error: Raw = NULL


_COMPLETION: Final = msgspec.json.Decoder(_Completion)
_CHOICES: Final = msgspec.json.Decoder(list[_Choice] | None)


class Answer(Struct, frozen=True, kw_only=True):
    """A usable completion: what the upstream reported, and all that `body` needs."""

    usage: Usage | None
    model: str
    response_id: str
    created: bytes
    service_tier: bytes
    choices: bytes
    messages: tuple[dict[str, Raw], ...]

    @property
    def delivered(self) -> bool:
        """Whether any content, reasoning, tool call, refusal or audio came."""
        return any(map(output_of, self.messages))

    def estimate_text(self) -> str:
        """All text that the model wrote, for an estimate where no usage was reported."""
        return "".join(text_of(value) for message in self.messages for value in output_of(message))

    def body(self, usage: Usage) -> bytes:
        """The JSON body for the caller, showing `usage` as what is charged."""
        return b'{"id":%b,"object":"chat.completion","created":%b,"model":%b%b,"choices":%b,"usage":%b,%b}' % (
            quote(self.response_id),
            self.created,
            quote(self.model),
            self.service_tier,
            self.choices,
            usage_body(usage),
            NO_FINGERPRINT,
        )


def read_answer(body: bytes, *, model: str, response_id: str) -> Answer:
    """Read the body of a 200; `model` and `response_id` are what the caller sees.

    Raises UpstreamFailed for an error inside a 200 and for anything that is not a completion with choices.
    """
    completion, choices = _decode(body)
    parts: tuple[_Choice | _Completion, ...] = (*choices, completion)
    for part in parts:
        if part.error != NULL:
            raise failed(part.error, "an error in a 200")
    messages = tuple([choice.message for choice in choices if choice.message is not None])
    if not choices or len(messages) < len(choices):
        raise UpstreamFailed("an answer without choices or messages", upstream_status=200)
    return Answer(
        usage=_usage(completion, choices),
        model=model,
        response_id=response_id,
        created=created_or_now(completion.created),
        service_tier=tier_member(completion.service_tier),
        choices=bytes(own_choices(completion.choices)),
        messages=messages,
    )


def _decode(body: bytes) -> tuple[_Completion, list[_Choice]]:
    try:
        if not body.isascii():
            body.decode()
        completion = _COMPLETION.decode(body)
        choices = _CHOICES.decode(completion.choices)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UpstreamFailed(f"not a completion: {error}", upstream_status=200) from None
    return completion, choices or []


def _usage(completion: _Completion, choices: list[_Choice]) -> Usage | None:
    parts: tuple[_Choice | _Completion, ...] = (completion, *choices)
    for part in parts:
        if part.usage != NULL:
            usage = read_usage(part.usage)
            if usage is not None:
                return usage
    return None
