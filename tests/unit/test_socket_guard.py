from __future__ import annotations

import socket

import pytest

from tests.support.sockets import LeftTheMachine, is_local


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "aurora.localhost", "", None])
def test_loopback_is_local(host: str | None) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "localhost.example.org", "::ffff:192.0.2.1", 7])
def test_anything_else_is_not(host: object) -> None:
    assert not is_local(host)


def test_a_connection_that_would_leave_the_machine_is_refused() -> None:
    with socket.socket() as client, pytest.raises(LeftTheMachine):
        client.connect(("192.0.2.1", 80))


def test_a_name_that_would_need_a_name_server_is_refused() -> None:
    with pytest.raises(LeftTheMachine):
        socket.getaddrinfo("example.org", 443)


def test_loopback_still_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        assert client.getpeername() == server.getsockname()
