"""Requests byte for byte, for what no HTTP client would send. Judges no answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The one header of this name, None without it."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) < 2, found
        return found[0] if found else None


@contextmanager
def connection(port: int, address: str = "127.0.0.1") -> Iterator[socket.socket]:
    """An open connection."""
    with socket.create_connection((address, port), timeout=WAIT_SECONDS) as opened:
        yield opened


def exchange(port: int, request: bytes, address: str = "127.0.0.1") -> Reply | None:
    """Send these bytes and read to the end of the connection; None when it was closed without an answer.

    Ask for `connection: close`, or the server keeps it open.
    """
    with connection(port, address) as opened:
        opened.sendall(request)
        return parse(read_all(opened))


def read_all(opened: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    received = b""
    try:
        while data := opened.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def read_until(opened: socket.socket, mark: bytes) -> bytes:
    """Everything up to and with the first read that completes `mark`."""
    received = b""
    while mark not in received:
        data = opened.recv(65536)
        assert data, received
        received += data
    return received


def parse(received: bytes) -> Reply | None:
    """One answer."""
    if not received:
        return None
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Reply(int(first.split()[1]), headers, body)
