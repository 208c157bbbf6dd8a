"""One API request on its way, and the plain ways to answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct, field

from ...core.rates import rates_of
from ...core.storefront import Storefront
from ...db.authentication import KeyAccount
from ...db.engine import now_us
from ...flows import call as calls
from ...flows.call.job import Job
from ...telemetry.access import Note
from ...wire.conversation_name import session_of
from ...wire.errors import Dialect
from ...wire.rate_headers import rate_headers
from ..hosts import Headers, Named, Scope
from ..responses import JSON, Header, Receive, Send, Writer, respond
from .body import read_body

_MAX_HEADER_BYTES: Final = 1000


class Request(Struct, frozen=True, eq=False):
    """One API request on its way."""

    id: str
    scope: Scope
    receive: Receive
    send: Send
    storefront: Storefront
    path: str
    method: str
    headers: Headers
    named: Named
    dialect: Dialect
    started_ns: int
    now: int
    note: Note = field(default_factory=Note)
    """What is found out about it, for the log."""
    writer: Writer | None = None
    """What whole answers may go through at once."""

    def body(self) -> Awaitable[bytes]:
        """The whole body. Raises what `read_body` does."""
        return read_body(self.receive, self.headers, self.named)

    def caller(self, account: KeyAccount) -> calls.Caller:
        """Who calls, for a flow."""
        return calls.Caller(
            request_id=self.id,
            storefront=self.storefront.as_met_by(account.group_id),
            account=account,
            dialect=self.dialect,
            started_ns=self.started_ns,
            now=self.now,
            session=session_of(self.named),
            note=self.note,
        )


Handler = Callable[[Request, KeyAccount], Awaitable[int]]


def id_headers(request_id: str, dialect: str) -> list[Header]:
    """The request's id, as every answer bears it, and under the name that Anthropic's clients read."""
    value = request_id.encode()
    return [(b"x-request-id", value), (b"request-id", value)] if dialect == "anthropic" else [(b"x-request-id", value)]


def call_headers(job: Job) -> list[Header]:
    """What an answer says of its call beside its body."""
    headers = id_headers(job.caller.request_id, job.caller.dialect)
    if job.admission.limits:
        rates = rates_of(job.admission.limits, job.admission.room)
        headers += rate_headers(rates, job.caller.dialect, now_us())
    if job.lowered:
        headers.append((b"x-output-limit", b"%d" % job.output_limit))
    if job.left_out:
        headers.append((b"x-left-out", ", ".join(job.left_out).encode("ascii", "replace")[:_MAX_HEADER_BYTES]))
    return headers


async def send_json(request: Request, body: bytes) -> int:
    """A 200 that is not kept by anyone."""
    headers = (JSON, (b"cache-control", b"no-store"), *id_headers(request.id, request.dialect))
    await respond(request.send, 200, headers, body, head=request.method == "HEAD", writer=request.writer)
    return 200
