"""Clients that come through the front door: they reach loopback, ask for a brand's own name, and trust one CA."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openai import OpenAI

from scripts._lib import caddy
from scripts._lib.caddy import Door


class ThroughTheDoor(httpx.HTTPTransport):
    """Connects to the door whatever host is asked for; the handshake and the Host header name that host."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=caddy.ADDRESS)
        return super().handle_request(request)


def http_over_tls(door: Door) -> httpx.Client:
    """A client for https URLs of any host; certificates are verified."""
    return httpx.Client(transport=ThroughTheDoor(verify=door.trust()), trust_env=False, timeout=60)


def openai_over_tls(door: Door, host: str, key: str) -> OpenAI:
    """The official client at a brand's own base URL."""
    options: dict[str, Any] = {"http_client": http_over_tls(door), "max_retries": 0}
    return OpenAI(api_key=key, base_url=f"https://{host}:{door.https_port}/v1", **options)


def trust_in_chromium(door: Door) -> str:
    """The argument by which Chromium takes certificates that the door's own CA signed, and no other unknown ones."""
    signer = x509.load_pem_x509_certificate(door.root.with_name("intermediate.crt").read_bytes())
    key = signer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return f"--ignore-certificate-errors-spki-list={digest}"
