"""A manifest as flat resources, the unit of plan and apply, and back again. Decides on no change.

A resource has a kind, an id and fields with dotted names (`pricing.markup`, `brand.tokens.color.accent`); arrays
are one field. Values are JSON-ready in canonical spelling, secrets as references only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..route_sets import own_upstream
from .defaults import default_limits
from .findings import Report
from .reader import read_document, write
from .shapes import MapOf, TableOf, keys_of
from .shop_structs import Domain, Package, Table
from .structs import Document, Manifest, Model, Platform, Tenant, Upstream, Wholesale

ResourceKey = tuple[str, str]
Fields = dict[str, Any]
Resources = dict[ResourceKey, Fields]

_TABLES: Final[Mapping[str, type[Table]]] = {
    "platform": Platform,
    "wholesale": Wholesale,
    "upstream": Upstream,
    "own_upstream": Upstream,
    "model": Model,
    "tenant": Tenant,
    "domain": Domain,
    "package": Package,
}
_OWN_RESOURCES: Final = ("slug", "owners", "domains", "packages", "upstreams")


def resources(manifest: Manifest) -> Resources:
    """What the file states, by (kind, id), parents before children.

    Kinds: platform, wholesale, upstream, model, tenant, domain (id: its host, field `tenant`), own_upstream, package
    and owner (id: `slug/name`). A key that the file leaves out is no field, but for a model's limits, whose defaults
    (the catalogue's, where it knows the model) a plan shows.
    """
    stated, document = manifest.stated, manifest.document
    found: Resources = {("platform", "platform"): flat("platform", stated["platform"])}
    if "wholesale" in stated:
        found["wholesale", "wholesale"] = flat("wholesale", stated["wholesale"])
    for name, table in stated.get("upstreams", {}).items():
        found["upstream", name] = flat("upstream", table)
    for name, table in stated.get("models", {}).items():
        limits = default_limits(document.models[name], document.upstreams, manifest.catalogue)
        found["model", name] = {**limits, **flat("model", table)}
    for index, tenant in enumerate(manifest.document.tenants):
        found.update(tenant_resources(tenant, stated["tenants"][index]))
    return found


def tenant_resources(tenant: Tenant, stated: Fields) -> Resources:
    """A tenant and what belongs to it; `stated`: its keys in canonical spelling."""
    slug = tenant.slug
    own = {name: value for name, value in stated.items() if name not in _OWN_RESOURCES}
    found: Resources = {("tenant", slug): flat("tenant", own)}
    for name, table in stated.get("upstreams", {}).items():
        found["own_upstream", own_upstream(slug, name)] = flat("own_upstream", table)
    for email in tenant.owners:
        found["owner", f"{slug}/{email}"] = {"role": "owner"}
    for table in stated.get("domains", ()):
        fields = {name: value for name, value in table.items() if name != "host"}
        found["domain", table["host"]] = {"tenant": slug, **fields}
    for table in stated.get("packages", ()):
        fields = {name: value for name, value in table.items() if name != "id"}
        found["package", f"{slug}/{table['id']}"] = fields
    return found


def document_of(state: Resources, report: Report) -> Document:
    """The resources as one document again, so that a merged state can be checked like a file.

    Resources of a tenant that is not among them are left out; errors go to the report.
    """
    return read_state(state, report)[0]


def read_state(state: Resources, report: Report) -> tuple[Document, dict[str, Any]]:
    """The same, with the keys that are stated in their canonical spelling."""
    data: dict[str, Any] = {"schema": 1, "platform": {}, "upstreams": {}, "models": {}, "tenants": []}
    tenants: dict[str, dict[str, Any]] = {}
    for (kind, name), fields in state.items():
        if kind in {"platform", "wholesale"}:
            data[kind] = nested(kind, fields)
        elif kind in {"upstream", "model"}:
            data[f"{kind}s"][name] = nested(kind, fields)
        elif kind == "tenant":
            belongings: dict[str, Any] = {"owners": [], "domains": [], "packages": [], "upstreams": {}}
            tenants[name] = {"slug": name, **nested(kind, fields), **belongings}
    for (kind, name), fields in state.items():
        _place_in_tenant(tenants, kind, name, fields)
    data["tenants"] = list(tenants.values())
    return read_document(data, report)


def _place_in_tenant(tenants: dict[str, dict[str, Any]], kind: str, name: str, fields: Fields) -> None:
    if kind == "domain":
        own = {key: value for key, value in fields.items() if key != "tenant"}
        if fields["tenant"] in tenants:
            tenants[fields["tenant"]]["domains"].append({"host": name, **own})
    elif kind in {"package", "owner", "own_upstream"}:
        slug, _, rest = name.partition("/")
        if slug in tenants and kind == "package":
            tenants[slug]["packages"].append({"id": rest, **fields})
        elif slug in tenants and kind == "own_upstream":
            tenants[slug]["upstreams"][rest] = nested(kind, fields)
        elif slug in tenants:
            tenants[slug]["owners"].append(rest)


def package_terms(package: Package) -> Fields:
    """A package in canonical spelling, as it is stored."""
    return dict(write(TableOf(Package), package))


def nested(kind: str, fields: Fields) -> dict[str, Any]:
    """The fields of a resource as the nested table that stands in the file."""
    table: dict[str, Any] = {}
    for name, value in fields.items():
        _set(_TABLES[kind], table, name, value)
    return table


def flat(kind: str, table: Mapping[str, Any]) -> Fields:
    """A nested table of the kind as fields with dotted names."""
    fields: Fields = {}
    _collect(_TABLES[kind], table, "", fields)
    return fields


def default_of(kind: str, field: str) -> Any:
    """What the field is where nothing states it, in canonical spelling; None where it is nothing then."""
    shape: type[Table] | None = _TABLES.get(kind)
    head, _, rest = field.partition(".")
    while shape is not None and head in keys_of(shape):
        key = keys_of(shape)[head]
        if not isinstance(key.shape, TableOf | MapOf):
            return None if key.default is None or key.required else write(key.shape, key.default)
        shape = key.shape.table if isinstance(key.shape, TableOf) else None
        head, _, rest = rest.partition(".")
    return None


def _collect(shape: type[Table], table: Mapping[str, Any], prefix: str, fields: Fields) -> None:
    keys = keys_of(shape)
    for name, value in table.items():
        key_shape = keys[name].shape
        if isinstance(key_shape, TableOf):
            _collect(key_shape.table, value, f"{prefix}{name}.", fields)
        elif isinstance(key_shape, MapOf):
            fields.update({f"{prefix}{name}.{key}": item for key, item in value.items()})
        else:
            fields[prefix + name] = value


def _set(shape: type[Table], table: dict[str, Any], name: str, value: Any) -> None:
    head, _, rest = name.partition(".")
    key_shape = keys_of(shape)[head].shape
    if isinstance(key_shape, TableOf):
        _set(key_shape.table, table.setdefault(head, {}), rest, value)
    elif isinstance(key_shape, MapOf):
        table.setdefault(head, {})[rest] = value
    else:
        table[head] = value
