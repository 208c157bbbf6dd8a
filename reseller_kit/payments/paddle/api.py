"""Asking Paddle's API through its SDK: raw calls in threads, decoded here. Knows no order and no payment.

The SDK is synchronous and one of its clients serves one thread; its entities raise after a request that succeeded, so
that only its raw calls are used. Answers are read up to a bound, redirects are not followed, and the machine's proxy
settings are not looked at.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct
from requests import RequestException, Response, Session
from requests.adapters import HTTPAdapter

from ...core.errors import InvalidRequest, ServiceUnavailable

if TYPE_CHECKING:
    from paddle_billing import Client
    from paddle_billing.Environment import Environment

T = TypeVar("T")
Params = Mapping[str, str]

_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 15.0
_WHOLE_SECONDS: Final = 40.0
_MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_PAGES: Final = 10_000
_THREADS: Final = 16
_AT_ONCE: Final = 4
"""Requests of one account under way at a time, so that no account takes all threads."""
_TRIES: Final = 3
_PATIENCE_SECONDS: Final = 5
"""How long somebody who waits for a page is kept waiting by `Retry-After`; more is an error with that time in it."""
_LONG_PATIENCE_SECONDS: Final = 65
"""The same for what runs by itself: the provider counts by the minute."""

_log = logging.getLogger(__name__)
_pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="paddle")


class Refused(InvalidRequest):
    """The provider refuses the request. `status` and `reason` (its own code) are for whoever decides what to do."""

    def __init__(self, message: str, *, status: int, reason: str) -> None:
        super().__init__(message)
        self.provider_status = status
        self.reason = reason


class _Answered(Exception):
    """An answer that is no success, on its way out of the SDK."""

    def __init__(self, status: int, retry_after: str, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after
        self.body = body


class _TooLong(Exception):
    """An answer over the bound."""


class _Fault(Struct, frozen=True):
    code: str = ""
    detail: str = ""


class _FaultBody(Struct, frozen=True):
    error: _Fault = _Fault()


class _Pagination(Struct, frozen=True):
    next: str | None = None
    has_more: bool = False


class _Meta(Struct, frozen=True):
    pagination: _Pagination = _Pagination()


class _Body(Struct, frozen=True):
    data: msgspec.Raw
    meta: _Meta = _Meta()


class _At(Struct, frozen=True):
    base_url: str


class Api:
    """One account's API. Raises Refused for a 4xx, ServiceUnavailable when there is no usable answer."""

    def __init__(self, api_key: str, base_url: str) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._local = threading.local()
        self._sessions: list[Session] = []
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def get(self, path: str, into: type[T], params: Params | None = None) -> T:
        """The object at a path."""
        return _data(await self._ask("GET", path, params=params), into)

    async def post(self, path: str, payload: Mapping[str, Any], into: type[T]) -> T:
        """What a request made. After ServiceUnavailable nobody knows whether it was done."""
        return _data(await self._ask("POST", path, payload=payload), into)

    async def patch(self, path: str, payload: Mapping[str, Any], into: type[T]) -> T:
        """What a change made of an object."""
        return _data(await self._ask("PATCH", path, payload=payload), into)

    async def each(
        self, path: str, into: type[T], params: Mapping[str, str], *, hurried: bool = True
    ) -> AsyncIterator[T]:
        """Every object of a list, page after page. Not `hurried`: waits as long as the provider asks for."""
        asked = dict(params)
        for _ in range(_MAX_PAGES):
            body = await self._ask("GET", path, params=asked, hurried=hurried)
            for item in _data(body, list[msgspec.Raw]):
                try:
                    yield msgspec.json.decode(item, type=into)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    # One that is not understood must not hide all others.
                    _log.warning("an object of %s is passed over: it is not in a form that is understood", path)
            pagination = body.meta.pagination
            following = dict(parse_qsl(urlsplit(pagination.next or "").query))
            # Only its parameters are taken over: the key goes to no other place than the one it is for.
            if not pagination.has_more or not following or following == asked:
                return
            asked = following

    def close(self) -> None:
        """Close the connections; requests under way end on their own."""
        for session in self._sessions:
            session.close()

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        payload: Mapping[str, Any] | None = None,
        hurried: bool = True,
    ) -> _Body:
        patience = _PATIENCE_SECONDS if hurried else _LONG_PATIENCE_SECONDS
        for tries_left in reversed(range(_TRIES)):
            try:
                async with self._room:
                    content = await self._in_thread(method, path, params, payload)
                return _decoded(content)
            except _Answered as answer:
                wait = _pause(answer, method)
                if wait is None or wait > patience or not tries_left:
                    raise _failure(answer) from None
                await asyncio.sleep(wait)
            except (RequestException, TimeoutError, _TooLong, OSError):
                if method != "GET" or not tries_left:
                    raise _away() from None
        raise _away()

    async def _in_thread(
        self, method: str, path: str, params: Params | None, payload: Mapping[str, Any] | None
    ) -> bytes:
        async with asyncio.timeout(_WHOLE_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(
                _pool, self._request, method, path, dict(params or {}), None if payload is None else dict(payload)
            )

    def _request(self, method: str, path: str, params: dict[str, str], payload: dict[str, Any] | None) -> bytes:
        client, url = self._client(), self._base_url + path
        if method == "GET":
            response = client.get_raw(url, params or None)
        else:
            response = (client.post_raw if method == "POST" else client.patch_raw)(url, payload)
        return bytes(response.content)

    def _client(self) -> Client:
        """This thread's client."""
        client = getattr(self._local, "client", None)
        if client is None:
            # A tenth of what a process takes to start, for those who sell through it alone.
            from paddle_billing import Client, Options  # noqa: PLC0415

            options = Options(environment=cast("Environment", _At(self._base_url)))
            client = Client(self._api_key, options=options, retry_count=0)
            # requests takes a pair; the SDK's type names a single number.
            client.timeout = cast("float", (_CONNECT_SECONDS, _READ_SECONDS))
            session = client.client
            session.trust_env = False
            session.hooks["response"] = [_receive]
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=0))
            self._local.client = client
            self._sessions.append(session)
        return cast("Client", client)


