"""Counts the requests that each client makes for one user action when it is refused; prints a table.

Run `.venv/bin/python -m tests.support.clients.measure [--case NAME] [CLIENT…]`. Takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.support.clients.outcome import Client, Task
from tests.support.clients.recorder import Refusal, recording
from tests.support.clients.rows import MODELS, every_client

AT_ONCE: Final = 10
DIALECTS: Final = ("chat", "responses", "anthropic", "gemini")
SENTENCE: Final = "Aurora AI: this request was refused. See http://127.0.0.1/account."


@dataclass(frozen=True)
class Case:
    """A refusal: its status and each dialect's word for it, in the order of DIALECTS."""

    name: str
    status: int
    words: tuple[str, str, str, str]
    headers: dict[str, str] = field(default_factory=dict)
    in_stream: bool = False


@dataclass(frozen=True)
class Count:
    """What came of a case. `ended`: the client gave up by itself within the patience of its driver."""

    client: str
    case: str
    final: bool
    requests: int
    seconds: float
    ended: bool
    said: str


CASES: Final = (
    Case("400", 400, ("invalid_request", "invalid_request", "invalid_request_error", "INVALID_ARGUMENT")),
    Case("401", 401, ("invalid_api_key", "invalid_api_key", "authentication_error", "UNAUTHENTICATED")),
    Case("402", 402, ("insufficient_quota", "insufficient_quota", "billing_error", "FAILED_PRECONDITION")),
    Case("403", 403, ("account_suspended", "account_suspended", "permission_error", "PERMISSION_DENIED")),
    Case("404", 404, ("model_not_found", "model_not_found", "not_found_error", "NOT_FOUND")),
    Case("413", 413, ("request_too_large", "request_too_large", "request_too_large", "INVALID_ARGUMENT")),
    Case("429 quota", 429, ("insufficient_quota", "insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED")),
    Case(
        "429 rate, retry-after 1",
        429,
        ("rate_limit_exceeded", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"),
        {"retry-after": "1"},
    ),
    Case("500", 500, ("server_error", "server_error", "api_error", "INTERNAL")),
    Case("503", 503, ("service_unavailable", "service_unavailable", "overloaded_error", "UNAVAILABLE")),
    Case("529", 529, ("service_unavailable", "service_unavailable", "overloaded_error", "UNAVAILABLE")),
    Case(
        "stream: quota",
        200,
        ("insufficient_quota", "insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED"),
        in_stream=True,
    ),
    Case(
        "stream: too long",
        200,
        ("context_length_exceeded", "context_length_exceeded", "invalid_request_error", "INVALID_ARGUMENT"),
        in_stream=True,
    ),
    Case(
        "stream: overloaded",
        200,
        ("server_error", "server_is_overloaded", "overloaded_error", "UNAVAILABLE"),
        in_stream=True,
    ),
    Case("stream: cut", 200, ("", "", "", ""), in_stream=True),
)


def main() -> int:
    """Exit code 0 when everything was counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write each count as a line of JSON")
    parser.add_argument("--case", action="append", default=[], help="only this refusal; may be repeated")
    parser.add_argument("clients", nargs="*")
    arguments = parser.parse_args()
    chosen = [one for one in every_client() if not arguments.clients or one.name in arguments.clients]
    wanted = [
        (client, case, final)
        for case in CASES
        if not arguments.case or case.name in arguments.case
        for final in ((False,) if case.in_stream else (False, True))
        for client in chosen
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counts = list(pool.map(lambda one: _count(one[0], one[1], arguments.json, final=one[2]), wanted))
    print("\n".join(_table(chosen, counts)))
    return 0


def _count(client: Client, case: Case, report: Path | None, *, final: bool) -> Count:
    headers = {**case.headers, **({"x-should-retry": "false"} if final else {})}
    word = case.words[DIALECTS.index(client.dialect)]
    with recording() as recorder, tempfile.TemporaryDirectory(prefix="measure-") as folder:
        recorder.will(refusal=Refusal(case.status, word, SENTENCE, headers, case.in_stream))
        task = Task("stream", recorder.origin, "sk_measured", MODELS[client.dialect], "Say hello.", Path(folder))
        began, said, ended = time.monotonic(), "", True
        try:
            outcome = client.run(task)
            said = outcome.error or f"answered {outcome.text!r}"
        except subprocess.TimeoutExpired:
            ended = False
        except Exception as error:  # noqa: BLE001  # whatever a client's own code raises is what its user sees
            said = f"{type(error).__name__}: {error}"
        count = Count(
            client.name, case.name, final, len(recorder.asked), round(time.monotonic() - began, 1), ended, said
        )
    if report is not None:
        with report.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(count)) + "\n")
    return count


def _table(clients: list[Client], counts: list[Count]) -> Iterator[str]:
    """A row per refusal, a column per client: requests as they come, then with `x-should-retry: false`."""
    found = {(one.client, one.case, one.final): one for one in counts}
    yield "| refusal | " + " | ".join(client.name for client in clients) + " |"
    yield "| --- |" + " --- |" * len(clients)
    for case in CASES:
        cells = [" / ".join(_cell(found, client, case)) for client in clients]
        if any(cells):
            yield f"| {case.name} | " + " | ".join(cells) + " |"


def _cell(found: Mapping[tuple[str, str, bool], Count], client: Client, case: Case) -> Iterator[str]:
    for final in (False, True):
        one = found.get((client.name, case.name, final))
        if one is not None:
            yield f"{one.requests}{'' if one.ended else '+'}"


if __name__ == "__main__":
    sys.exit(main())
