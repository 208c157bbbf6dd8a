"""What of a tenant's configuration may go to another tenant or deployment: what is left out, and why. Pure.

Secrets never travel. A copy under another brand (`of_another`) leaves out besides who the seller is and what the
operator granted to one reseller alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from ..core.manifest import Resources
from .provision.edit import Edit
from .provision.secrets import secret_fields

_IDENTITY: Final = ("brand.support_email", "brand.key_prefix", "brand.legal", "brand.social", "email")
_GRANTED: Final = ("wholesale.overdraft",)
_OWN_ROUTES: Final = "routing"
_GROUP_ROUTES: Final = "upstreams"


class Portable(Struct, frozen=True, kw_only=True):
    """A tenant's own fields as they may travel, its packages by id, and the tables or fields that stay behind."""

    fields: Mapping[str, Any]
    packages: Mapping[str, Mapping[str, Any]]
    left_out: Sequence[str]

    def edits(self, slug: str, hosts: Sequence[str], owners: Sequence[str] = ()) -> list[Edit]:
        """What makes a tenant of this under a slug, at these hosts, the first of them the primary one."""
        return [
            Edit("tenant", slug, self.fields),
            *(
                Edit("domain", host, {"tenant": slug, "role": "storefront", "primary": position == 0})
                for position, host in enumerate(hosts)
            ),
            *(Edit("package", f"{slug}/{name}", fields) for name, fields in self.packages.items()),
            *(Edit("owner", f"{slug}/{email}", {"role": "owner"}) for email in owners),
        ]

    def pictures(self) -> list[str]:
        """The pictures that the brand shows, by their SHA-256."""
        return [str(value) for name, value in self.fields.items() if name.startswith("brand.images.")]


def portable(resources: Resources, slug: str, *, of_another: bool) -> Portable:
    """What of the tenant `slug` may travel; `of_another`: it becomes a storefront of another brand."""
    fields: dict[str, Any] = dict(resources["tenant", slug])
    left_out = list(_secret_tables(slug, fields))
    if any(kind == "own_upstream" for kind, _ in resources):
        left_out += ["upstreams", *([_OWN_ROUTES] if any(_within(name, _OWN_ROUTES) for name in fields) else [])]
        fields["groups"] = [_without_routes(group) for group in fields.get("groups", ())]
    if of_another:
        left_out += [part for part in (*_IDENTITY, *_GRANTED) if any(_within(name, part) for name in fields)]
    kept = {
        name: value
        for name, value in fields.items()
        if value != [] and not any(_within(name, part) for part in left_out)
    }
    packages = {
        name.partition("/")[2]: terms
        for (kind, name), terms in resources.items()
        if kind == "package" and name.partition("/")[0] == slug
    }
    return Portable(fields=kept, packages=packages, left_out=list(dict.fromkeys(left_out)))


def still_naming(found: Portable, words: Sequence[str]) -> list[str]:
    """The fields whose texts hold one of these words, whatever its case: a copy should name nobody else."""
    sought = [word.casefold() for word in words]
    tables: list[tuple[str, Any]] = [*found.fields.items()]
    tables += [(f"packages.{name}", terms) for name, terms in found.packages.items()]
    return [name for name, value in tables if any(word in text for text in _texts((name, value)) for word in sought)]


def _secret_tables(slug: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """The tables that make no sense without the secret in them."""
    for one in secret_fields("tenant", slug, fields):
        yield one.field.rpartition(".")[0]


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def _without_routes(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != _GROUP_ROUTES}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.casefold()
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(str(key))
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
