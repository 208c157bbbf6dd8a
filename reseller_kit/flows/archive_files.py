"""Files of archived months: JSON lines, compressed, with a manifest. Nothing is overwritten that differs.

A file is written beside its place, brought to the disk and renamed; the manifest comes last. The bytes depend on the
rows alone, so a repetition makes the same files.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

from ..core.errors import Conflict, InvalidRequest

_encode = msgspec.json.Encoder().encode


class ArchivedFile(Struct, frozen=True, kw_only=True):
    """One file as the manifest names it."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What an archive holds; amounts are decimal strings in USD."""

    schema: int
    month: str
    first_id: str
    end_id: str
    records: int
    holds: int
    retail: str
    wholesale: str
    cost: str
    files: list[ArchivedFile]


class RowsFile:
    """A compressed file of rows under way; it takes its place when the block ends well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(path.name + ".part")
        self._rows = 0
        self.done: ArchivedFile | None = None

    def __enter__(self) -> Self:
        # Customers' calls: nobody else may read them.
        self._raw = os.fdopen(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._packed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=self._raw, mtime=0)
        return self

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows, one line each."""
        lines = [_encode(row) for row in rows]
        self._packed.write(b"\n".join([*lines, b""]))
        self._rows += len(lines)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._packed.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        if kind is not None:
            self._draft.unlink()
            return
        self.done = ArchivedFile(
            name=self._path.name, rows=self._rows, bytes=self._draft.stat().st_size, sha256=_hash(self._draft)
        )
        if _manifest_path(self._path.parent, _month_in(self._path)).exists() and self.done.sha256 != _hash(self._path):
            self._draft.unlink()
            raise Conflict(
                f"{self._path} is the archive of other calls.", fix="Choose another folder; nothing is overwritten."
            )
        self._draft.rename(self._path)


def rows_path(folder: Path, kind: str, month: str) -> Path:
    """Where a month's rows of one kind lie: usage or holds."""
    return folder / f"{kind}-{month}.jsonl.gz"


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Write the manifest and bring the folder to the disk; the manifest's SHA-256."""
    path = _manifest_path(folder, manifest.month)
    draft = path.with_name(path.name + ".part")
    text = msgspec.json.format(_encode(manifest), indent=2) + b"\n"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    _sync_folder(folder)
    return hashlib.sha256(text).hexdigest()


def verify(folder: Path, manifest: Manifest) -> None:
    """Read an archive back from the disk. Raises Conflict when a file is not what its manifest says."""
    for file in manifest.files:
        path = folder / file.name
        with gzip.open(path, "rb") as lines:
            rows = sum(1 for _ in lines)
        if (rows, _hash(path)) != (file.rows, file.sha256):
            raise Conflict(f"{path} is not what was written.", fix="Check the disk, then try again.")


def checked_folder(folder: Path) -> Path:
    """A folder that archives can be put into. Raises InvalidRequest."""
    if not folder.is_dir():
        raise InvalidRequest(f"There is no folder {folder}.", param="to", fix="Make it first.")
    return folder.resolve()


def _manifest_path(folder: Path, month: str) -> Path:
    return folder / f"manifest-{month}.json"


def _month_in(path: Path) -> str:
    return path.name.partition("-")[2].removesuffix(".jsonl.gz")


def _hash(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
