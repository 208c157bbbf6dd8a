"""HTTP/1.1 connections as uvicorn serves them, but for a request target that names a host. Answers nothing itself."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Connection(HttpToolsProtocol):
    """One client's connection.

    A target in absolute form (`GET http://shop.example/ HTTP/1.1`) outranks the Host header (RFC 9112, section
    3.2.2), and ASGI drops it. Where the two differ the target's host is added as a second Host, so that the one place
    that looks at hosts refuses the request.
    """

    def on_headers_complete(self) -> None:
        """Parser: the head is whole."""
        if not self.url.startswith(b"/"):
            self._claim_host()
        super().on_headers_complete()

    def _claim_host(self) -> None:
        _, separator, rest = self.url.partition(b"://")
        if not separator:
            return
        host = rest.partition(b"/")[0].partition(b"?")[0].partition(b"#")[0].lower()
        named = {value.lower() for name, value in self.headers if name == b"host"}
        if named and host not in named:
            self.headers.append((b"host", host))
