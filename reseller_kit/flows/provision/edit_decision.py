"""What an edit of one tenant would do, decided before anything is written. Reads and writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from ...core.manifest import (
    STORED,
    Document,
    Finding,
    Levels,
    Report,
    Resources,
    Tenant,
    check_document,
    default_of,
    document_of,
    invalid,
    offers,
    price_moves,
    read_state,
    tenant_resources,
)
from ...core.manifest.schedule import ScheduledChange, levels_of, with_change
from ...core.merge import Change, ResourceKey, pending
from ...core.public_addresses import is_address
from ...core.tenant import is_loopback_host
from ...core.times import format_time
from ...db.operator_manifest import ManifestRows
from ...vault import Vault
from .decide import Decision, LaterMove, Plan, with_changed_secrets
from .edit_checks import check_edited, check_foreign_hosts, check_own_machine, named
from .secrets import secret_fields
from .state import actual_resources, base_resources, published_book
from .timeline import books, changes_of, held_back, publications, with_costs_in_force

Part: TypeAlias = str
"""A part of a tenant's configuration: a table of it (`pricing`, `brand`), or `packages`, `domains`, `owners`."""

_KINDS: Final = ("tenant", "domain", "package", "owner", "own_upstream")
_PART_KINDS: Final = {"packages": "package", "domains": "domain", "owners": "owner", "upstreams": "own_upstream"}
_LOSS: Final = "RK401"
_SHARED: Final = frozenset({"platform", "wholesale", "upstream", "model"})


class Edit(Struct, frozen=True):
    """A resource of the tenant in the flat terms of the file, and the fields to set; None unsets a field.

    `fields` None withdraws the resource. A resource that is not there is made.
    """

    kind: str
    id: str
    fields: Mapping[str, Any] | None


class Asked(Struct, frozen=True, kw_only=True):
    """An edit of the tenant `slug` at the moment `now` (µs).

    `addresses`: where hosts of own upstreams lead. `secrets`: stored name → plaintext, which need the vault.
    """

    slug: str
    edits: Sequence[Edit]
    now: int
    addresses: Mapping[str, list[str]] = {}
    vault: Vault | None = None
    secrets: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Asked({self.slug!r}, {self.edits!r})"


class Outcome(Struct, frozen=True, kw_only=True):
    """A tenant's configuration and the price lists of all models that it offers then.

    `levels` holds the operator's cost too, which no page of a reseller shows.
    """

    tenant: Tenant
    levels: Mapping[str, Levels]
    warnings: tuple[Finding, ...] = ()


class Decided(Struct, frozen=True, kw_only=True):
    """What to write, and what it leads to."""

    decision: Decision
    outcome: Outcome


class _State(Struct, frozen=True, kw_only=True):
    """One tenant's resources beside what all share, as a document with the costs in force, and what is wrong."""

    resources: Resources
    document: Document
    report: Report


def decide_edit(rows: ManifestRows, asked: Asked) -> Decided:
    """Make the edits in what the rows hold. Raises InvalidManifest where they bring in an error."""
    everything, slug = actual_resources(rows), asked.slug
    own = {key: fields for key, fields in everything.items() if belongs(key, fields, slug) or key[0] in _SHARED}
    before, known = _state(rows, own), Report("", {})
    after = _state(rows, _edited(own, slug, asked.edits))
    check_edited(after.document, after.report, asked.addresses)
    if after.report.findings:
        # What was wrong before is nothing that the edit brings in.
        check_edited(before.document, known, asked.addresses)
    old = {named(finding, before.document, slug) for finding in (*before.report.findings, *known.findings)}
    new = [named(finding, after.document, slug) for finding in after.report.findings]
    settled = _without_new_defaults(before.resources, after.resources)
    problems = [
        *(finding for finding in new if finding not in old),
        *check_foreign_hosts(everything, after.document, slug, before=before.document),
        *check_own_machine(after.document, before=before.document),
        *_missing_secrets(settled, rows, asked.secrets),
    ]
    if any(finding.level == "error" for finding in problems):
        raise invalid(sorted(problems, key=lambda finding: (finding.path, finding.code)))
    later = {slug: changes_of(rows).get(slug, ())}
    timeline = books(after.document, later, asked.now)
    appended = publications(rows, timeline)
    fingerprints = _fingerprints(asked)
    plan = Plan(
        changes=tuple(_all_changes(rows, before.resources, settled, fingerprints)),
        costs=(),
        servings=(),
        moved_costs=frozenset(),
        prices=tuple(price_moves(published_book(rows, before.document), timeline[0][1])),
        scheduled=tuple(
            LaterMove(moment, move)
            for (_, earlier), (moment, book) in pairwise(timeline)
            for move in price_moves(earlier, book)
        ),
        republished=bool(appended),
        warnings=(*problems, *_held(after.document, later)),
        base_moved=False,
    )
    decision = Decision(
        plan=plan,
        file=base_resources(rows),
        actual=before.resources,
        state=settled,
        document=after.document,
        publications=tuple(appended),
        secrets=dict(asked.secrets),
        fingerprints={**rows.fingerprints, **fingerprints},
    )
    levels = levels_of(after.document, slug)
    return Decided(
        decision=decision,
        outcome=Outcome(tenant=after.document.tenants[0], levels=levels, warnings=plan.warnings),
    )


