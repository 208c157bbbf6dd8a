"""Books that are wrong: rows changed behind every constraint, and what the audit says of them. Asserts nothing."""

from __future__ import annotations

import asyncpg

from reseller_kit.db import sqlite_driver
from reseller_kit.db.engine import Database
from reseller_kit.flows.audit import AuditReport


async def corrupt(db: Database, *statements: str) -> None:
    """Change rows behind the back of every constraint, as a fault of the machine or a hand would."""
    if db.backend == "sqlite":
        connection = sqlite_driver.connect(db.path, foreign_keys=False)
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)
        connection.close()
        return
    session = await asyncpg.connect(db.postgres_dsn)
    await session.execute("SET session_replication_role = replica")
    for table, check in (
        ("lot", "bounds"),
        ("lot", "whole"),
        ("account", "not_negative"),
        ("key_window", "not_negative"),
        ("clawback", "not_negative"),
        ("voucher", "not_overused"),
        ("voucher", "positive"),
    ):
        await session.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{check}")
    for statement in statements:
        await session.execute(statement)
    await session.close()


def codes(report: AuditReport) -> set[str]:
    return {finding["code"] for finding in report.findings}
