"""How much memory the audit's comparison of charts takes on SQLite, which keeps in memory what it sorts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from reseller_kit.db import tables as t
from reseller_kit.db.engine import Database

pytestmark = [pytest.mark.thorough, pytest.mark.parametrize("backend", ["sqlite"])]

QUARTERS = 200_000
# The most that a process has used according to wait4() begins with that of whoever started it.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.db.operator_rollup_checks import totals_apart

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

async def main():
    db = Database(sys.argv[1])
    async with db.read(EVERY_TENANT) as connection:
        await totals_apart(connection, 99)
        before = peak()
        found = await totals_apart(connection, None)
        print(len(found), peak() - before)
    await db.close()

asyncio.run(main())
"""


async def test_charts_are_compared_in_little_memory_however_many_rows_they_have(db: Database) -> None:
    numbers = f"WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {QUARTERS})"
    ones = ", ".join("1" for _ in t.SUMMED)
    rolled = f"INSERT INTO usage_rollup (tenant_id, customer_id, quarter_at, model, key_id, {', '.join(t.SUMMED)})"
    summed = f"INSERT INTO usage_total (tenant_id, customer_id, grain, at, model, key_id, {', '.join(t.TOTALLED)})"
    async with db.administer() as connection:
        await connection.execute(
            text(f"{rolled} {numbers} SELECT 1, 'cus_' || (n % 100), n * 900000000, 'm', 'k', {ones} FROM n")
        )
        await connection.execute(
            text(
                f"{summed} {numbers} SELECT 1, 'cus_' || (n % 100), 'quarter', n * 900000000, '', '', 1, 1, 1, 1 FROM n"
            )
        )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"sqlite+aiosqlite:///{db.path}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    differing, kilobytes = map(int, done.stdout.split())
    # Sums by day are missing: all hundred customers are named. A hundred bytes a row would be 60 MB.
    assert differing == 100
    assert kilobytes < 10_000
