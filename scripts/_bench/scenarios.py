"""What is sent in a measurement of calls: small calls of each API, as they are and translated, and a coding agent's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

CHAT_MODEL: Final = "gpt-5-mini"
MESSAGES_MODEL: Final = "claude-haiku-5-5"
RESPONSES_MODEL: Final = "gpt-5-codex"
"""Each model's upstream speaks one API alone."""
CODE_BYTES: Final = 50_000
LARGE_BYTES: Final = 70_000
PACED_STREAMS: Final = 200
PACE_SECONDS: Final = 0.05
OPEN_RATE: Final = 400
_OPEN_SECONDS: Final = 4
_EVENTS: Final = 44
MOST_TIMES_SMALL: Final = 1.5
"""What a coding agent's body may cost against a plain small call."""
MOST_TIMES_PASSED: Final = 2.0
"""What a translated call may cost against the same one passed through."""
_PROMPT: Final = "Summarise in one paragraph what a group commit is and why it helps a ledger. " * 3
_TOOLS: Final = 24

Api = Literal["chat", "messages", "responses"]
_PATHS: Final[dict[Api, str]] = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}
_ENDS: Final[dict[Api, bytes]] = {
    "chat": b"data: [DONE]",
    "messages": b'"message_stop"',
    "responses": b'"response.completed"',
}


@dataclass(frozen=True)
class Scenario:
    """Calls of one kind. `base`: the scenario whose processor time they may take `most_times` at most.

    `calls` and `connections` where they are not the plan's; `rate` and `spread` as `load.Order` has them. What has a
    pace of its own is `timed`: latencies count there, not processor time.
    """

    name: str
    api: Api
    model: str
    stream: bool
    members: dict[str, Any]
    base: str | None = None
    most_times: float | None = None
    calls: int | None = None
    connections: int | None = None
    rate: float = 0.0
    spread: float = 0.0

    @property
    def timed(self) -> bool:
        """Whether calls begin, or answers come, at a pace of their own."""
        return bool(self.rate or self.spread)

    @property
    def body(self) -> bytes:
        """What is sent."""
        return msgspec.json.encode(self.members | {"model": self.model, "stream": self.stream})

    @property
    def path(self) -> str:
        """Where it is sent."""
        return _PATHS[self.api]

    @property
    def end(self) -> bytes:
        """What the last event of a whole stream holds."""
        return _ENDS[self.api]


_CHAT: Final[dict[str, Any]] = {"messages": [{"role": "user", "content": _PROMPT}], "max_tokens": 256}
_CHAT_STREAM: Final = _CHAT | {"stream_options": {"include_usage": True}}
_MESSAGES: Final = _CHAT
_RESPONSES: Final[dict[str, Any]] = {"input": _PROMPT, "max_output_tokens": 256, "store": False}


def code_body() -> dict[str, Any]:
    """A body of the shape that Claude Code sends, 50 kB with its model: system blocks, tools, reminders, a request."""
    text = "Prefer the smallest change that solves the problem; read a file before you edit it.\n"
    marked = {"cache_control": {"type": "ephemeral"}}
    reminder = "<system-reminder>\nThe user may have changed files meanwhile.\n</system-reminder>"
    body: dict[str, Any] = {
        "messages": [
            {
                "role": "user",
                "content": [
                    *({"type": "text", "text": reminder} for _ in range(8)),
                    {"type": "text", "text": "Rename the flag in the parser and its tests.", **marked},
                ],
            }
        ],
        "system": [
            {"type": "text", "text": "You are a coding agent.", **marked},
            {"type": "text", "text": "", **marked},
        ],
        "tools": [_tool(number, text * 8) for number in range(_TOOLS)],
        "metadata": {"user_id": '{"device_id":"' + "0" * 64 + '","session_id":"00000001"}'},
        "max_tokens": 4096,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
    }
    missing = CODE_BYTES - len(msgspec.json.encode(body | {"model": MESSAGES_MODEL, "stream": False}))
    body["system"][1]["text"] = (text.replace("\n", " ") * (missing // len(text) + 1))[:missing]
    return body


def _tool(number: int, description: str) -> dict[str, Any]:
    member = {"type": "string", "description": "An absolute path, never a relative one."}
    properties = dict.fromkeys(("file_path", "old_string", "new_string", "pattern"), member)
    schema = {"type": "object", "properties": properties, "required": ["file_path"], "additionalProperties": False}
    return {"name": f"Tool{number}", "description": description, "input_schema": schema}


ALL_TARGETS: Final = (
    Scenario("plain", "chat", CHAT_MODEL, stream=False, members=_CHAT),
    Scenario("stream", "chat", CHAT_MODEL, stream=True, members=_CHAT_STREAM),
)
"""What every target is asked."""


def paced(streams: int, rounds: int = 2, *, seconds: float = PACE_SECONDS) -> Scenario:
    """So many streams at a time, each with a pause between its events; `rounds`: how many each connection asks for."""
    said = {"role": "user", "content": f"{_PROMPT}[[pace={seconds:.3f}]]"}
    return Scenario(
        f"{streams} paced streams",
        "chat",
        CHAT_MODEL,
        stream=True,
        members=_CHAT_STREAM | {"messages": [said]},
        calls=streams * rounds,
        connections=streams,
        spread=_EVENTS * seconds,
    )


def beside_peers() -> tuple[Scenario, ...]:
    """What gateways of others are asked as well: small calls, a long conversation, slow streams, and a fixed rate."""
    turn = "The ledger's batches are written by one task; callers wait for the commit that holds theirs. "
    turns = [{"role": ("user", "assistant")[number % 2], "content": turn * 10} for number in range(71)]
    missing = LARGE_BYTES - len(msgspec.json.encode(_CHAT | {"messages": turns, "model": CHAT_MODEL, "stream": False}))
    turns[0]["content"] += (turn * 30)[:missing]
    return (
        *ALL_TARGETS,
        Scenario("70 kB request", "chat", CHAT_MODEL, stream=False, members=_CHAT | {"messages": turns}),
        paced(PACED_STREAMS),
        Scenario(
            f"{OPEN_RATE} calls/s",
            "chat",
            CHAT_MODEL,
            stream=False,
            members=_CHAT,
            calls=OPEN_RATE * _OPEN_SECONDS,
            rate=OPEN_RATE,
        ),
    )


def apis() -> tuple[Scenario, ...]:
    """What the gateway alone is asked beside: the other APIs, and translations both ways between two of them."""
    found = [Scenario("messages 50 kB", "messages", MESSAGES_MODEL, False, code_body(), "plain", MOST_TIMES_SMALL)]
    for stream, kind, chat in ((False, "plain", _CHAT), (True, "stream", _CHAT_STREAM)):
        passed = f"messages {kind}"
        found += [
            Scenario(passed, "messages", MESSAGES_MODEL, stream, _MESSAGES),
            Scenario(f"responses {kind}", "responses", RESPONSES_MODEL, stream, _RESPONSES),
            Scenario(f"chat to messages {kind}", "chat", MESSAGES_MODEL, stream, chat, kind, MOST_TIMES_PASSED),
            Scenario(f"messages to chat {kind}", "messages", CHAT_MODEL, stream, _MESSAGES, passed, MOST_TIMES_PASSED),
        ]
    return tuple(found)