def _receive(response: Response, *_: object, **__: object) -> None:
    """Read an answer up to the bound, and leave the SDK at once with one that is no success."""
    parts, size = [], 0
    for part in response.iter_content(65_536):
        size += len(part)
        if size > _MAX_BYTES:
            response.close()
            raise _TooLong
        parts.append(part)
    body = b"".join(parts)
    if not 200 <= response.status_code < 300:
        raise _Answered(response.status_code, response.headers.get("retry-after", ""), body)
    response._content = body  # noqa: SLF001  # what `content` gives: it is read already


def _pause(answer: _Answered, method: str) -> float | None:
    """Seconds until it makes sense to ask again; None where it makes none. A 429 was not carried out, a 5xx may be."""
    if answer.status == 429:
        return float(answer.retry_after) if answer.retry_after.isdecimal() else 1.0
    return 0.3 if method == "GET" and answer.status >= 500 else None


def _failure(answer: _Answered) -> Refused | ServiceUnavailable:
    if answer.status == 429 or not 400 <= answer.status < 500:
        failed = _away()
        failed.retry_after_seconds = int(answer.retry_after) if answer.retry_after.isdecimal() else None
        return failed
    try:
        fault = msgspec.json.decode(answer.body, type=_FaultBody).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        fault = _Fault()
    detail = fault.detail[:300] or f"status {answer.status}"
    return Refused(f"The payment provider refuses: {detail}", status=answer.status, reason=fault.code[:100])


def _away() -> ServiceUnavailable:
    return ServiceUnavailable(
        "The payment provider does not answer right now.", fix="Try again in a moment; nothing was charged."
    )


def _decoded(content: bytes) -> _Body:
    try:
        return msgspec.json.decode(content, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _away() from None


def _data(body: _Body, into: type[T]) -> T:
    try:
        return msgspec.json.decode(body.data, type=into)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ServiceUnavailable(
            "The payment provider's answer is not one that is understood.", fix="Look whether there is an update."
        ) from None
