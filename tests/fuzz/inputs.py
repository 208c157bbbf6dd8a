"""Where fuzzing starts and how an input changes: recorded requests, an emulator's answers, JSON with other values."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from reseller_kit.wire.task import PATHS
from scripts._emulator import load, routes
from scripts._emulator.exchange import ORDINARY, Options, Request, World
from scripts._emulator.journal import Journal
from tests.fuzz.targets import FORM, TASKS

_FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "requests"
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 10**30, 1.5, -0.0, "", "x", "\ud83d", "\x00", "é" * 70,
    "data:image/png;base64,", "auto", [], {}, [[]], [{}], [None], {"": None}, {"type": None}, {"type": "text"},
    {"type": "text", "text": "hi"}, {"type": "thinking", "thinking": "t", "signature": "s"},
    {"type": "tool_result", "tool_use_id": "t", "content": []}, {"type": "image", "source": {"type": "url"}},
    {"functionCall": {"name": "f"}}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
    {"type": "function_call_output", "call_id": "c", "output": "o"}, {"role": "tool", "tool_call_id": "c"},
)  # fmt: skip
_EVENT: Final = b"data: "


def seeds(targets: int) -> Iterator[bytes]:
    """Inputs to begin with: each text for each of the targets."""
    for text in _texts():
        for number in range(targets):
            yield bytes([number]) + text


def _texts() -> Iterator[bytes]:
    for file in sorted(_FIXTURES.glob("*.json")):
        body = json.loads(file.read_bytes()).get("body")
        if isinstance(body, dict):
            yield json.dumps(body).encode()
    yield load.plain_body()
    yield b"".join(load.stream_events())
    for path in ("/v1/messages", "/v1/responses"):
        yield load.pieces(path, 3, stream=False)[1]
        yield b"".join(piece.partition(b"\r\n")[2][:-2] for piece in load.pieces(path, 3, stream=True)[1:-1])
    yield FORM
    for api, request in TASKS.items():
        yield request
        yield _answered("/v1" + PATHS[api], request)
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 8}
    parts = [
        {"text": "hm", "thought": True},
        {"text": "hi", "thoughtSignature": "AA=="},
        {"functionCall": {"name": "f"}},
    ]
    gemini = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": usage}
    yield json.dumps(gemini).encode()
    yield _EVENT + json.dumps(gemini).encode() + b"\r\n\r\n"


def _answered(path: str, body: bytes) -> bytes:
    """What the emulator answers."""
    options = Options(name="fuzz", models=(), api_keys=frozenset(), always=ORDINARY)
    request = Request("POST", path, {"authorization": "Bearer sk-fuzz"}, body)
    plan = routes.plan(request, World(options, Journal(None)))
    return b"".join(piece for piece, _ in plan.pieces[1:])


def changed(data: bytes, rng: random.Random) -> bytes | None:
    """The input with another value somewhere in its JSON, or in that of one of its events; None where there is none."""
    head, body = data[:1], data[1:]
    if not body.lstrip().startswith((b"data:", b"event:", b":")):
        found = _with_other_value(body, rng)
        return None if found is None else head + found
    lines = body.split(b"\n")
    places = [number for number, line in enumerate(lines) if line.startswith(_EVENT)]
    if not places:
        return None
    place = rng.choice(places)
    found = _with_other_value(lines[place][len(_EVENT) :], rng)
    if found is None or rng.random() < 0.1:
        lines.insert(rng.choice(places), lines.pop(place))
    else:
        lines[place] = _EVENT + found
    return head + b"\n".join(lines)


def _with_other_value(text: bytes, rng: random.Random) -> bytes | None:
    try:
        root = [json.loads(text)]
    except (ValueError, RecursionError):
        return None
    nodes = list(_nodes(root))
    for _ in range(rng.choice((1, 1, 2, 4))):
        container, key = rng.choice(nodes)
        choice = rng.random()
        if choice < 0.5:
            value = rng.choice(_ODD)
        elif choice < 0.8:
            other, at = rng.choice(nodes)
            value = json.loads(json.dumps(other[at])) if _has(other, at) else None
        elif choice < 0.9 and container is not root and _has(container, key):
            del container[key]
            continue
        else:
            value = [container[key]] if _has(container, key) else {}
        if isinstance(container, dict) or _has(container, key):
            container[key] = value
    try:
        return json.dumps(root[0]).encode()
    except (ValueError, RecursionError):
        return None


def _has(container: Any, key: Any) -> bool:
    return key in container if isinstance(container, dict) else key < len(container)


def _nodes(container: Any) -> Iterator[tuple[Any, Any]]:
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in list(items):
        yield container, key
        if isinstance(value, dict | list):
            yield from _nodes(value)
