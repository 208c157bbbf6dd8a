"""An upstream that fails in the way that it is told to, for as long as it is told to, and counts what it is asked."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Final, Literal

Mode = Literal["reset", "hang", "500", "529", "429", "html", "error_in_200", "no_model", "close_mid_head", "ok"]
MODES: Final[tuple[Mode, ...]] = (
    "reset",
    "hang",
    "500",
    "529",
    "html",
    "error_in_200",
    "no_model",
    "close_mid_head",
    "429",
)
_RESET: Final = struct.pack("ii", 1, 0)


class FailingUpstream(socketserver.ThreadingTCPServer):
    """It listens on a free loopback port. `asked`: requests that came since `will`."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode: Mode = "ok"
        self.asked = 0
        self.counting = threading.Lock()

    @property
    def base_url(self) -> str:
        """What a tenants.toml calls it."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def will(self, mode: Mode) -> None:
        """Fail in this way from now on."""
        self.mode, self.asked = mode, 0

    def handle_error(self, *_: Any) -> None:
        """A client that left is none of its business."""


class _Handler(socketserver.StreamRequestHandler):
    server: FailingUpstream

    def handle(self) -> None:
        while self._read_request():
            with self.server.counting:
                self.server.asked += 1
            if not self._answer(self.server.mode):
                return

    def _read_request(self) -> bool:
        length = 0
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return bool(line) and len(self.rfile.read(length)) == length

    def _answer(self, mode: Mode) -> bool:
        """Whether the connection stays open."""
        if mode == "reset":
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            return False
        if mode == "hang":
            time.sleep(3)
            return False
        if mode == "close_mid_head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-le")
            return False
        if mode == "html":
            return self._send(502, b"<html>Bad Gateway</html>", "text/html")
        if mode == "error_in_200":
            return self._send(200, b'{"error":{"message":"Overloaded.","type":"overloaded_error"}}')
        if mode == "no_model":
            message = b'{"error":{"message":"The model `fragile` does not exist","code":"model_not_found"}}'
            return self._send(404, message)
        if mode == "ok":
            return self._send(200, json.dumps(_COMPLETION).encode())
        return self._send(int(mode), b'{"error":{"message":"Not now."}}')

    def _send(self, status: int, body: bytes, content_type: str = "application/json") -> bool:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)
        return True


_COMPLETION: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "fragile",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Back."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
}


@contextmanager
def failing_upstream() -> Iterator[FailingUpstream]:
    """One that serves in a thread of this process."""
    with FailingUpstream() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
