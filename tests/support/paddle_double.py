"""The double of Paddle (scripts/paddle) as tests start, steer and read it. See its --help for what it can be told."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from scripts._lib.bootstrap import ROOT
from scripts._lib.ports import free_port
from scripts._lib.processes import running

API_KEY: Final = "pdl_sdbx_apikey_double"
SECRET: Final = "pdl_ntfset_double_secret"
_LOGS: Final = itertools.count(1)


@dataclass
class PaddleDouble:
    """A running double. `url` is the `environment` of a tenant that is paid through it."""

    url: str
    api_key: str
    secret: str
    http: httpx.Client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A verb below /_double/ that has to succeed; its document."""
        answer = self.http.request(method, f"{self.url}/_double/{path}", json=body)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def api(self, method: str, path: str, body: Any = None, **params: str) -> httpx.Response:
        """A call of the API with the first account's key."""
        headers = {"authorization": f"Bearer {self.api_key}"}
        return self.http.request(method, self.url + path, json=body, params=params, headers=headers)

    def get(self, path: str, **params: str) -> Any:
        """The `data` of a GET of the API that has to succeed."""
        answer = self.api("GET", path, **params)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()["data"]

    def set(self, api_key: str = "", **settings: Any) -> Any:
        """Change settings of an account, the first one by default: webhook_url, secrets, refunds, renewals and more."""
        return self.ask("PATCH", f"accounts/{api_key}", settings)

    def fault(self, kind: str, **terms: Any) -> None:
        """Let something go wrong; `times=None` for ever."""
        self.ask("POST", "faults", {"kind": kind, **terms})

    def heal(self) -> None:
        """Take all faults away; what a shuffle holds is sent."""
        self.ask("DELETE", "faults")

    def pay(self, transaction_id: str, **buyer: str) -> dict[str, Any]:
        """Pay a transaction as a customer would, with `country` and `email` where it does not know them."""
        paid: dict[str, Any] = self.ask("POST", f"transactions/{transaction_id}/pay", buyer)
        return paid

    def decline(self, transaction_id: str, **buyer: str) -> dict[str, Any]:
        """Try to pay with a card that the bank declines."""
        found: dict[str, Any] = self.ask("POST", f"transactions/{transaction_id}/decline", buyer)
        return found

    def tamper(self, transaction_id: str, **changed: Any) -> dict[str, Any]:
        """Change `items`, `currency_code` or `custom_data` as a browser could before it pays."""
        found: dict[str, Any] = self.ask("PATCH", f"transactions/{transaction_id}", changed)
        return found

    def dispute(self, transaction_id: str, action: str = "chargeback", amount: int | None = None) -> dict[str, Any]:
        """What a bank does: `chargeback`, `chargeback_reverse`, `chargeback_warning`."""
        terms = {"transaction_id": transaction_id, "action": action, "amount": amount}
        found: dict[str, Any] = self.ask("POST", "adjustments", terms)
        return found

    def decide(self, adjustment_id: str, *, approved: bool) -> dict[str, Any]:
        """Approve a refund that waits, or reject it."""
        verb = "approve" if approved else "reject"
        found: dict[str, Any] = self.ask("POST", f"adjustments/{adjustment_id}/{verb}")
        return found

    def advance(self, *, days: float) -> None:
        """Go forward in time; what falls due on the way is renewed."""
        self.ask("POST", "clock", {"seconds": days * 86_400})

    def settle(self) -> None:
        """Wait until every notification is delivered or given up."""
        found = self.http.get(f"{self.url}/_double/idle", timeout=70).json()
        assert found["idle"], found

    def deliveries(self, event_type: str = "") -> list[dict[str, Any]]:
        """Attempts to deliver so far, oldest first."""
        found: list[dict[str, Any]] = self.ask("GET", "journal")["deliveries"]
        return [line for line in found if not event_type or line["event_type"] == event_type]

    def calls(self, method: str = "", path: str = "") -> list[dict[str, Any]]:
        """Calls of the API so far, oldest first."""
        found: list[dict[str, Any]] = self.ask("GET", "journal")["calls"]
        return [line for line in found if line["method"].startswith(method) and line["path"].startswith(path)]

    def state(self, api_key: str = "") -> dict[str, list[dict[str, Any]]]:
        """Every object of an account by kind, and its events."""
        found: dict[str, list[dict[str, Any]]] = self.ask("GET", "state")[api_key or self.api_key]
        return found


@contextmanager
def paddle_double(
    folder: Path, *options: str, api_key: str = API_KEY, secret: str = SECRET, webhook_url: str = ""
) -> Iterator[PaddleDouble]:
    """A double with one account, its log in `folder`; `options` as on its command line."""
    port = free_port()
    command: list[str | Path] = [
        sys.executable,
        ROOT / "scripts/paddle",
        "--port",
        str(port),
        "--api-key",
        api_key,
        "--secret",
        secret,
    ]
    command += ["--webhook-url", webhook_url, *options]
    log = folder / f"paddle-{next(_LOGS)}.log"
    with (
        running("paddle", command, log=log, answers_on=[("127.0.0.1", port)]),
        httpx.Client(trust_env=False, timeout=30) as client,
    ):
        yield PaddleDouble(f"http://127.0.0.1:{port}", api_key, secret, client)
