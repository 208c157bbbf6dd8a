"""Which endpoint serves a call, what its failure means, and whether another one is asked. Pure; sends nothing.

An endpoint is an upstream together with the model's name there: what a circuit breaks for and what a speed is of.
"""

from .affinity import Affinity, point_of
from .breaker import Admission, Breaker, Change, Permit
from .budget import RetryBudget
from .choice import EndpointName, Weighed, endpoint_of, order
from .speed import Speeds
from .verdict import MAX_ATTEMPTS, Fault, is_switched

__all__ = [
    "MAX_ATTEMPTS",
    "Admission",
    "Affinity",
    "Breaker",
    "Change",
    "EndpointName",
    "Fault",
    "Permit",
    "RetryBudget",
    "Speeds",
    "Weighed",
    "endpoint_of",
    "is_switched",
    "order",
    "point_of",
]
