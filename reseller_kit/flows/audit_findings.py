"""Collects what the audit finds, a bounded number of each code. Judges nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from ..core.money import format_amount
from ..db import operator_audit
from ..db.operator_audit import Check, Connection

MAX_FINDINGS_PER_CHECK: Final = 100


class Findings:
    """Rows of `code`, `invariant`, `ref` and `message`; of one code at most so many, then one without a ref."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._counts: Counter[str] = Counter()

    def add(self, code: str, invariant: int, ref: str, message: str) -> None:
        """Note one, unless there are many of its code already."""
        self._counts[code] += 1
        if self._counts[code] > MAX_FINDINGS_PER_CHECK:
            if self._counts[code] > MAX_FINDINGS_PER_CHECK + 1:
                return
            ref, message = "", "There are more of these."
        self.rows.append({"code": code, "invariant": invariant, "ref": ref, "message": message})

    async def run(self, connection: Connection, check: Check) -> None:
        """Note every row that a check finds."""
        for row in await operator_audit.offenders(connection, check.statement, MAX_FINDINGS_PER_CHECK + 1):
            amounts = {name: format_amount(int(row[name])) for name in ("found", "expected") if name in row}
            self.add(check.code, check.invariant, str(row["ref"]), check.message.format(**amounts))
