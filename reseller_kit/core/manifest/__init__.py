"""tenants.toml: its typed form, its errors, its resources and its prices. Pure; reads no file and no environment."""

from .checks import check_document
from .defaults import CostSource, cost_sources, with_catalogue
from .findings import CODES, Finding, Report
from .leaves import is_reference
from .parse import as_findings, invalid, parse_manifest
from .prices import Levels, PriceBook, PriceMove, model_cost, offers, price_book, price_moves, route_cost
from .resources import Resources, document_of, flat, nested, resources
from .structs import DEFAULT_NOTICE_DAYS, Document, Manifest, Route, Tenant, Upstream

__all__ = [
    "CODES",
    "DEFAULT_NOTICE_DAYS",
    "CostSource",
    "Document",
    "Finding",
    "Levels",
    "Manifest",
    "PriceBook",
    "PriceMove",
    "Report",
    "Resources",
    "Route",
    "Tenant",
    "Upstream",
    "as_findings",
    "check_document",
    "cost_sources",
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
    "with_catalogue",
]
