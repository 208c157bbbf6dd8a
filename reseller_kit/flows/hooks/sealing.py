"""The secrets of webhook endpoints at rest: sealed for one endpoint, opened to sign. Stores nothing."""

from __future__ import annotations

from ...db.hook_endpoints import HookEndpoint
from ...vault import Vault


def seal(vault: Vault, endpoint_id: str, secret: str) -> tuple[str, bytes]:
    """(data key id, sealed bytes) of an endpoint's secret."""
    return vault.seal(_name(endpoint_id), secret)


def signing_secrets(vault: Vault, endpoint: HookEndpoint, now: int) -> list[str]:
    """What signs at a moment (µs): the present secret, and while they overlap the one before it."""
    name = _name(endpoint.id)
    found = [vault.open(name, endpoint.sealed_by, endpoint.sealed)]
    if endpoint.old_sealed is not None and endpoint.old_sealed_by is not None and (endpoint.old_until or 0) > now:
        found.append(vault.open(name, endpoint.old_sealed_by, endpoint.old_sealed))
    return found


def _name(endpoint_id: str) -> str:
    return f"hook:{endpoint_id}"
