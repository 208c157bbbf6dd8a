"""What of a tenant's rows is in an archive, what stays behind and why, and what becomes of a row on its way. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ...db import tables as t

Row = dict[str, Any]

_KEYED: Final = "it is keyed with a secret that never leaves its deployment"
_SEALED: Final = "it is sealed under a key that never leaves its deployment"
_PASSING: Final = "it is over within hours or days"
LEFT_OUT: Final[Mapping[str, str]] = {
    "domain": "hosts are part of the configuration",
    "domain_claim": "a proof is given to one deployment",
    "own_upstream": "its keys are secrets",
    "tenant_route": "it is made of the configuration",
    "customer_login": _KEYED,
    "recovery_code": _KEYED,
    "api_token": _KEYED,
    "customer_link": _PASSING,
    "customer_session": _PASSING,
    "challenge": _PASSING,
    "known_device": _PASSING,
    "throttle": _PASSING,
    "member_session": _PASSING,
    "member_link": _PASSING,
    "member_passkey": "the team is invited anew",
    "token_answer": _PASSING,
    "outbox": _PASSING,
    "payment_poll": _PASSING,
    "price_notice": _PASSING,
    "inbox": "what a delivery told is among the facts of payments",
    "hook_endpoint": _SEALED,
    "hook_delivery": _SEALED,
    "hook_attempt": _SEALED,
    "stored_response": _SEALED,
    "archived_usage": "it belongs to files of this deployment",
    "archived_window": "it belongs to files of this deployment",
}
"""Table → why no row of it is in an archive."""

_FIRST: Final = ("account", "package")
TABLES: Final = (
    *_FIRST,
    *(
        table.name
        for table in t.metadata.sorted_tables
        if "tenant_id" in table.c and table.name not in {*LEFT_OUT, *_FIRST}
    ),
)
"""The tables in an archive, each behind those that it refers to."""
COST_VERSIONS: Final = "cost_version"
"""The operator's price versions that calls were reckoned by, as if they were a table."""

_BLANK: Final[Mapping[str, frozenset[str]]] = {
    "api_key": frozenset({"digest"}),
    "voucher": frozenset({"digest"}),
    "member": frozenset({"password_hash", "password_at", "totp_key_id", "totp_sealed", "totp_at", "totp_step"}),
    "purchase_order": frozenset({"settle_claim", "settle_until", "beneficiary_id"}),
    "payment_refund": frozenset({"claim"}),
}
_OPERATORS: Final[Mapping[str, frozenset[str]]] = {
    "usage_record": frozenset({"upstream", "upstream_model", "cost_nano", "cost_version", "attempts"}),
    "usage_rollup": frozenset({"cost_nano"}),
    "hold": frozenset({"call", "checkpoint", "owner", "epoch"}),
    "abuse_report": frozenset({"upstream", "end_user", "reference"}),
    "audit_log": frozenset({"before", "after"}),
}
_OPERATORS_ACCOUNTS: Final = frozenset({"upstream_cost", "upstream_payable"})
_OPERATORS_TABLES: Final = frozenset({"operation", COST_VERSIONS})
_AUTHORS: Final = frozenset({"actor", "author", "decided_by"})
_REFERENCES: Final[Mapping[str, str]] = {
    "wallet_id": "account",
    "reseller_wallet_id": "account",
    "account_id": "account",
    "package_id": "package",
    "next_package_id": "package",
}
_NUMBERED: Final = frozenset(
    table.name for table in t.metadata.sorted_tables if "id" in table.c and table.c.id.autoincrement is True
)


class Leaving:
    """Rows on their way out of one deployment. `complete`: with what only the operator may see."""

    def __init__(self, *, complete: bool) -> None:
        self._complete = complete
        self._hidden: set[int] = set()

    def takes(self, table: str) -> bool:
        """Whether any row of the table goes along."""
        return self._complete or table not in _OPERATORS_TABLES

    def row(self, table: str, row: Row) -> Row | None:
        """The row as it leaves; None for one that stays."""
        if not self._complete and self._stays(table, row):
            return None
        away = _BLANK.get(table, frozenset()) | {"tenant_id"}
        if self._complete:
            return {name: value for name, value in row.items() if name not in away}
        away |= _OPERATORS.get(table, frozenset())
        return {
            name: "operator" if name in _AUTHORS and _is_operators(value) else value
            for name, value in row.items()
            if name not in away
        }

    def _stays(self, table: str, row: Row) -> bool:
        if table == "account" and row["kind"] in _OPERATORS_ACCOUNTS:
            self._hidden.add(row["id"])
            return True
        return (table == "entry" and row["account_id"] in self._hidden) or (
            table == "price_version" and row["level"] == "cost"
        )


class Arriving(Struct, frozen=True, kw_only=True):
    """Rows on their way into another deployment at the moment `now` (µs).

    `numbers`: table → number there → number here, filled as its rows arrive.
    """

    now: int
    numbers: dict[str, dict[int, int]]

    def row(self, table: str, row: Row) -> Row:
        """The row as it is added here."""
        found = {
            name: self.numbers[_REFERENCES[name]][value] if name in _REFERENCES and value is not None else value
            for name, value in row.items()
            if not (name == "id" and table in _NUMBERED)
        }
        match table:
            case "api_key" | "voucher":
                # Its text is known to its holder alone, and its hash is keyed: it can't work here.
                return {**found, "digest": os.urandom(32), "revoked_at": found["revoked_at"] or self.now}
            case "member":
                state = "removed" if found["status"] == "removed" else "invited"
                return {**found, "status": state, "invited_at": None, "accepted_at": None}
            case "usage_record":
                # The sums arrive beside it: what is stamped before all time is never summed again.
                return {**found, "settled_at": -1}
            case "scheduled_price" if found["state"] == "waiting":
                return {**found, "state": "cancelled", "ended_at": self.now}
            case _:
                return found


def _is_operators(who: object) -> bool:
    return isinstance(who, str) and who.partition(":")[0] in {"cli", "operator"}
