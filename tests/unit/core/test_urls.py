from __future__ import annotations

import pytest

from reseller_kit.core.urls import public_url


@pytest.mark.parametrize(
    ("host", "template", "port", "expected"),
    [
        ("aurora.localhost", None, 8000, "http://aurora.localhost:8000"),
        ("127.0.0.2", None, 9000, "http://127.0.0.2:9000"),
        ("::1", None, 8000, "http://[::1]:8000"),
        ("localhost", None, 80, "http://localhost"),
        ("shop.example.com", None, 8000, "https://shop.example.com"),
        ("10.0.0.1", None, 8000, "https://10.0.0.1"),
        ("aurora.localhost", "https://{host}", 8000, "https://aurora.localhost"),
        ("shop.example.com", "https://{host}:8443/x/", 8000, "https://shop.example.com:8443/x"),
    ],
)
def test_a_host_becomes_its_origin(host: str, template: str | None, port: int, expected: str) -> None:
    assert public_url(host, template, port) == expected
