"""The public pages of every storefront, in its own theme and brand."""

from .contact import contact_handlers
from .handlers import storefront_handlers
from .legal import legal_handlers
from .models import model_handlers

__all__ = ["contact_handlers", "legal_handlers", "model_handlers", "storefront_handlers"]
