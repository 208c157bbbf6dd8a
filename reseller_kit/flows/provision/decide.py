"""What an apply would do: the merge, the secrets and the prices behind it, all decided before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ...core.manifest import (
    Document,
    Finding,
    Manifest,
    PriceBook,
    PriceMove,
    Report,
    Resources,
    check_document,
    document_of,
    invalid,
    price_book,
    price_moves,
    resources,
)
from ...core.merge import Change, merge, pending, state_after
from ...core.toml_lines import Path
from ...db.operator_manifest import ManifestRows
from ...vault import Vault
from .secrets import Resolve, SecretField, UnreadableSecret, secret_fields
from .state import actual_resources, base_resources, published_book


class Plan(Struct, frozen=True, kw_only=True):
    """What apply would do and what it would leave.

    `changes` holds drift and orphans too; `prices` the published prices and margins that move. `base_moved`: the file
    says something new, if only what the database holds already, so apply has to remember it.
    """

    changes: tuple[Change, ...]
    prices: tuple[PriceMove, ...]
    warnings: tuple[Finding, ...]
    base_moved: bool

    @property
    def pending(self) -> bool:
        """Whether apply would change anything that counts."""
        return bool(self.prices or pending(self.changes))


class Decision(Struct, frozen=True, kw_only=True):
    """A plan with all that is needed to carry it out. `secrets`: stored name → plaintext; never shown."""

    plan: Plan
    file: Resources
    state: Resources
    document: Document
    book: PriceBook
    secrets: Mapping[str, str]
    fingerprints: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Decision({self.plan!r})"


class Options(Struct, frozen=True, kw_only=True):
    """How to decide. `needs_secrets`: a reference that can't be read is an error, not a warning."""

    prune: bool = False
    reset_drift: bool = False
    needs_secrets: bool = True


def decide(rows: ManifestRows, manifest: Manifest, vault: Vault, resolve: Resolve, options: Options) -> Decision:
    """Merge the file into what the rows hold.

    Raises InvalidManifest when a secret is missing or when the merged state would not be valid.
    """
    file, base, actual = resources(manifest), base_resources(rows), actual_resources(rows)
    changes = merge(base, file, actual, prune=options.prune, reset_drift=options.reset_drift)
    state = state_after(actual, changes)
    report = Report(manifest.file, manifest.lines)
    resolved = _resolve(file, state, actual, rows, resolve, report, needed=options.needs_secrets)
    document = _checked_document(state, report)
    _refuse_errors(report)
    fingerprints = {name: vault.fingerprint(secret) for name, secret in resolved.items()}
    fresh = {name for name, fingerprint in fingerprints.items() if rows.fingerprints.get(name) != fingerprint}
    replaced = fresh & rows.fingerprints.keys()
    book = price_book(document)
    before = document_of(actual, Report(manifest.file, {}))
    plan = Plan(
        changes=tuple(_with_changed_secrets(changes, file, replaced)),
        prices=tuple(price_moves(published_book(rows, before), book)),
        warnings=(*manifest.warnings, *report.sorted()),
        base_moved=file != base,
    )
    return Decision(
        plan=plan,
        file=file,
        state=state,
        document=document,
        book=book,
        secrets={name: resolved[name] for name in fresh},
        fingerprints={**rows.fingerprints, **fingerprints},
    )


def _resolve(
    file: Resources,
    state: Resources,
    actual: Resources,
    rows: ManifestRows,
    resolve: Resolve,
    report: Report,
    *,
    needed: bool,
) -> dict[str, str]:
    """The secrets of the references that the file states and the merged state keeps, by stored name."""
    resolved = {}
    for found in _all_fields(state):
        if found not in set(_of_resource(file, found)):
            continue
        try:
            resolved[found.name] = resolve(found.reference)
        except UnreadableSecret as error:
            kept = found.name in rows.fingerprints and found in set(_of_resource(actual, found))
            level = "warning" if kept or not needed else "error"
            message = f"{error.message} The stored secret is kept." if kept else error.message
            report.add("RK501", _path_of(found, report), message, error.fix, level="error" if level == "error" else "warning")
    return resolved


def _all_fields(state: Resources) -> Iterable[SecretField]:
    for (kind, name), fields in state.items():
        yield from secret_fields(kind, name, fields)


def _of_resource(state: Resources, found: SecretField) -> Iterable[SecretField]:
    return secret_fields(found.kind, found.id, state.get((found.kind, found.id), {}))


def _path_of(found: SecretField, report: Report) -> Path:
    if found.kind == "upstream":
        head, _, rest = found.field.partition(".")
        parts: Path = (head, rest) if rest else (head,)
        return ("upstreams", found.id, *parts, *(() if found.position is None else (found.position,)))
    return ("tenants", *_index_of(found.id, report), *found.field.split("."))


def _index_of(slug: str, report: Report) -> Path:
    del slug, report
    return ()


def _checked_document(state: Resources, report: Report) -> Document:
    """The merged state as a document, checked like a file; what is wrong names the tenant by its slug."""
    merged = Report(report.file, {})
    document = document_of(state, merged)
    check_document(document, merged)
    for finding in merged.findings:
        if finding.level == "error":
            path = finding.path
            for index, tenant in enumerate(document.tenants):
                path = path.replace(f"tenants[{index}]", f"tenants.{tenant.slug}")
            message = f"Together with what was set outside the file: {finding.message}"
            report.findings.append(msgspec.structs.replace(finding, path=path, message=message))
    return document


def _refuse_errors(report: Report) -> None:
    if any(finding.level == "error" for finding in report.findings):
        raise invalid(report.sorted())


def _with_changed_secrets(changes: list[Change], file: Resources, replaced: set[str]) -> list[Change]:
    """The changes, in which each resource one of whose secrets got another value says so."""
    touched = {(found.kind, found.id) for found in _all_fields(file) if found.name in replaced}
    note: dict[str, Any] = {"secret": "changed"}
    result = []
    for change in changes:
        key = (change.kind, change.id)
        if key in touched and change.action in {"create", "update"}:
            result.append(msgspec.structs.replace(change, fields={**change.fields, **note}))
            touched.discard(key)
        else:
            result.append(change)
    return result + [Change(action="update", kind=kind, id=name, fields=note) for kind, name in sorted(touched)]
