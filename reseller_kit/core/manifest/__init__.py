"""tenants.toml: its typed form, its errors, its resources and its prices. Pure; reads no file and no environment."""

from .checks import check_document
from .findings import CODES, Finding, Report
from .leaves import is_reference
from .parse import as_findings, invalid, parse_manifest
from .prices import Levels, PriceBook, PriceMove, model_cost, offers, price_book, price_moves, route_cost
from .resources import Resources, document_of, flat, nested, resources
from .structs import Document, Manifest, Tenant, Upstream

__all__ = [
    "CODES",
    "Document",
    "Finding",
    "Levels",
    "Manifest",
    "PriceBook",
    "PriceMove",
    "Report",
    "Resources",
    "Tenant",
    "Upstream",
    "as_findings",
    "check_document",
    "document_of",
    "flat",
    "invalid",
    "is_reference",
    "model_cost",
    "nested",
    "offers",
    "parse_manifest",
    "price_book",
    "price_moves",
    "resources",
    "route_cost",
]