def _without_new_defaults(before: Resources, after: Resources) -> Resources:
    """Nobody who sends a form with a field at its default means to state it."""
    return {
        key: {
            name: value
            for name, value in fields.items()
            if key not in before or name in before[key] or value != default_of(key[0], name)
        }
        for key, fields in after.items()
    }


def _fingerprints(asked: Asked) -> dict[str, str]:
    if asked.vault is None:
        return {}
    return {name: asked.vault.fingerprint(secret) for name, secret in asked.secrets.items()}


def _all_changes(
    rows: ManifestRows, before: Resources, after: Resources, fingerprints: Mapping[str, str]
) -> list[Change]:
    """What differs, secrets that got another value included."""
    replaced = {name for name, one in fingerprints.items() if rows.fingerprints.get(name) not in {None, one}}
    keys = {
        (kind, name)
        for (kind, name), fields in after.items()
        if kind not in _SHARED and any(found.name in replaced for found in secret_fields(kind, name, fields))
    }
    return with_changed_secrets(_changes(before, after), keys)


def own_hosts(edits: Iterable[Edit]) -> list[str]:
    """The hosts of resellers' own upstreams that the edits name and that have to be looked up."""
    bases = [one.fields.get("base_url") for one in edits if one.kind == "own_upstream" and one.fields]
    hosts = [urlsplit(base).hostname or "" for base in bases if isinstance(base, str)]
    return [host for host in hosts if host and not is_address(host) and not is_loopback_host(host)]


def belongs(key: ResourceKey, fields: Mapping[str, Any], slug: str) -> bool:
    """Whether the resource is the tenant or one of its own."""
    kind, name = key
    if kind == "domain":
        return bool(fields["tenant"] == slug)
    return kind in _KINDS and name.partition("/")[0] == slug


def stored_tenant(rows: ManifestRows, slug: str) -> Document:
    """The tenant's configuration as it is stored, beside what all share, with the costs in force."""
    own = {
        key: fields for key, fields in actual_resources(rows).items() if belongs(key, fields, slug) or key[0] in _SHARED
    }
    return with_costs_in_force(rows, document_of(own, Report("", {})))


def current_levels(rows: ManifestRows, document: Document) -> Mapping[str, Levels]:
    """The price lists that are in force for what the document's tenant offers."""
    return {model: levels for (_, model), levels in published_book(rows, document).items()}


def hidden_levels(document: Document) -> Mapping[str, Levels]:
    """The price lists that the models would have which its tenant's catalogue holds back."""
    tenant = document.tenants[0]
    held_back_models = tuple(model for model in document.models if not offers(tenant.catalog, model))
    if not held_back_models:
        return {}
    turned = structs.replace(tenant, catalog=structs.replace(tenant.catalog, allow=held_back_models, deny=()))
    return levels_of(structs.replace(document, tenants=(turned,)), tenant.slug)


def loses_money(document: Document) -> bool:
    """Whether retail lies below wholesale somewhere and nobody allowed it, as after the operator's prices went up."""
    report = Report("", {})
    check_document(document, report)
    return any(finding.code == _LOSS for finding in report.findings)


def changed_levels(rows: ManifestRows, slug: str, change: ScheduledChange) -> Mapping[str, Levels]:
    """The price lists that there would be now, had the change begun."""
    document = stored_tenant(rows, slug)
    return levels_of(with_change(document, slug, change), slug)


