"""What all connections share: the accounts, the courier, the faults that are left and the journal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from scripts._paddle.account import Account, Entity
from scripts._paddle.clock import Clock
from scripts._paddle.deliveries import Courier
from scripts._paddle.errors import Refused
from scripts._paddle.faults import Faults

JOURNAL_LINES: Final = 50_000
"""Of calls and of deliveries; older ones are forgotten."""


@dataclass(frozen=True)
class Options:
    """How this double behaves. `rate_limit`: calls of the API a minute, None for no limit."""

    retry_seconds: float = 0.2
    retries: int = 10
    rate_limit: int | None = None


@dataclass
class World:
    """Accounts by API key. `root` is the URL of the double; `calls` and `deliveries` are its journal."""

    root: str
    options: Options = field(default_factory=Options)
    faults: Faults = field(default_factory=Faults)
    accounts: dict[str, Account] = field(default_factory=dict)
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=JOURNAL_LINES))
    deliveries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=JOURNAL_LINES))

    def __post_init__(self) -> None:
        """Begin to deliver; needs a running loop."""
        self.courier = Courier(self.faults, self.deliveries, self.options.retry_seconds, self.options.retries)

    def open_account(self, api_key: str, secrets: list[str], webhook_url: str | None) -> Account:
        """An account without anything in it."""
        account = Account(
            api_key,
            self.root,
            Clock(),
            secrets=secrets,
            webhook_url=webhook_url,
            default_checkout_url=f"{self.root}/checkout",
        )
        account.listeners.append(self.courier.listen)
        self.accounts[api_key] = account
        return account

    def by_authorization(self, header: str | None) -> Account:
        """Whose key stands in the header `Authorization`. Raises Refused."""
        if header is None:
            raise Refused(403, "authentication_missing", "Authentication header missing.")
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            detail = "Authentication header included, but incorrectly formatted."
            raise Refused(403, "authentication_malformed", detail)
        account = self.accounts.get(key.strip())
        if account is None:
            raise Refused(403, "invalid_token", "Authentication token is not valid, was revoked or has expired.")
        return account

    def holder(self, kind: str, identifier: str) -> tuple[Account, Entity] | None:
        """An object of any account, and whose it is."""
        for account in self.accounts.values():
            if identifier in account.tables[kind]:
                return account, account.tables[kind][identifier]
        return None
