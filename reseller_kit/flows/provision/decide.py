"""What an apply would do: the merge, the secrets and the prices behind it, all decided before anything is written."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import msgspec
from msgspec import Struct

from ...core.manifest import (
    CostSource,
    Document,
    Finding,
    Manifest,
    PriceMove,
    Report,
    Resources,
    Serving,
    check_document,
    cost_sources,
    document_of,
    invalid,
    price_moves,
    resources,
    servings,
    with_catalogue,
)
from ...core.merge import Change, ResourceKey, merge, pending, state_after
from ...core.price_catalogue import CatalogueOn
from ...core.times import format_time
from ...core.toml_lines import Path
from ...db.operator_manifest import ManifestRows
from ...vault import Vault
from .secrets import Resolve, SecretField, UnreadableSecret, read_secret, secret_fields
from .state import actual_resources, base_resources, moved_costs, published_book, without_usual
from .timeline import Changes, Publication, books, changes_of, held_back, publications

_HARMLESS_LATER: Final = frozenset({"RK309"})
"""An alias whose model is withdrawn is not offered, and says nothing wrong about the file."""
_UNPRICED: Final = "RK307"


class LaterMove(Struct, frozen=True):
    """A price that changes at a later moment (µs)."""

    effective_from: int
    move: PriceMove


class Plan(Struct, frozen=True, kw_only=True):
    """What apply would do and what it would leave.

    `changes` holds drift and orphans too; `prices` the published prices and margins that move, `scheduled` those that
    are to move later, and `republished` whether that, or a price that shows in no move, is other than what was
    published. `costs` says where the cost of each route comes from, `servings` by which routes each model is served,
    `moved_costs` which routes (model, upstream, model there) have another price than before. `base_moved`: the file
    says something new, if only what the database holds already, so apply has to remember it.
    """

    changes: tuple[Change, ...]
    prices: tuple[PriceMove, ...]
    costs: tuple[CostSource, ...]
    servings: tuple[Serving, ...]
    moved_costs: frozenset[tuple[str, str, str]]
    scheduled: tuple[LaterMove, ...]
    republished: bool
    warnings: tuple[Finding, ...]
    base_moved: bool

    @property
    def pending(self) -> bool:
        """Whether apply would change anything that counts."""
        return bool(self.prices or self.republished or self.moved_costs or pending(self.changes))


class Decision(Struct, frozen=True, kw_only=True):
    """A plan with all that is needed to carry it out. `secrets`: stored name → plaintext; never shown.

    `actual` is what the database held, `state` what it is to hold.
    """

    plan: Plan
    file: Resources
    actual: Resources
    state: Resources
    document: Document
    publications: tuple[Publication, ...]
    secrets: Mapping[str, str]
    fingerprints: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Decision({self.plan!r})"


class Options(Struct, frozen=True, kw_only=True):
    """How to decide. `needs_secrets`: any reference that can't be read is an error, not an upstream's key alone."""

    prune: bool = False
    reset_drift: bool = False
    needs_secrets: bool = True


def decide(
    rows: ManifestRows, manifest: Manifest, vault: Vault, resolve: Resolve, options: Options, now: int
) -> Decision:
    """Merge the file into what the rows hold at `now` (µs).

    Raises InvalidManifest when a secret is missing or when the merged state would not be valid.
    """
    file, base, actual = resources(manifest), base_resources(rows), actual_resources(rows)
    said = without_usual(actual, file, base)
    changes = merge(base, file, said, prune=options.prune, reset_drift=options.reset_drift)
    state = state_after(actual, changes)
    report = Report(manifest.file, manifest.lines)
    references = [found for found in _references(state) if found in set(_references(file))]
    kept = {found.name for found in _references(actual) if found in references and found.name in rows.fingerprints}
    resolved = _resolve(references, kept, manifest, resolve, report, options)
    stated = document_of(state, Report(report.file, {}))
    document = _checked_document(state, report, manifest.catalogue)
    if any(finding.level == "error" for finding in report.findings):
        raise invalid(report.sorted())
    fingerprints = {name: vault.fingerprint(secret) for name, secret in resolved.items()}
    fresh = {name for name, fingerprint in fingerprints.items() if rows.fingerprints.get(name) != fingerprint}
    replaced = {(found.kind, found.id) for found in references if found.name in fresh & rows.fingerprints.keys()}
    changes_later = changes_of(rows)
    timeline = books(document, changes_later, now)
    appended = publications(rows, timeline)
    _warn_of_held(document, changes_later, manifest, report)
    before = document_of(actual, Report(manifest.file, {}))
    plan = Plan(
        changes=tuple(with_changed_secrets(changes, replaced)),
        costs=tuple(cost_sources(stated, manifest.catalogue)),
        servings=tuple(servings(document)),
        moved_costs=moved_costs(rows, document),
        prices=tuple(price_moves(published_book(rows, before), timeline[0][1])),
        scheduled=tuple(
            LaterMove(moment, move)
            for (_, earlier), (moment, book) in pairwise(timeline)
            for move in price_moves(earlier, book)
        ),
        republished=any(new.effective_from > now or new.level not in {"wholesale", "retail"} for new in appended),
        warnings=(*manifest.warnings, *report.sorted()),
        base_moved=file != base,
    )
    return Decision(
        plan=plan,
        file=file,
        actual=actual,
        state=state,
        document=document,
        publications=tuple(appended),
        secrets={name: resolved[name] for name in fresh},
        fingerprints={**rows.fingerprints, **fingerprints},
    )


def _warn_of_held(document: Document, changes: Changes, manifest: Manifest, report: Report) -> None:
    """Say which scheduled prices would be held back, as after a cost has risen."""
    slugs = [tenant.slug for tenant in manifest.document.tenants]
    for slug, held in held_back(document, changes):
        path: Path = ("tenants", slugs.index(slug), "pricing") if slug in slugs else ()
        begins = format_time(held.change.effective_from)
        report.add(
            "RK505",
            path,
            f"The price change of {slug} scheduled for {begins} would be held back. {held.reason}",
            f"Cancel it and schedule another: reseller-kit price cancel --tenant {slug} {held.change.id}",
            level="warning",
        )


def _references(state: Resources) -> Iterator[SecretField]:
    for (kind, name), fields in state.items():
        yield from secret_fields(kind, name, fields)


def _resolve(
    references: Iterable[SecretField],
    kept: Container[str],
    manifest: Manifest,
    resolve: Resolve,
    report: Report,
    options: Options,
) -> dict[str, str]:
    """The secrets by stored name. One that can't be read is an error, unless an earlier apply stored it (`kept`).

    An upstream's key that is missing or of no use is one in a plan as well, and no stored one makes up for the latter.
    """
    resolved = {}
    for found in references:
        try:
            resolved[found.name] = read_secret(found, resolve)
        except UnreadableSecret as error:
            path = _place(found, manifest)
            if found.name in kept and not (found.in_header and error.empty):
                message = f"{error.message} The secret stored by an earlier apply is kept."
                report.add("RK501", path, message, error.fix, level="warning")
            else:
                needed = options.needs_secrets or found.is_upstream_key or (found.in_header and error.empty)
                report.add("RK501", path, error.message, error.fix, level="error" if needed else "warning")
    return resolved


def _place(found: SecretField, manifest: Manifest) -> Path:
    """Where the reference stands in the file."""
    head, _, rest = found.field.partition(".")
    inner: Path = (head, rest) if found.position is None else (head, found.position)
    if found.kind == "upstream":
        return ("upstreams", found.id, *inner)
    slugs = [tenant.slug for tenant in manifest.document.tenants]
    if found.kind == "own_upstream":
        slug, _, name = found.id.partition("/")
        return ("tenants", slugs.index(slug), "upstreams", name, *inner)
    return ("tenants", slugs.index(found.id), *found.field.split("."))


def _checked_document(state: Resources, report: Report, catalogue: CatalogueOn) -> Document:
    """The merged state as a document, checked like a file; what is wrong names the tenant by its slug."""
    merged = Report(report.file, {})
    document = with_catalogue(document_of(state, merged), catalogue)
    check_document(document, merged, catalogue)
    for finding in merged.findings:
        if finding.level == "error" and finding.code not in _HARMLESS_LATER:
            path = finding.path
            for index, tenant in enumerate(document.tenants):
                path = path.replace(f"tenants[{index}]", f"tenants.{tenant.slug}")
            message = f"Together with what was set outside the file: {finding.message}"
            # The file's own routes have a cost, else it had been refused: this one is of a model kept from before.
            fix = f"{finding.fix} Or withdraw what the file no longer names: --prune." * (finding.code == _UNPRICED)
            report.findings.append(msgspec.structs.replace(finding, path=path, message=message, fix=fix or finding.fix))
    return document


def with_changed_secrets(changes: Iterable[Change], replaced: set[ResourceKey]) -> list[Change]:
    """The changes, in which each resource one of whose secrets got another value says so."""
    note: dict[str, Any] = {"secret": "changed"}
    result, left = [], set(replaced)
    for change in changes:
        key = (change.kind, change.id)
        is_written = key in left and change.action in {"create", "update"}
        result.append(msgspec.structs.replace(change, fields={**change.fields, **note}) if is_written else change)
        left -= {key} if is_written else set()
    return result + [Change(action="update", kind=kind, id=name, fields=note) for kind, name in sorted(left)]
