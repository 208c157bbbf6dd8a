"""Where an upstream lives and how its requests begin, as bytes made once. Opens no connection, holds no credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import astuple

from ..core.deadlines import Deadlines
from ..core.errors import InvalidRequest

USER_AGENT = "reseller-kit"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20\x21-\x7e\t]*[\x21-\x7e])?")
_PATH = re.compile(r"(/[\x21\x22\x24-\x3e\x40-\x7e]*)*")
_QUERY = re.compile(r"[A-Za-z0-9._~=&-]{0,200}")
_HOST = re.compile(r"[0-9a-z._-]{1,253}|[0-9a-f:.]{2,45}")
_OWN = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "accept-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
    }
)


class Queueing(msgspec.Struct, frozen=True, kw_only=True):
    """Who may wait while all of `max_concurrency` is under way: how many, how many of one storefront, how long."""

    length: int = 1000
    length_per_tenant: int = 500
    seconds: float = 30.0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One provider address with its deadlines, extra headers and bounds. Make it with `endpoint()`.

    `keep_alive_seconds` is how long an unused connection is kept. Headers may be secret: never in `repr`.
    `public_only`: never connected to at an address that is not on the public internet.
    """

    name: str
    scheme: str
    host: str
    port: int
    prefix: str
    deadlines: Deadlines = Deadlines()
    keep_alive_seconds: float = 20.0
    max_concurrency: int = 1000
    queue: Queueing = Queueing()
    headers: tuple[tuple[str, str], ...] = ()
    ca_file: str | None = None
    public_only: bool = False

    @property
    def authority(self) -> str:
        """The Host header: brackets around IPv6, no default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r}, {self.scheme}://{self.authority}{self.prefix})"


def endpoint(
    name: str,
    base_url: str,
    *,
    deadlines: Deadlines | None = None,
    keep_alive_seconds: float = 20.0,
    max_concurrency: int = 1000,
    queue: Queueing | None = None,
    headers: Iterable[tuple[str, str]] = (),
    ca_file: str | None = None,
    public_only: bool = False,
) -> Endpoint:
    """Check a configured address and its headers and split the URL.

    Raises InvalidRequest with `param` set when the URL, a header or a bound can't be used.
    """
    scheme, host, port, prefix = _split(base_url)
    deadlines, queue = deadlines or Deadlines(), queue or Queueing()
    if not all(0 < seconds <= 3600 for seconds in (*astuple(deadlines), keep_alive_seconds)):
        raise InvalidRequest("An upstream's timeouts are seconds above 0, 3600 at most.", param="timeouts")
    if not 1 <= max_concurrency <= 100_000:
        raise InvalidRequest("An upstream's max_concurrency is from 1 to 100000.", param="max_concurrency")
    if not (0 < queue.seconds <= 3600 and queue.length >= 1 and queue.length_per_tenant >= 1):
        raise InvalidRequest("An upstream's queue has room for one request or more, for up to 3600 s.", param="queue")
    static = tuple((header.lower(), value) for header, value in headers)
    for header, value in static:
        _check_header(header, value)
    return Endpoint(
        name=name,
        scheme=scheme,
        host=host,
        port=port,
        prefix=prefix,
        deadlines=deadlines,
        keep_alive_seconds=keep_alive_seconds,
        max_concurrency=max_concurrency,
        queue=queue,
        headers=static,
        ca_file=ca_file,
        public_only=public_only,
    )


def request_head(target: Endpoint, method: str, path: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """The request line and headers as bytes, without content-length and the closing empty line (`Pool.send` adds both).

    Headers given here win over the endpoint's own of the same name, and those over the default user agent.
    The path may have a query that needs no escapes. Raises InvalidRequest when it or a header would not be safe on the
    wire.
    """
    place, _, query = path.partition("?")
    if not (_PATH.fullmatch(place) and _QUERY.fullmatch(query)):
        raise InvalidRequest("An upstream path is printable ASCII and begins with '/'.", param="path")
    merged = {"user-agent": USER_AGENT, **dict(target.headers)}
    for name, value in headers:
        _check_header(name, value)
        merged[name.lower()] = value
    lines = [f"{method} {target.prefix}{path} HTTP/1.1", f"host: {target.authority}", "accept-encoding: identity"]
    lines += [f"{name}: {value}" for name, value in merged.items()]
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _split(base_url: str) -> tuple[str, str, int, str]:
    fix = "Write http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH, without user, query or fragment."
    try:
        url = urlsplit(base_url)
        host, port = (url.hostname or "").rstrip("."), url.port
    except ValueError as error:
        raise InvalidRequest("An upstream's base_url is not a URL.", param="base_url", fix=fix) from error
    prefix = url.path.rstrip("/")
    extra = url.query or url.fragment or "@" in url.netloc or port == 0
    if url.scheme not in ("http", "https") or extra or not _HOST.fullmatch(host) or not _PATH.fullmatch(prefix):
        raise InvalidRequest("An upstream's base_url is not a plain http or https URL.", param="base_url", fix=fix)
    return url.scheme, host, port or (443 if url.scheme == "https" else 80), prefix


def is_header_value(text: str) -> bool:
    """Whether a header may have it: visible ASCII, with spaces inside only."""
    return _VALUE.fullmatch(text) is not None


def _check_header(name: str, value: str) -> None:
    """The message names the header, never its value: that may be a credential."""
    if not _TOKEN.fullmatch(name):
        raise InvalidRequest("An upstream header's name is not a valid token.", param="headers")
    if name.lower() in _OWN:
        raise InvalidRequest(f"The upstream header {name.lower()!r} is set by the client itself.", param="headers")
    if not is_header_value(value):
        raise InvalidRequest(
            f"The upstream header {name.lower()!r} has a value with control or non-ASCII characters, or none at all.",
            param="headers",
        )
