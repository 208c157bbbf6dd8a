"""What the example plugins talk to: models by deployment, and payment links. Each service keeps a record."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx

API_VERSION: Final = "2024-10-21"
DEPLOYMENTS_KEY: Final = "deployments-key-0123456789"
PAYLINK_KEY: Final = "paylink-key-0123456789"
PAYLINK_SECRET: Final = "paylink-secret-0123456789"
USAGE: Final = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}

Answer = tuple[int, Any]
Handle = Callable[[str, str, dict[str, str], bytes], Answer]


@dataclass
class Deployments:
    """Models by deployment. `seen`: the paths that it was asked for with the right key."""

    url: str = ""
    seen: list[str] = field(default_factory=list)

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if headers.get("api-key") != DEPLOYMENTS_KEY or "authorization" in headers:
            return 401, {"error": {"message": "Access denied.", "code": "401"}}
        if query != {"api-version": [API_VERSION]}:
            return 404, {"error": {"message": "Resource not found.", "code": "404"}}
        self.seen.append(path)
        if path == "/openai/models":
            return 200, {"data": []}
        message = {"role": "assistant", "content": "Hello from the west."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        named = json.loads(body)["model"]
        return 200, {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": named,
            "choices": [choice],
            "usage": USAGE,
        }


@dataclass
class Paylink:
    """Payment links, with what became of each. `senseless`: it answers, and nothing that is meant."""

    url: str = ""
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    senseless: bool = False

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        path = urlsplit(target).path.strip("/").split("/")
        if headers.get("authorization") != f"Bearer {PAYLINK_KEY}":
            return 401, {}
        if self.senseless:
            return 200, {}
        if method == "POST" and path == ["links"]:
            number = f"pay{len(self.payments) + 1}"
            asked = json.loads(body)
            self.payments[number] = {"id": number, "state": "open", "changed_at": _now(), "refunds": [], **asked}
            return 200, {"url": f"{self.url}/pay/{number}", "payment": number}
        if path == ["payments"]:
            return 200, {"payments": list(self.payments.values())}
        found = self.payments.get(path[1])
        if found is None:
            return 404, {}
        return (200, self._refund(found, json.loads(body))) if path[-1] == "refunds" else (200, found)

    def pay(self, number: str, **changes: Any) -> bytes:
        """Somebody pays; the body of the delivery that tells so."""
        self.payments[number] |= {"state": "paid", "changed_at": _now(), **changes}
        return json.dumps({"id": f"evt{number}", "kind": "payment", "payment": self.payments[number]}).encode()

    @staticmethod
    def deliver(url: str, body: bytes, *, secret: str = PAYLINK_SECRET) -> int:
        """Post a delivery, signed; the status."""
        seconds = str(int(time.time()))
        mac = hmac.digest(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hex()
        headers = {"x-paylink-signature": f"{seconds}.{mac}"}
        return httpx.post(url, content=body, headers=headers, trust_env=False, timeout=60).status_code

    @staticmethod
    def _refund(payment: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        known: list[dict[str, Any]] = payment["refunds"]
        for one in known:
            if one["reference"] == asked["reference"]:
                return one
        made = {"id": f"{payment['id']}r{len(known) + 1}", "at": _now(), **asked}
        known.append(made)
        return made


def _now() -> int:
    return time.time_ns() // 1000


@contextmanager
def service(handle: Deployments | Paylink) -> Iterator[None]:
    """Serve it on a free port; its `url` says where."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = handle(self.command, self.path, headers, body)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815  # names that the library calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    handle.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
