"""Absolute URLs of a storefront. Always made from a configured host, never from a request."""

from __future__ import annotations

from typing import Final

from .tenant import is_loopback_host, url_host

DEFAULT_PORT: Final = 8000
"""Where `serve` listens unless told otherwise."""
_HTTP_PORT: Final = 80


def public_url(host: str, template: str | None = None, port: int = DEFAULT_PORT) -> str:
    """The origin (and path prefix, if the template has one) of a canonical host, without a trailing slash.

    `template` is the platform's `public_url`, with {host}. Without one: http with the serving port for loopback
    literals and localhost names, else https.
    """
    named = url_host(host)
    if template:
        return template.replace("{host}", named).rstrip("/")
    if not is_loopback_host(host):
        return f"https://{named}"
    return f"http://{named}" if port == _HTTP_PORT else f"http://{named}:{port}"
