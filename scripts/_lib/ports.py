"""Which TCP ports of this machine are free, and which answer. Starts nothing."""

from __future__ import annotations

import socket
from collections.abc import Sequence


def free_port(*hosts: str, preferred: int = 0) -> int:
    """A port that was free a moment ago on every one of `hosts` (127.0.0.1 by default).

    `preferred` or one of the nine after it where possible, else any. Raises OSError when no such port is found.
    """
    wanted: Sequence[str] = hosts or ("127.0.0.1",)
    candidates = [*(range(preferred, preferred + 10) if preferred else ()), *([0] * 100)]
    for candidate in candidates:
        port = _free_on(wanted[0], candidate)
        if port is not None and all(_free_on(host, port) for host in wanted[1:]):
            return port
    raise OSError(f"no port is free on all of {', '.join(wanted)}")


def is_listening(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def _free_on(host: str, port: int) -> int | None:
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        # A port whose last connections are still fading is free to a server, which sets this too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return None
        found: int = probe.getsockname()[1]
        return found


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
