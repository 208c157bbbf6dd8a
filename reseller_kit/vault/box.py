"""AES-256-GCM sealing under named data keys. Never logs or shows a plaintext.

Sealed form: one version byte, 12 random bytes of nonce, ciphertext with tag (NIST SP 800-38D). The secret's name
is associated data, so a ciphertext moved to another row does not open.
"""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from ..core.errors import KitError

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_MIN_SECRET_LENGTH: Final = 32


class WrongSecretKey(KitError):
    """The secret key given does not open what is stored, or has too little in it to be one."""

    code = "wrong_secret_key"


class DataKey(Struct, frozen=True):
    """One data key as stored: its id and its sealed bytes."""

    id: str
    sealed: bytes


class Vault:
    """Opened keys of one deployment: seals with the newest data key, opens with whichever sealed it."""

    def __init__(self, data_keys: dict[str, bytes], pepper: bytes) -> None:
        self._keys = dict(data_keys)
        self._boxes = {key_id: AESGCM(key) for key_id, key in data_keys.items()}
        self._current = max(data_keys)
        self.pepper = pepper

    def seal(self, name: str, plaintext: str) -> tuple[str, bytes]:
        """(data key id, sealed bytes) of a secret called `name`."""
        return self._current, _seal(self._boxes[self._current], name, plaintext.encode())

    def open(self, name: str, key_id: str, sealed: bytes) -> str:
        """The plaintext of a sealed secret. Raises WrongSecretKey when name, key and bytes do not belong together."""
        box = self._boxes.get(key_id)
        if box is None:
            raise WrongSecretKey(f"Secret {name} is sealed under an unknown data key.")
        return _open(box, name, sealed).decode()

    def seal_content(self, name: str, content: bytes) -> tuple[str, bytes]:
        """(data key id, sealed bytes) of something that there are many of: under a key made for this name alone."""
        return self._current, _seal(_content_box(self._keys[self._current], name), name, content)

    def open_content(self, name: str, key_id: str, sealed: bytes) -> bytes:
        """What `seal_content` sealed. Raises WrongSecretKey when name, key and bytes do not belong together."""
        key = self._keys.get(key_id)
        if key is None:
            raise WrongSecretKey(f"{name} is sealed under an unknown data key.")
        return _open(_content_box(key, name), name, sealed)

    def fingerprint(self, plaintext: str) -> str:
        """Eight hex characters that tell two secrets apart without showing either."""
        return hashlib.blake2b(plaintext.encode(), key=self.pepper, digest_size=4).hexdigest()

    def __repr__(self) -> str:
        return f"Vault(keys={sorted(self._boxes)})"


def generate_secret_key() -> str:
    """A new RESELLER_KIT_SECRET_KEY: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)).decode()


def seal_new_keys(secret_key: str, key_id: str) -> tuple[DataKey, bytes]:
    """A fresh data key and a fresh pepper, sealed under the secret key: what a new database stores."""
    box = _master_box(secret_key)
    data_key = DataKey(key_id, _seal(box, f"data_key:{key_id}", os.urandom(_KEY_BYTES)))
    return data_key, _seal(box, "pepper", os.urandom(_KEY_BYTES))


def open_vault(secret_key: str, data_keys: list[DataKey], sealed_pepper: bytes) -> Vault:
    """Open the stored keys. Raises WrongSecretKey when the secret key is not the one that sealed them."""
    box = _master_box(secret_key)
    keys = {key.id: _open(box, f"data_key:{key.id}", key.sealed) for key in data_keys}
    return Vault(keys, _open(box, "pepper", sealed_pepper))


def _master_box(secret_key: str) -> AESGCM:
    if len(secret_key) < _MIN_SECRET_LENGTH:
        raise WrongSecretKey(
            f"RESELLER_KIT_SECRET_KEY must have at least {_MIN_SECRET_LENGTH} characters.",
            fix="Generate one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"reseller-kit master key").derive(
        secret_key.encode()
    )
    return AESGCM(derived)


def _content_box(data_key: bytes, name: str) -> AESGCM:
    """Random nonces repeat under one key in the long run: each name has a key of its own (RFC 5869)."""
    return AESGCM(HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=name.encode()).derive(data_key))


def _seal(box: AESGCM, name: str, plaintext: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + box.encrypt(nonce, plaintext, name.encode())


def _open(box: AESGCM, name: str, sealed: bytes) -> bytes:
    if sealed[:1] != _VERSION:
        raise WrongSecretKey(f"Secret {name} is not in a form that this version reads.")
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return box.decrypt(nonce, ciphertext, name.encode())
    except InvalidTag:
        raise WrongSecretKey(
            "The secret key does not fit this database.",
            fix="Set RESELLER_KIT_SECRET_KEY to the key that the database was made with.",
        ) from None
