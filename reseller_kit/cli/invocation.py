"""What one run of the command line knows: its environment, its form of output, and how it reaches the database."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import click

from ..settings import Settings, load
from .served import port_of

if TYPE_CHECKING:
    from ..db.engine import Database
    from ..db.ledger import LedgerWriter
    from ..vault import Vault

T = TypeVar("T")


@dataclass
class Invocation:
    """One run: carried by click as the context's object."""

    environ: Mapping[str, str]
    as_json: bool = False

    @cached_property
    def settings(self) -> Settings:
        """The settings, read when a command first asks for them."""
        return load(self.environ)

    @property
    def port(self) -> int:
        """Where links lead to that name a loopback host."""
        return port_of(self.settings.data_dir)


def current() -> Invocation:
    """The run that the present command belongs to."""
    return click.get_current_context().ensure_object(Invocation)


def actor() -> str:
    """Who the audit log names: the operating system's user, whatever the environment claims."""
    try:
        import pwd
    except ImportError:
        return f"cli:{getpass.getuser()}"
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:uid {os.getuid()}"


def with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` on the database, brought to this version's schema first (checked only, on PostgreSQL)."""
    return asyncio.run(_run(work, _prepared))


def with_unprepared_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` on the database as it is: for the commands that look after the schema itself."""
    return asyncio.run(_run(work, _as_it_is))


def with_vault(work: Callable[[Database, Vault], Awaitable[T]]) -> T:
    """Run `work` on the prepared database with its keys opened."""
    from ..flows.unlock import unlock

    keys = current().settings.secret_keys

    async def unlocked(db: Database) -> T:
        return await work(db, await unlock(db, *keys))

    return with_database(unlocked)


def with_ledger(work: Callable[[Database, LedgerWriter], Awaitable[T]]) -> T:
    """Run `work` on the prepared database with a ledger writer that places no holds."""
    from ..db.ledger import open_writer

    async def written(db: Database) -> T:
        writer = open_writer(db)
        await writer.start()
        try:
            return await work(db, writer)
        finally:
            await writer.close()

    return with_database(written)


def with_payments(work: Callable[[Database, LedgerWriter, Vault], Awaitable[T]]) -> T:
    """As `with_ledger`, with the keys opened: payment providers are asked under secrets."""
    from ..flows.unlock import unlock

    keys = current().settings.secret_keys

    async def unlocked(db: Database, ledger: LedgerWriter) -> T:
        return await work(db, ledger, await unlock(db, *keys))

    return with_ledger(unlocked)


async def _run(work: Callable[[Database], Awaitable[T]], first: Callable[[Database], Awaitable[None]]) -> T:
    from ..db.engine import Database
    from ..db.maintenance import refuse_foreign_file

    db = Database(current().settings.database_url)
    if db.backend == "sqlite":
        refuse_foreign_file(db)
    try:
        await first(db)
        return await work(db)
    finally:
        await db.close()


async def _prepared(db: Database) -> None:
    from ..db import schema

    await schema.prepare(db)


async def _as_it_is(_db: Database) -> None:
    pass
