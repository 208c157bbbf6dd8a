"""The public pages of every storefront, in its own theme and brand."""

from .assets import asset_handlers
from .contact import contact_handlers
from .handlers import storefront_handlers
from .legal import legal_handlers
from .models import model_handlers
from .preview import preview_handlers

__all__ = [
    "asset_handlers",
    "contact_handlers",
    "legal_handlers",
    "model_handlers",
    "preview_handlers",
    "storefront_handlers",
]
