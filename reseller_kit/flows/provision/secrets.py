"""References to secrets: which ones a state holds, and what they resolve to. Stores and shows no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from ...core.manifest import is_reference
from ...upstream.endpoint import is_header_value

Resolve = Callable[[str], str]
"""A reference such as `env:NAME` to its secret. Raises UnreadableSecret."""

_MAX_LENGTH: Final = 16_384
_ACCOUNT_SECRETS: Final = ("payments.api_key", "payments.webhook_secret")
_SECRETS: Final = {"tenant": (*_ACCOUNT_SECRETS, "email.smtp.password"), "platform": _ACCOUNT_SECRETS}


class UnreadableSecret(Exception):
    """A reference that leads to nothing; becomes a finding. The message says why and holds no secret."""

    def __init__(self, message: str, *, fix: str, empty: bool = False) -> None:
        """`empty`: what it leads to is there and holds nothing, or nothing of use, which nobody means."""
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.empty = empty


class SecretField(Struct, frozen=True, kw_only=True):
    """A reference in a resource: the field, its place within the field, and the name it is stored under."""

    kind: str
    id: str
    field: str
    position: int | None
    name: str
    reference: str

    @property
    def in_header(self) -> bool:
        """Whether requests carry it in a header."""
        return self.is_upstream_key or self.field.startswith("headers.")

    @property
    def is_upstream_key(self) -> bool:
        """Whether calls can't be made without it."""
        return self.field == "api_keys"


def secret_fields(kind: str, resource_id: str, fields: Mapping[str, Any]) -> Iterator[SecretField]:
    """Every reference that the resource holds."""
    if kind in {"upstream", "own_upstream"}:
        for position, reference in enumerate(fields.get("api_keys", ())):
            name = f"{kind}:{resource_id}:key:{position}"
            yield _field(kind, resource_id, "api_keys", name, reference, position)
        for field, value in fields.items():
            if field.startswith("headers.") and is_reference(value):
                name = f"{kind}:{resource_id}:header:{field.removeprefix('headers.')}"
                yield _field(kind, resource_id, field, name, value)
    for field in _SECRETS.get(kind, ()):
        if field in fields:
            yield _field(kind, resource_id, field, f"{kind}:{resource_id}:{field}", fields[field])


def _field(
    kind: str, resource_id: str, field: str, name: str, reference: str, position: int | None = None
) -> SecretField:
    return SecretField(kind=kind, id=resource_id, field=field, position=position, name=name, reference=reference)


def read_secret(found: SecretField, resolve: Resolve) -> str:
    """What the reference leads to. Raises UnreadableSecret, also for what its requests can't carry."""
    secret = resolve(found.reference)
    if found.in_header and not is_header_value(secret):
        raise UnreadableSecret(
            f"{found.reference} holds characters that no header of a request can carry.",
            fix="Copy the key again: it consists of plain letters, digits and signs.",
            empty=True,
        )
    return secret


def resolver(environ: Mapping[str, str], folder: Path) -> Resolve:
    """Resolves `env:` from `environ` and `file:` paths relative to `folder`."""

    def resolve(reference: str) -> str:
        scheme, _, name = reference.partition(":")
        value = _from_environment(environ, name) if scheme == "env" else _from_file(folder / name, name)
        if not value.isprintable() or len(value) > _MAX_LENGTH:
            raise UnreadableSecret(
                f"{reference} holds control characters or is too long.", fix="A secret is one line of text."
            )
        return value

    return resolve


def _from_environment(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        state = "is empty" if name in environ else "is not set"
        raise UnreadableSecret(
            f"The environment variable {name} {state}.", fix=f"Set it: export {name}=…", empty=name in environ
        )
    return value


def _from_file(path: Path, name: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            value = file.read(_MAX_LENGTH + 1).strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UnreadableSecret(
            f"The file {name} can't be read: {reason}.", fix="Create it, or correct the path."
        ) from None
    if not value:
        raise UnreadableSecret(f"The file {name} is empty.", fix="Put the secret into it.", empty=True)
    return value
