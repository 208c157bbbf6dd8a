"""What `doctor` has to say of the machine that it runs on: clock, disk, schema, backups, the secret key's file."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..core.times import DAY_US, SECOND_US, format_time
from ..db import operator_machine as machine
from ..db import schema
from ..db.engine import EVERY_TENANT, Database, now_us
from .complaint import Complaint, Severity, complaint

_CLOCK_US: Final = 2 * SECOND_US
"""Leases are valid for three seconds by the clocks of all that share them."""
_BACKUP_DAYS: Final = 7
_GIB: Final = 1024**3
_LITTLE_BYTES: Final = 2 * _GIB
_VERY_LITTLE_BYTES: Final = _GIB // 4
_OF_OTHERS: Final = 0o077


async def examine_machine(db: Database, data_dir: Path, key_file: Path | None) -> list[Complaint]:
    """`data_dir`: what must have room; `key_file`: where the secret key is kept, None when the environment has it."""
    async with db.read(EVERY_TENANT) as connection:
        before = now_us()
        own = await machine.database_clock(connection)
        after, latest = now_us(), await machine.latest_moment(connection)
        last, first = await machine.last_backup(connection), await machine.first_money(connection)
    found = list(_about_clock(before, after, own, latest))
    found += _about_disk(data_dir)
    revision = await schema.current_revision(db)
    if revision != schema.head():
        message = f"The schema is {revision}, this version's is {schema.head()}: another version is at work."
        fix = "Bring every server to the newer version, then run: reseller-kit db upgrade"
        found.append(complaint("DR123", "database", message, fix, level="warning"))
    if db.backend == "sqlite":
        found += _about_backups(after, last, first)
    return found + list(_about_key(key_file))


def about_unread(variables: Iterable[tuple[str, str]]) -> Iterator[Complaint]:
    """`variables`: what nothing reads, each with what may be meant, or nothing."""
    for name, meant in variables:
        fix = f"Write {meant} if that is meant, or take it out." if meant else "Take it out: no setting is like it."
        yield complaint("DR126", "environment", f"Nothing reads the variable {name}.", fix, level="warning")


def _about_clock(before: int, after: int, own: int | None, latest: int) -> Iterator[Complaint]:
    fix = "Let the clocks of all machines be set by NTP (such as chrony or systemd-timesyncd), then look again."
    if own is not None and not before - _CLOCK_US <= own <= after + _CLOCK_US:
        seconds = (own - after) / SECOND_US
        message = f"The database server's clock differs from this machine's by {seconds:+.1f} s."
        yield complaint("DR121", "clock", message, fix)
    elif latest > after + _CLOCK_US:
        message = f"This machine's clock is behind: something was written at {format_time(latest)}."
        yield complaint("DR121", "clock", message, fix)


def _about_disk(folder: Path) -> Iterator[Complaint]:
    if not folder.is_dir():
        return
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_BYTES:
        message = f"Only {free / _GIB:.1f} GiB are free where {folder} is. Without room no call can be settled."
        fix = "Make room, or move old records to files: reseller-kit db archive --before YYYY-MM --to DIR"
        level: Severity = "error" if free < _VERY_LITTLE_BYTES else "warning"
        yield complaint("DR122", "disk", message, fix, level=level)


def _about_backups(now: int, last: int | None, first: int | None) -> Iterator[Complaint]:
    """Only once there has been something to lose for as long as a backup may be old."""
    old = now - _BACKUP_DAYS * DAY_US
    if first is None or first > old or (last is not None and last > old):
        return
    since = "No backup was ever made" if last is None else f"The last backup was made at {format_time(last)}"
    fix = "Run every day, and keep the file elsewhere: reseller-kit db backup PATH"
    yield complaint("DR124", "database", f"{since}.", fix, level="warning")


def _about_key(file: Path | None) -> Iterator[Complaint]:
    if file is not None and file.stat().st_mode & _OF_OTHERS:
        message = f"Others on this machine may read the secret key in {file}."
        yield complaint("DR125", "secret key", message, f"Run: chmod 600 {file}")
