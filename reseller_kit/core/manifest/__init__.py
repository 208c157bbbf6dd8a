"""tenants.toml: its typed form, its errors, its resources and its prices. Pure; reads no file and no environment."""

from .checks import check_document
from .defaults import CostSource, cost_sources, with_catalogue
from .findings import CODES, Finding, Report
from .leaves import STORED, is_reference
from .parse import as_findings, invalid, parse_manifest, syntax_finding
from .prices import (
    Levels,
    PriceBook,
    PriceMove,
    model_cost,
    offers,
    own_route_cost,
    price_book,
    price_moves,
    route_cost,
)
from .reader import suggest
from .resources import (
    Resources,
    default_of,
    document_of,
    flat,
    nested,
    package_terms,
    read_state,
    resources,
    tenant_resources,
)
from .route_checks import refuse_address
from .route_sets import RouteSet, group_routes, route_set
from .serving import Serving, servings
from .shop_structs import Package, PaymentAccount
from .structs import DEFAULT_NOTICE_DAYS, Document, Manifest, Model, Route, Tenant, Upstream

__all__ = [
    "CODES",
    "DEFAULT_NOTICE_DAYS",
    "STORED",
    "CostSource",
    "Document",
    "Finding",
    "Levels",
    "Manifest",
    "Model",
    "Package",
    "PaymentAccount",
    "PriceBook",
    "PriceMove",
    "Report",
    "Resources",
    "Route",
    "RouteSet",
    "Serving",
    "Tenant",
    "Upstream",
    "as_findings",
    "check_document",
    "cost_sources",
    "default_of",
    "document_of",
    "flat",
    "group_routes",
    "invalid",
    "is_reference",
    "model_cost",
    "nested",
    "offers",
    "own_route_cost",
    "package_terms",
    "parse_manifest",
    "price_book",
    "price_moves",
    "read_state",
    "refuse_address",
    "resources",
    "route_cost",
    "route_set",
    "servings",
    "suggest",
    "syntax_finding",
    "tenant_resources",
    "with_catalogue",
]
