"""The API's fast path: raw ASGI, dispatched before the page framework sees the request."""

from .app import Gateway
from .paths import canonical, dialect_of, is_api

__all__ = ["Gateway", "canonical", "dialect_of", "is_api"]
