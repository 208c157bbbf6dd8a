"""The command line in this process: quick enough to be run hundreds of times. Starts no server."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from reseller_kit.cli.root import run
from reseller_kit.db.engine import Database
from tests.support.factories import SECRET_KEY

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Cli:
    """Runs commands on one database, in an environment of their own."""

    folder: Path
    database_url: str
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """What the commands see."""
        return {
            "RESELLER_KIT_DATA_DIR": str(self.folder),
            "RESELLER_KIT_DATABASE_URL": self.database_url,
            "RESELLER_KIT_SECRET_KEY": SECRET_KEY,
            **self.extra,
        }

    def run(self, *arguments: str) -> Result:
        """Run one command."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(arguments, self.environ)
        return Result(code, out.getvalue(), err.getvalue())

    def ask(self, *arguments: str) -> Any:
        """Run a command with --json that has to succeed; the document."""
        result = self.run(*arguments, "--json")
        assert result.code == 0, f"{arguments} ended with {result.code}:\n{result.stdout}{result.stderr}"
        return result.json()

    def refused(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a command with --json that has to fail; the exit code and the error."""
        result = self.run(*arguments, "--json")
        assert result.code != 0, f"{arguments} was done:\n{result.stdout}"
        return result.code, result.json()["error"]

    def seed(self, work: Callable[[Database], Awaitable[T]]) -> T:
        """Run factories on the database."""

        async def seeded() -> T:
            db = Database(self.database_url)
            try:
                return await work(db)
            finally:
                await db.close()

        return asyncio.run(seeded())
