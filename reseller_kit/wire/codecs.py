"""Every API that generates, by name."""

from __future__ import annotations

from typing import Final

from . import anthropic_messages, chat_translation, gemini, openai_answer, openai_chat, openai_responses, openai_stream
from .codec import Api, Call, Codec, Reply, Sending


def _chat_path(_call: Call, _sending: Sending) -> str:
    return "/chat/completions"


def _chat_tap(call: Call, reply: Reply) -> openai_stream.StreamTap:
    return openai_stream.StreamTap(
        model=reply.model,
        response_id=_chat_id(reply),
        include_usage=call.include_usage,
        choices=call.n,
    )


def _chat_answer(_call: Call, body: bytes, reply: Reply) -> openai_answer.Answer:
    return openai_answer.read_answer(body, model=reply.model, response_id=_chat_id(reply))


def _chat_id(reply: Reply) -> str:
    return "chatcmpl-" + reply.request_id.partition("_")[2]


CODECS: Final[dict[Api, Codec]] = {
    "chat": Codec(
        api="chat",
        dialect="openai",
        path=_chat_path,
        encode=openai_chat.encode,
        left_out=openai_chat.left_out_of,
        open_tap=_chat_tap,
        read_answer=_chat_answer,
        counted=openai_chat.counted,
        to_conversation=chat_translation.to_conversation,
        from_conversation=chat_translation.from_conversation,
        not_carried=chat_translation.not_carried,
        read_completion=chat_translation.read_completion,
        write_completion=chat_translation.write_completion,
        event_reader=chat_translation.EventReader,
        event_writer=chat_translation.EventWriter,
    ),
    "messages": anthropic_messages.CODEC,
    "responses": openai_responses.CODEC,
    "generate_content": gemini.CODEC,
}