def mark_of(resources: Resources, slug: str, parts: Iterable[Part]) -> str:
    """The parts of a tenant's configuration as one short text that is another once any of them is."""
    names = sorted(set(parts))
    found = []
    for part in names:
        kind = _PART_KINDS.get(part)
        own = {key: fields for key, fields in resources.items() if belongs(key, fields, slug)}
        if kind is None:
            fields = own.get(("tenant", slug), {})
            found.append({name: value for name, value in fields.items() if name.partition(".")[0] == part})
        else:
            found.append({name: fields for (other, name), fields in own.items() if other == kind})
    digest = hashlib.sha256(msgspec.json.encode(found, order="deterministic")).hexdigest()[:16]
    return f"{'+'.join(names)}.{digest}"


def _state(rows: ManifestRows, own: Resources) -> _State:
    """These resources read, the tenant's own in canonical spelling where they can be; what can't is in the report."""
    report, resources = Report("", {}), own
    document, stated = read_state(own, report)
    if not report.findings and document.tenants:
        shared = {key: fields for key, fields in own.items() if key[0] in _SHARED}
        resources = {**shared, **tenant_resources(document.tenants[0], stated["tenants"][0])}
    return _State(resources=resources, document=with_costs_in_force(rows, document), report=report)


def _edited(own: Resources, slug: str, edits: Iterable[Edit]) -> Resources:
    state: Resources = {key: dict(fields) for key, fields in own.items()}
    for one in edits:
        key = (one.kind, one.id)
        if one.kind not in _KINDS or (one.kind != "domain" and one.id.partition("/")[0] != slug):
            raise ValueError(f"{one.kind} {one.id!r} is not the tenant's")
        if one.fields is None and one.kind == "tenant":
            state[key] = {**state[key], "status": "archived"}
        elif one.fields is None:
            state.pop(key, None)
        else:
            usual = {"tenant": slug} if one.kind == "domain" else {}
            fields = {**usual, **state.get(key, {}), **one.fields}
            state[key] = {name: value for name, value in fields.items() if value is not None}
    return state


def _changes(before: Resources, after: Resources) -> list[Change]:
    """What differs, parents before what belongs to them."""
    changes = []
    for kind in _KINDS:
        keys = dict.fromkeys(key for key in [*before, *after] if key[0] == kind)
        for key in keys:
            old, new = before.get(key), after.get(key)
            names = [name for name in {**(old or {}), **(new or {})} if (old or {}).get(name) != (new or {}).get(name)]
            fields = {name: {"old": (old or {}).get(name), "new": (new or {}).get(name)} for name in names}
            if old is None or new is None:
                action = "create" if old is None else "archive"
                changes.append(_change(action, key, fields))
            elif names:
                changes.append(_change("update", key, fields))
    return pending(changes)


def _change(action: Any, key: ResourceKey, fields: dict[str, Any]) -> Change:
    return Change(action=action, kind=key[0], id=key[1], fields=fields)


def _missing_secrets(state: Resources, rows: ManifestRows, secrets: Mapping[str, str]) -> list[Finding]:
    """Fields that say their secret was typed in, while none is stored; ValueError for a secret that no field is for."""
    found = [
        one
        for (kind, name), fields in state.items()
        if kind not in _SHARED
        for one in secret_fields(kind, name, fields)
    ]
    strangers = set(secrets) - {one.name for one in found if one.reference == STORED}
    if strangers:
        raise ValueError(f"no field is for {sorted(strangers)}")
    return [
        Finding(
            file="",
            line=1,
            level="error",
            code="RK501",
            path=one.field,
            message="The secret is missing.",
            fix="Enter it.",
        )
        for one in found
        if one.reference == STORED and one.name not in secrets and one.name not in rows.fingerprints
    ]


def _held(document: Document, changes: Mapping[str, Any]) -> list[Finding]:
    """Scheduled changes that would be held back then."""
    return [
        Finding(
            file="",
            line=1,
            level="warning",
            code="RK505",
            path="pricing",
            message=f"The change of {format_time(held.change.effective_from)} would be held back. {held.reason}",
            fix="Cancel it and schedule another.",
        )
        for _, held in held_back(document, changes)
    ]
