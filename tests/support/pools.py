"""Pools of upstream keys for tests that make a client themselves."""

from __future__ import annotations

import hashlib

from reseller_kit.core.storefront import UpstreamKey


def key_pool(*secrets: str) -> tuple[UpstreamKey, ...]:
    """Keys with fingerprints such as the vault makes."""
    return tuple(UpstreamKey(secret, fingerprint_of(secret)) for secret in secrets)


def fingerprint_of(secret: str) -> str:
    return hashlib.blake2b(secret.encode(), digest_size=4).hexdigest()
