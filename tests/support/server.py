"""The real programs for end-to-end tests: the command line, the server and the upstream emulator, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts._lib.bootstrap import ROOT
from scripts._lib.commands import run_here
from scripts._lib.ports import free_port
from scripts._lib.processes import Child, running

PRODUCT = (sys.executable, "-m", "reseller_kit")
COMMAND_SECONDS = 60


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Installation:
    """One installation of the product: its data and its environment. Several servers may run on it."""

    folder: Path
    environment: Mapping[str, str] = field(repr=False)  # a failing test must not print the machine's

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run a command as an operator would, without a terminal."""
        done = subprocess.run(
            [*PRODUCT, *arguments],
            cwd=ROOT,
            env=dict(self.environment),
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def ask(self, *arguments: str) -> Any:
        """Run a command with --json, in this process, that has to succeed; the document."""
        result = Result(*run_here([*arguments, "--json"], self.environment))
        assert result.code == 0, f"{arguments} ended with {result.code}:\n{result.stdout}{result.stderr}"
        return result.json()

    @contextmanager
    def serving(self, *hosts: str, port: int = 0, options: Sequence[str] = ()) -> Iterator[Server]:
        """A server on each of `hosts`, with further `options` of `serve`; stopped at the end."""
        chosen = port or free_port(*hosts)
        command = [
            *PRODUCT,
            "serve",
            "--port",
            str(chosen),
            *(part for host in hosts for part in ("--host", host)),
            *options,
        ]
        log = self.folder / f"server-{chosen}.log"
        answers_on = [(host, chosen) for host in hosts]
        with running("the server", command, log=log, answers_on=answers_on, environment=self.environment) as child:
            yield Server(hosts, chosen, child)


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    hosts: tuple[str, ...]
    port: int
    child: Child

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        """An absolute URL on one of its hosts, the first by default."""
        return f"http://{host or self.hosts[0]}:{self.port}{path}"


@dataclass(frozen=True)
class Emulator:
    """A running upstream and its journal."""

    port: int
    journal_path: Path
    child: Child

    @property
    def origin(self) -> str:
        """Its address without a path: what a tenants.toml calls it in dialects other than OpenAI's."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What a tenants.toml calls it."""
        return f"{self.origin}/v1"

    def journal(self) -> list[dict[str, Any]]:
        """What it answered so far, oldest first."""
        return [json.loads(line) for line in self.journal_path.read_text().splitlines()]


def make_installation(folder: Path, database_url: str | None = None, **extra: str) -> Installation:
    """A fresh installation in `folder`, on SQLite there unless another database is given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESELLER_KIT_")}
    environment = {**inherited, "RESELLER_KIT_DATA_DIR": str(folder / "data"), **extra}
    if database_url is not None:
        environment["RESELLER_KIT_DATABASE_URL"] = database_url
        # A server database holds no key of its own; SQLite keeps one beside the file.
        environment.setdefault("RESELLER_KIT_SECRET_KEY", "a-key-that-only-this-test-uses-0123456789")
    return Installation(folder, environment)


@contextmanager
def emulator(folder: Path, *options: str) -> Iterator[Emulator]:
    """The upstream emulator on a free loopback port, with a journal in `folder`."""
    port, journal = free_port(), folder / f"journal-{len(list(folder.glob('journal-*')))}.jsonl"
    program: Sequence[str] = (sys.executable, str(ROOT / "scripts" / "emulator"))
    command = [*program, "--host", "127.0.0.1", "--port", str(port), "--journal", str(journal), *options]
    with running("the emulator", command, log=folder / f"emulator-{port}.log", answers_on=[("127.0.0.1", port)]) as c:
        yield Emulator(port, journal, c)
