"""`doctor`: looks for what is missing or wrong."""

from __future__ import annotations

import os
from typing import Any

import click
import msgspec

from ..db.engine import Database
from ..flows.complaint import Complaint
from ..flows.doctor import examine
from ..flows.doctor_machine import about_unread, examine_machine
from ..flows.doctor_payments import examine_payments
from ..flows.doctor_server import examine_server
from ..settings import unread
from ..vault import Vault
from .failures import DONE, FINDINGS
from .invocation import current, with_vault
from .options import TEXT, Command
from .output import emit


@click.command(cls=Command)
@click.option(
    "--server", metavar="URL", type=TEXT, help="Also ask a running server: is it ready, whom lets its gate in?"
)
def doctor(server: str | None) -> int:
    """Look for what is missing or wrong, on this machine, on the platform and at every tenant."""
    settings = current().settings

    async def work(db: Database, vault: Vault) -> list[Complaint]:
        found = list(about_unread(unread(os.environ)))
        found += await examine_machine(db, settings.data_dir, settings.secret_key_file)
        found += await examine(db)
        found += await examine_payments(db, vault)
        return found if server is None else found + await examine_server(db, server)

    found = with_vault(work)
    emit({"ok": not found, "findings": as_documents(found)}, *described(found))
    return FINDINGS if found else DONE


def as_documents(found: list[Complaint]) -> list[dict[str, Any]]:
    """Findings as JSON."""
    return [msgspec.to_builtins(complaint) for complaint in found]


def described(found: list[Complaint]) -> list[str]:
    """Findings for people, three lines each."""
    if not found:
        return ["Nothing is wrong."]
    return [f"{c.where}: {c.level} {c.code}\n  {c.message}\n  {c.fix}" for c in found]
