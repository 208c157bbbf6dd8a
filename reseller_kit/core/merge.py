"""Three-way merge of the file, the file applied last, and what the database holds. Writes nothing.

Only what the file itself changed is written; what the console or the command line changed since is drift and
stays, unless it is reset; what is missing from the file is an orphan and stays, unless it is pruned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

Action = Literal["create", "update", "drift", "orphan", "archive"]
ResourceKey = tuple[str, str]
Fields = Mapping[str, Any]
Resources = Mapping[ResourceKey, Fields]

_SINGLETONS: Final = frozenset({"platform", "wholesale"})
_ARCHIVED: Final = {"status": "archived"}


class Change(Struct, frozen=True, kw_only=True):
    """One resource and the fields concerned, each `{"old": …, "new": …}`; None stands for the default.

    For drift, `old` is the file's value and `new` what it was changed to.
    """

    action: Action
    kind: str
    id: str
    fields: dict[str, Any]


def merge(
    base: Resources, file: Resources, actual: Resources, *, prune: bool = False, reset_drift: bool = False
) -> list[Change]:
    """What to write, and what to tell, in the file's order and then by kind and id.

    `base` is the file applied last (empty before the first apply), `actual` what the database holds; withdrawn and
    detached resources are not in it, archived tenants are. A field of `actual` that neither file says is drift, so
    what is at its default there should be left out.
    """
    changes: list[Change] = []
    for key, wanted in file.items():
        changes += _merge_resource(key, base.get(key), wanted, actual.get(key), reset_drift=reset_drift)
    return changes + _orphans(file, actual, prune=prune)


def pending(changes: Iterable[Change]) -> list[Change]:
    """The changes that apply writes: all but drift and orphans."""
    return [change for change in changes if change.action not in {"drift", "orphan"}]


def state_after(actual: Resources, changes: Iterable[Change]) -> dict[ResourceKey, dict[str, Any]]:
    """What the database holds once the pending changes are written; archived tenants stay, as archived."""
    state = {key: dict(fields) for key, fields in actual.items()}
    for change in pending(changes):
        key = (change.kind, change.id)
        if change.action == "archive" and change.kind != "tenant":
            state.pop(key, None)
            continue
        fields = {} if change.action == "create" else state.setdefault(key, {})
        fields.update({name: value["new"] for name, value in change.fields.items() if isinstance(value, dict)})
        state[key] = {name: value for name, value in fields.items() if value is not None}
    return state


def _merge_resource(
    key: ResourceKey, base: Fields | None, wanted: Fields, actual: Fields | None, *, reset_drift: bool
) -> list[Change]:
    kind, name = key
    if actual is None:
        removed_since = base is not None and base == wanted and not reset_drift
        if removed_since:
            return [Change(action="drift", kind=kind, id=name, fields=_pairs(wanted, {}, wanted))]
        return [Change(action="create", kind=kind, id=name, fields=_pairs({}, wanted, wanted))]
    written, drifted = _divide(base, wanted, actual)
    if reset_drift:
        differing = {*written, *drifted}
        written = [field for field in dict.fromkeys([*wanted, *written, *drifted]) if field in differing]
        drifted = []
    changes = []
    if written:
        changes.append(
            Change(action="update", kind=kind, id=name, fields=_pairs(actual, wanted, dict.fromkeys(written)))
        )
    if drifted:
        changes.append(Change(action="drift", kind=kind, id=name, fields=_pairs(wanted, actual, drifted)))
    return changes


def _divide(base: Fields | None, wanted: Fields, actual: Fields) -> tuple[list[str], list[str]]:
    """Fields that differ from the file: those that the file changed, and those that were changed elsewhere."""
    known = base if base is not None else {}
    written: list[str] = []
    drifted: list[str] = []
    for field in dict.fromkeys([*wanted, *known, *actual]):
        if actual.get(field) == wanted.get(field):
            continue
        is_unsaid = field not in wanted and field not in known
        is_drift = is_unsaid or (field in known and known[field] == wanted.get(field))
        (drifted if is_drift else written).append(field)
    return written, drifted


def _orphans(file: Resources, actual: Resources, *, prune: bool) -> list[Change]:
    orphans = []
    for kind, name in sorted(actual):
        fields = actual[kind, name]
        gone = (kind, name) in file or kind in _SINGLETONS or fields.get("status") == "archived"
        if gone or _goes_with_tenant(kind, name, fields, file):
            continue
        if not prune or kind == "owner":
            orphans.append(Change(action="orphan", kind=kind, id=name, fields={}))
        else:
            after = _ARCHIVED if kind == "tenant" else {}
            orphans.append(Change(action="archive", kind=kind, id=name, fields=_pairs(fields, after, after)))
    return orphans


def _goes_with_tenant(kind: str, name: str, fields: Fields, file: Resources) -> bool:
    """Whether it belongs to a tenant that the file does not name: then the tenant is the orphan, with all it has."""
    if kind == "domain":
        return ("tenant", str(fields.get("tenant"))) not in file
    return kind in {"own_upstream", "package", "owner"} and ("tenant", name.partition("/")[0]) not in file


def _pairs(old: Fields, new: Fields, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {name: {"old": old.get(name), "new": new.get(name)} for name in names}
