"""Re-encrypts the stored keys under another secret key. The keys themselves, and so every hash, stay the same."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .box import DataKey, _master_box, _open, _seal


def reseal(old_key: str, new_key: str, data_keys: list[DataKey], pepper: bytes) -> tuple[list[DataKey], bytes]:
    """Data keys and pepper sealed under `new_key`. Raises WrongSecretKey when `old_key` does not open them."""
    old, new = _master_box(old_key), _master_box(new_key)
    moved = [_reseal_key(old, new, key) for key in data_keys]
    return moved, _seal(new, "pepper", _open(old, "pepper", pepper))


def _reseal_key(old: AESGCM, new: AESGCM, key: DataKey) -> DataKey:
    name = f"data_key:{key.id}"
    return DataKey(key.id, _seal(new, name, _open(old, name, key.sealed)))
