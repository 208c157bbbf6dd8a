"""Encryption at rest and keyed hashes. Stores nothing: ciphertext in, ciphertext out.

Three layers (docs/security.md): the operator's secret key encrypts random data keys and the pepper; a data key
encrypts each secret with AES-256-GCM under its own name as associated data; the pepper keys the hashes of API keys.
"""

from .box import DataKey, Vault, WrongSecretKey, generate_secret_key, open_vault, seal_new_keys
from .hashing import key_digest, token_digest

__all__ = [
    "DataKey",
    "Vault",
    "WrongSecretKey",
    "generate_secret_key",
    "key_digest",
    "open_vault",
    "seal_new_keys",
    "token_digest",
]
