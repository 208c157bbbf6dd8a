"""The management API of a storefront, at `/console/api/v1`: for programs of its team, with a token. Knows no cookie."""

from .answer import BASE, REQUESTS_A_MINUTE, answer, is_management
from .endpoint import Endpoint
from .openapi import openapi
from .table import ENDPOINTS

__all__ = ["BASE", "ENDPOINTS", "REQUESTS_A_MINUTE", "Endpoint", "answer", "is_management", "openapi"]
