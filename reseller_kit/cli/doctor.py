"""`doctor`: looks for what is missing or wrong."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from ..flows.doctor import Complaint, examine
from .failures import DONE, FINDINGS
from .invocation import with_vault
from .options import Command
from .output import emit


@click.command(cls=Command)
def doctor() -> int:
    """Look for what is missing or wrong, on the platform and at every tenant."""
    found = with_vault(lambda db, _vault: examine(db))
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
