"""White-label platform for reselling AI APIs: many branded storefronts, one exact ledger."""

__version__ = "0.1.0"
