"""An upstream that answers with the very bytes a test gives it, whatever they are. Knows no dialect."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

Step = bytes | float | str
"""Bytes to send, seconds to wait, `CLOSE` or `RESET`. After its last step an answer keeps the connection open."""
CLOSE: Final = "close"
RESET: Final = "reset"


@dataclass
class RawUpstream:
    """What it was asked, and what it will answer next: one script a request, first in first out."""

    port: int = 0
    generation: int = 0
    answers: deque[Sequence[Step]] = field(default_factory=deque)
    requests: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    """Those that carried a request since `will`."""
    left_alone: int = 0
    """Requests whose caller hung up before their script was over."""

    @property
    def base_url(self) -> str:
        """What a tenants.toml calls it."""
        return f"http://127.0.0.1:{self.port}/v1"

    def will(self, *scripts: Sequence[Step]) -> None:
        """Answer the next requests with these and nothing else."""
        self.answers.clear()
        self.requests.clear()
        self.connections = self.left_alone = 0
        self.generation += 1
        self.answers.extend(scripts)


def answer(body: bytes | Mapping[str, Any], status: int = 200, content_type: str = "application/json") -> bytes:
    """A whole plain answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(data)}\r\n"
    return (head + "server: rawfeed-server\r\nx-request-id: req-rawfeed-1\r\n\r\n").encode() + data


def stream_head() -> bytes:
    """The head of an event stream that lasts until the connection is closed."""
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nserver: rawfeed-server\r\n"
        b"openai-organization: org-rawfeed\r\nconnection: close\r\n\r\n"
    )


def event(**members: Any) -> bytes:
    """One event of a stream, in the upstream's names."""
    head = {"id": "chatcmpl-rawfeed", "object": "chat.completion.chunk", "created": 1700000000, "model": "vendor/raw-1"}
    return f"data: {json.dumps(head | members)}\n\n".encode()


def delta(index: int = 0, **members: Any) -> bytes:
    """An event with one choice's delta."""
    return event(choices=[{"index": index, "delta": members, "finish_reason": None}])


def finish(reason: str = "stop", index: int = 0) -> bytes:
    """The event that ends one choice."""
    return event(choices=[{"index": index, "delta": {}, "finish_reason": reason}])


def completion(content: str | None = "Hello there.", **members: Any) -> dict[str, Any]:
    """A plain completion in the upstream's names."""
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-rawfeed",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "vendor/raw-1",
        "system_fingerprint": "fp_rawfeed",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        **members,
    }


def usage(prompt: int, completion_tokens: int, **members: Any) -> dict[str, Any]:
    """A usage report in OpenAI's shape."""
    total = prompt + completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion_tokens, "total_tokens": total, **members}


@contextmanager
def raw_upstream() -> Iterator[RawUpstream]:
    """A raw upstream on a free loopback port, in a thread of its own."""
    state = RawUpstream()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    thread = threading.Thread(target=_run, args=(loop, state, ready), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield state
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _run(loop: asyncio.AbstractEventLoop, state: RawUpstream, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    server = loop.run_until_complete(asyncio.start_server(lambda r, w: _serve(state, r, w), "127.0.0.1", 0))
    state.port = server.sockets[0].getsockname()[1]
    ready.set()
    loop.run_forever()
    server.close()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())


async def _serve(state: RawUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    counted = -1
    try:
        while request := await _request(reader):
            state.requests.append(request)
            state.connections += counted != state.generation
            counted = state.generation
            script = state.answers.popleft() if state.answers else [answer(b"no script", 500)]
            if not await _play(state, script, reader, writer):
                break
    except ConnectionError:
        state.left_alone += 1
    finally:
        writer.close()


async def _play(
    state: RawUpstream, script: Sequence[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Whether the connection goes on."""
    for step in script:
        if step == CLOSE:
            return False
        if step == RESET:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, float) and await _hung_up(reader, step):
            state.left_alone += 1
            return False
    return True


async def _hung_up(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Wait, unless the caller closes the connection meanwhile."""
    try:
        return not await asyncio.wait_for(reader.read(1), seconds)
    except TimeoutError:
        return False


async def _request(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Headers and decoded body of one request, None when the caller has closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return {"line": lines[0], "headers": headers, "body": json.loads(body) if body else None}
