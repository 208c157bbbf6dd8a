"""A device with a passkey, in software: makes it, signs with it, can be cloned, and signs what browsers refuse."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_PRESENT_AND_VERIFIED = 0x05
_NEW_CREDENTIAL = 0x40


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def said(kind: str, options: str, origin: str) -> bytes:
    """What a browser says that it asked the device for."""
    challenge = json.loads(options)["challenge"]
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()


class Authenticator:
    """One device with one passkey (ES256); `count` goes up with each signature, as on hardware keys."""

    def __init__(self, count: int = 0) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(16)
        self.count = count

    def clone(self) -> Authenticator:
        """Another device with the same secret, which counts for itself."""
        other = Authenticator(self.count)
        other.key, other.id = self.key, self.id
        return other

    def make(self, options: str, origin: str) -> str:
        """The answer to a page that asks for a new passkey."""
        host = json.loads(options)["rp"]["id"]
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cbor2.dumps(public)
        data = self._data(host, _PRESENT_AND_VERIFIED | _NEW_CREDENTIAL) + attested
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = said("webauthn.create", options, origin)
        return self._answer({"clientDataJSON": encoded(client), "attestationObject": encoded(made)})

    def sign(self, options: str, origin: str, host: str = "") -> str:
        """The answer to a page that asks for a log-in; `host`: for which one, the page's own by default."""
        self.count += 1
        client = said("webauthn.get", options, origin)
        data = self._data(host or json.loads(options)["rpId"], _PRESENT_AND_VERIFIED)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": encoded(client),
                "authenticatorData": encoded(data),
                "signature": encoded(signature),
            }
        )

    def _data(self, host: str, flags: int) -> bytes:
        return hashlib.sha256(host.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _answer(self, response: dict[str, Any]) -> str:
        own = encoded(self.id)
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": response})
