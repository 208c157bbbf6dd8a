"""Every API that generates, by name."""

from __future__ import annotations

from typing import Final

from . import anthropic_messages, gemini, openai_chat, openai_responses
from .codec import Api, Codec

CODECS: Final[dict[Api, Codec]] = {
    codec.api: codec for codec in (openai_chat.CODEC, openai_responses.CODEC, anthropic_messages.CODEC, gemini.CODEC)
}
