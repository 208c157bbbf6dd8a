"""Customers' steady traffic through the front door: calls, streams and pages. Counts what fails, judges no money."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from scripts._lib import caddy
from scripts._lib.caddy import Door

Kind = Literal["plain", "stream", "page"]
_WAIT_SECONDS: Final = 60
_PAUSE_SECONDS: Final = 0.3
"""Keeps a caller below the 300 requests a minute that the example allows."""
_PLAIN: Final = "[[input=200 cached=0 output=20]] Hello"
_STREAM: Final = "[[input=200 cached=0 output=30 pace=0.08]] Hello"


@dataclass(frozen=True)
class Caller:
    """Whose calls they are."""

    host: str
    key: str
    model: str


@dataclass
class Tally:
    """What came of it. `good` are the ids of API calls that were answered whole."""

    good: dict[Kind, list[str]] = field(default_factory=lambda: {"plain": [], "stream": [], "page": []})
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: Kind, identity: str, problem: str | None) -> None:
        """One more answer."""
        with self._lock:
            if problem is None:
                self.good[kind].append(identity)
            else:
                self.failures.append(f"{kind} {identity}: {problem}")

    @property
    def calls(self) -> list[str]:
        """The ids of all API calls that were answered whole."""
        return [*self.good["plain"], *self.good["stream"]]

    def line(self) -> str:
        """For people."""
        counts = ", ".join(f"{len(found)} {kind}" for kind, found in self.good.items())
        return f"{counts}; {len(self.failures)} failed"


@contextmanager
def steady(door: Door, callers: Sequence[Caller]) -> Iterator[Tally]:
    """A thread for each caller and kind, one request after the other until the block ends; the last are waited for."""
    tally, over = Tally(), threading.Event()
    kinds: tuple[Kind, ...] = ("plain", "stream", "page")
    threads = [
        threading.Thread(target=_live, args=(door, caller, kind, tally, over)) for caller in callers for kind in kinds
    ]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        over.set()
        for thread in threads:
            thread.join()


def ask(door: Door, caller: Caller, kind: Kind) -> tuple[str, str | None]:
    """One request on a connection of its own: its id, and what was wrong with the answer."""
    connection = open_connection(door, caller.host)
    try:
        return _ask(connection, door, caller, kind)
    except (OSError, http.client.HTTPException) as error:
        return "", f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def open_connection(door: Door, host: str) -> http.client.HTTPSConnection:
    """To one storefront; its certificate is checked. The name is not looked up, which loopback names often can't be."""
    connection = http.client.HTTPSConnection(host, door.https_port, timeout=_WAIT_SECONDS)
    plain = socket.create_connection((caddy.ADDRESS, door.https_port), timeout=_WAIT_SECONDS)
    connection.sock = door.trust().wrap_socket(plain, server_hostname=host)
    return connection


def _live(door: Door, caller: Caller, kind: Kind, tally: Tally, over: threading.Event) -> None:
    connection: http.client.HTTPSConnection | None = None
    while not over.is_set():
        try:
            # Most clients keep a connection; so does every second kind here.
            connection = connection or open_connection(door, caller.host)
            identity, problem = _ask(connection, door, caller, kind)
        except (OSError, http.client.HTTPException) as error:
            identity, problem = "", f"{type(error).__name__}: {error}"
        tally.note(kind, identity, problem)
        if connection is not None and (problem or kind == "stream"):
            connection.close()
            connection = None
        if kind != "stream":
            time.sleep(_PAUSE_SECONDS)
    if connection is not None:
        connection.close()


def _ask(connection: http.client.HTTPSConnection, door: Door, caller: Caller, kind: Kind) -> tuple[str, str | None]:
    host = f"{caller.host}:{door.https_port}"
    if kind == "page":
        connection.request("GET", "/pricing", headers={"host": host})
    else:
        text = _STREAM if kind == "stream" else _PLAIN
        body = {"model": caller.model, "stream": kind == "stream", "max_tokens": 200}
        content = json.dumps({**body, "messages": [{"role": "user", "content": text}]})
        headers = {"host": host, "authorization": f"Bearer {caller.key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body=content, headers=headers)
    response = connection.getresponse()
    received = response.read()
    identity = response.headers.get("x-request-id", "")
    if response.status != http.HTTPStatus.OK:
        return identity, f"{response.status} {received[:300]!r}"
    if kind == "stream" and not received.rstrip().endswith(b"data: [DONE]"):
        return identity, f"the stream broke off: {received[-300:]!r}"
    if kind == "stream" and b'"error"' in received:
        return identity, f"an error in the stream: {received[-300:]!r}"
    return identity, None
