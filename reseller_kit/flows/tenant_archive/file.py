"""The file of an archive: a compressed tar of JSON lines, its manifest first. Nothing of it is ever unpacked to a disk.

A file is written beside its place and takes it when it is whole; nothing is overwritten.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import msgspec
from msgspec import Struct

from ...core.errors import Conflict, InvalidRequest, NotFound

FORMAT: Final = "reseller-kit tenant"
VERSION: Final = 1
CONFIGURATION: Final = "configuration.json"
_MANIFEST: Final = "manifest.json"
_MOST_MANIFEST: Final = 1 << 20
_MOST_CONFIGURATION: Final = 16 << 20
_LONGEST_LINE: Final = 16 << 20
_BLOCK: Final = 1 << 20
_encode = msgspec.json.Encoder().encode
_BROKEN: Final = (tarfile.TarError, EOFError, OSError, zlib.error, msgspec.MsgspecError, UnicodeDecodeError)


class ArchivedFile(Struct, frozen=True, kw_only=True):
    """One file as the manifest names it."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an archive holds. `money`: by kind of account, in nano-USD. `complete`: with the operator's costs."""

    format: str
    version: int
    schema: str
    made_at: str
    tenant: str
    name: str
    complete: bool
    files: list[ArchivedFile]
    money: dict[str, dict[str, int]]
    left_out: dict[str, str]


class Writer:
    """An archive under way: add files, then `finish`. Nothing is left of it when the block ends badly."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: list[ArchivedFile] = []

    def __enter__(self) -> Self:
        if self._path.exists():
            raise Conflict(f"{self._path} is there already.", fix="Choose another name; nothing is overwritten.")
        if not self._path.parent.is_dir():
            raise InvalidRequest(f"There is no folder {self._path.parent}.", param="to", fix="Make it first.")
        self._folder = tempfile.TemporaryDirectory(dir=self._path.parent, prefix=".tenant-")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, name: str, content: bytes) -> None:
        """A small file."""
        with self.rows(name) as file:
            file.write(content)

    def rows(self, name: str) -> RowsFile:
        """A file of rows, to be filled within a block."""
        return RowsFile(Path(self._folder.name) / str(len(self._files)), name, self._files)

    def finish(self, manifest: Manifest) -> tuple[str, list[ArchivedFile]]:
        """Put everything into its place; the SHA-256 of the whole, and the files in it."""
        whole = Path(self._folder.name) / "whole"
        with (
            os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw,
            gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            text = msgspec.json.format(_encode(msgspec.structs.replace(manifest, files=self._files)), indent=2)
            _put(tar, _MANIFEST, io.BytesIO(text), len(text))
            for number, file in enumerate(self._files):
                with (Path(self._folder.name) / str(number)).open("rb") as source:
                    _put(tar, file.name, source, file.bytes)
        with whole.open("rb") as source:
            os.fsync(source.fileno())
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        whole.rename(self._path)
        return digest, self._files


class RowsFile:
    """One file of an archive under way."""

    def __init__(self, path: Path, name: str, done: list[ArchivedFile]) -> None:
        self._path, self._name, self._done = path, name, done
        self._hash = hashlib.sha256()
        self._bytes = 0
        self.count = 0

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        if kind is None:
            self._done.append(
                ArchivedFile(name=self._name, rows=self.count, bytes=self._bytes, sha256=self._hash.hexdigest())
            )

    def row(self, row: dict[str, Any]) -> None:
        """Append a row, a line."""
        self.write(_encode(row) + b"\n")

    def write(self, part: bytes) -> None:
        """Append bytes as they are."""
        self._file.write(part)
        self._hash.update(part)
        self._bytes += len(part)
        self.count += part.count(b"\n")


class Reader:
    """An archive that was found to be what its manifest says. Read again and again from the one open file."""

    def __init__(self, path: Path, sha256: str | None = None) -> None:
        """Raises NotFound where nothing is, InvalidRequest for no whole archive, or not the one with this SHA-256."""
        self._path = path
        if not path.exists():
            raise NotFound(f"There is no file {path}.", fix="Name a file that `tenant export --to` wrote.")
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise InvalidRequest(
                f"{path} can't be read: {error.strerror}.", fix="Name a file that `tenant export --to` wrote."
            ) from None
        try:
            self.manifest = self._checked(sha256)
        except InvalidRequest:
            self.close()
            raise
        except _BROKEN:
            self.close()
            raise self._damaged("can't be read to its end, or is none") from None

    def configuration(self) -> bytes:
        """The tenant's configuration, as JSON."""
        for name, source in self._members():
            if name == CONFIGURATION:
                return source.read(_MOST_CONFIGURATION)
        raise self._damaged(f"has no {CONFIGURATION}")

    def rows(self) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
        """(table, its rows) in the order of the archive; each has to be read before the next."""
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        for name, source in self._members():
            if name.startswith("rows/"):
                yield name.removeprefix("rows/").removesuffix(".jsonl"), (decode(line) for line in _lines(source))

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()

    def _checked(self, sha256: str | None) -> Manifest:
        # nosemgrep: secret-compared-with-equals – a file's checksum is no secret
        if sha256 is not None and hashlib.file_digest(self._raw, "sha256").hexdigest() != sha256.lower():
            raise InvalidRequest(f"{self._path} has another SHA-256.", param="sha256", fix="Fetch the archive again.")
        return self._verified()

    def _verified(self) -> Manifest:
        self._raw.seek(0)
        with tarfile.open(fileobj=self._raw, mode="r|gz") as tar:
            first = tar.next()
            if first is None or first.name != _MANIFEST or not first.isreg() or first.size > _MOST_MANIFEST:
                raise self._damaged("does not begin with a manifest")
            source = tar.extractfile(first)
            manifest = msgspec.json.decode(source.read() if source else b"", type=Manifest)
            if (manifest.format, manifest.version) != (FORMAT, VERSION):
                raise self._damaged(f"is of a form that this version does not read ({manifest.version})")
            for wanted in manifest.files:
                member = tar.next()
                if member is None or member.name != wanted.name or not member.isreg() or member.size != wanted.bytes:
                    raise self._damaged(f"does not hold {wanted.name} as its manifest says")
                source = tar.extractfile(member)
                if source is None or _measured(source) != (wanted.sha256, wanted.rows):
                    raise self._damaged(f"holds another {wanted.name} than its manifest says")
            if tar.next() is not None:
                raise self._damaged("holds more than its manifest says")
        return manifest

    def _members(self) -> Iterator[tuple[str, IO[bytes]]]:
        self._raw.seek(0)
        with tarfile.open(fileobj=self._raw, mode="r|gz") as tar:
            for member in tar:
                source = tar.extractfile(member)
                if source is not None:
                    yield member.name, source

    def _damaged(self, how: str) -> InvalidRequest:
        return InvalidRequest(
            f"{self._path} {how}.", fix="Fetch or write the archive again: reseller-kit tenant export --to FILE"
        )


def _put(tar: tarfile.TarFile, name: str, source: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    tar.addfile(member, source)


def _measured(source: IO[bytes]) -> tuple[str, int]:
    digest, rows = hashlib.sha256(), 0
    while part := source.read(_BLOCK):
        digest.update(part)
        rows += part.count(b"\n")
    return digest.hexdigest(), rows


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    while line := source.readline(_LONGEST_LINE):
        yield line
