"""The API's fast path: raw ASGI, dispatched before the page framework sees the request."""

from .app import Gateway
from .paths import is_api

__all__ = ["Gateway", "is_api"]
