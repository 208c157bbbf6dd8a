"""Where `serve` listens, and what it says where it can't."""

from __future__ import annotations

import errno
import socket

import pytest

from reseller_kit.cli.serve import _listen
from reseller_kit.core.errors import InvalidRequest
from scripts._lib.ports import free_port


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(InvalidRequest, match="already in use") as caught,
    ):
        _listen("127.0.0.1", port)
    assert "--port" in caught.value.fix


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "--host"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "--host"),
        (PermissionError(errno.EACCES, "Permission denied"), "--port"),
    ],
)
def test_what_to_do_depends_on_what_is_wrong(monkeypatch: pytest.MonkeyPatch, error: OSError, told: str) -> None:
    def bind(*_: object) -> None:
        raise error

    class Socket(socket.socket):
        pass

    Socket.bind = bind  # type: ignore[method-assign]  # a machine where it can't be had
    monkeypatch.setattr(socket, "socket", Socket)
    with pytest.raises(InvalidRequest, match=error.strerror) as caught:
        _listen("shop.example", 80)
    assert told in caught.value.fix
    assert "stop what uses it" not in caught.value.fix
