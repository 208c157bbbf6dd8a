"""Every error that the product raises on purpose. Turns nothing into a response; that happens at the rim.

KitError                        code, HTTP status, safe message, fix
├── InvalidRequest              400 invalid_request
│   ├── InvalidAmount           400 invalid_amount
│   ├── InvalidForm             422 invalid_form          (a page's form; shown again with what was typed)
│   └── PreviousNotFound        400 previous_response_not_found
├── Unauthenticated             401 invalid_api_key
├── InsufficientCredit          402 insufficient_quota
│   └── DailyAllowanceUsed      402 daily_allowance_reached
├── AccountSuspended            403 account_suspended
│   └── AccountRestricted       403 account_restricted
├── AddressNotAllowed           403 address_not_allowed
├── NotFound                    404 not_found
│   └── ModelNotFound           404 model_not_found
├── MethodNotAllowed            405 method_not_allowed
├── RequestTimeout              408 request_timeout
├── Conflict                    409 conflict
├── Archived                    410 gone
├── RequestTooLarge             413 request_too_large
├── UnknownHost                 421 unknown_host
├── UpgradeRequired             426 upgrade_required
├── RateLimited                 429 rate_limit_exceeded
├── ConfirmationNeeded          409 confirmation_needed   (CLI only)
├── InvalidManifest             400 invalid_configuration (CLI only; carries findings)
├── LedgerFault                 500 ledger_fault          (a broken invariant; never a client's doing)
└── ServiceUnavailable          503 service_unavailable
    ├── Overloaded              503 service_unavailable   (comes with a time to try again)
    ├── Restarting              503 service_unavailable   (comes with a time to try again)
    ├── UpstreamFailed          503 service_unavailable   (retryable on another route)
    └── SchemaOutdated          503 schema_outdated
UpstreamRejected                400/404/413/422           (a KitError: the provider refused the request itself)

The message is one sentence for the person who made the request, free of platform and provider names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .rates import NO_RATES, Rates
from .verdict import Verdict


class KitError(Exception):
    """Base of the tree.

    `message` says what is wrong, `fix` what to do next, `details` is JSON-ready data for machines.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, fix: str = "", details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.details = details or []


class InvalidRequest(KitError):
    """What was sent is malformed or out of range. `param` names the field, if one is to blame."""

    code = "invalid_request"
    status = 400

    def __init__(
        self, message: str, *, param: str | None = None, fix: str = "", details: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(message, fix=fix, details=details)
        self.param = param


class InvalidAmount(InvalidRequest):
    """A money amount or price that is not plain decimal, too precise, too large or of the wrong sign."""

    code = "invalid_amount"


class NoticeTooShort(InvalidRequest):
    """A price would rise sooner than customers are to be told. `earliest` (µs): a moment that would do."""

    def __init__(self, message: str, *, param: str | None = None, fix: str = "", earliest: int = 0) -> None:
        super().__init__(message, param=param, fix=fix)
        self.earliest = earliest


class InvalidForm(InvalidRequest):
    """A form on a page can't be taken as it is. `problems`: field → (key of the text, its values); "" is the form."""

    code = "invalid_form"
    status = 422

    def __init__(self, problems: Mapping[str, tuple[str, Mapping[str, object]]]) -> None:
        super().__init__("The form can't be taken as it is.", fix="Correct the fields that are marked.")
        self.problems = dict(problems)


class PreviousNotFound(InvalidRequest):
    """The response to go on from is not kept for this customer: expired, deleted, another's, or never made."""

    code = "previous_response_not_found"


class Unauthenticated(KitError):
    """No key, or one that is unknown, revoked, expired or another storefront's: all look the same."""

    code = "invalid_api_key"
    status = 401


class InsufficientCredit(KitError):
    """The customer's credit, or the key's limit, does not cover the request.

    `page` is the path of the storefront's page that mends it.
    """

    code = "insufficient_quota"
    status = 402

    def __init__(self, message: str, *, page: str = "/account/billing", fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.page = page


class DailyAllowanceUsed(InsufficientCredit):
    """There is credit, and today's allowance of it does not cover the request; tomorrow's may."""

    code = "daily_allowance_reached"


class AccountSuspended(KitError):
    """The customer or the storefront is suspended, or the storefront is not open."""

    code = "account_suspended"
    status = 403


class AccountRestricted(AccountSuspended):
    """The customer's calls are refused because of abuse; its account is open, and tells why and how to appeal."""

    code = "account_restricted"
    page: ClassVar[str] = "/account/restriction"


class AddressNotAllowed(KitError):
    """The key may be used from certain addresses only, and the request came from another one."""

    code = "address_not_allowed"
    status = 403


class NotFound(KitError):
    """There is nothing of that name here; the same answer for what exists elsewhere."""

    code = "not_found"
    status = 404


class ModelNotFound(NotFound):
    """The model is unknown, unpriced or not offered on this storefront."""

    code = "model_not_found"


class MethodNotAllowed(KitError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class RequestTimeout(KitError):
    """The request did not arrive within its time. Nothing was done for it."""

    code = "request_timeout"
    status = 408


class Conflict(KitError):
    """It exists already, or the idempotency key was used with other arguments."""

    code = "conflict"
    status = 409


class ConfirmationNeeded(KitError):
    """Changes wait for a yes and there is no terminal to ask on."""

    code = "confirmation_needed"
    status = 409


class Archived(KitError):
    """The storefront is closed for good."""

    code = "gone"
    status = 410


class RequestTooLarge(KitError):
    """The body is over the limit."""

    code = "request_too_large"
    status = 413


class UnknownHost(KitError):
    """No storefront answers at this host, or the Host header is missing, doubled or malformed."""

    code = "unknown_host"
    status = 421


class UpgradeRequired(KitError):
    """A WebSocket was asked for where there is none; clients that know the status send plain requests instead."""

    code = "upgrade_required"
    status = 426


class RateLimited(KitError):
    """Too many requests; `retry_after_seconds` says when to come back, `rates` how full the caller's limits are."""

    code = "rate_limit_exceeded"
    status = 429

    def __init__(self, message: str, *, retry_after_seconds: int, fix: str = "", rates: Rates = NO_RATES) -> None:
        super().__init__(message, fix=fix)
        self.retry_after_seconds = retry_after_seconds
        self.rates = rates


class InvalidManifest(KitError):
    """tenants.toml has errors; `details` holds one finding each (file, line, code, path, message, fix)."""

    code = "invalid_configuration"
    status = 400


class LedgerFault(KitError):
    """A money invariant would break. Nothing is written."""

    code = "ledger_fault"
    status = 500


class ServiceUnavailable(KitError):
    """The call can't be served now: every route is down, or the storefront's own balance is empty."""

    code = "service_unavailable"
    status = 503
    retry_after_seconds: int | None = None
    """When it makes sense to come back, where that is known."""


class Overloaded(ServiceUnavailable):
    """Everything that could serve the call, or the database, is busy; `retry_after_seconds` says when to come back."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Restarting(ServiceUnavailable):
    """This process ends, or has just begun anew: another one, or the next, serves the call."""

    retry_after_seconds = 1

    def __init__(self, message: str = "The service is restarting. Please try again in a moment.") -> None:
        super().__init__(message)


class UpstreamFailed(ServiceUnavailable):
    """An upstream failed before content; another route may be tried.

    `reason` is for logs and usage records, never for the caller. `upstream_status` is None without an answer.
    `rejection`: the answer began well but then refused the request itself, so that no other route need be tried.
    `verdict`: whose fault it was, the endpoint's unless somebody knows better.
    """

    def __init__(
        self,
        reason: str,
        *,
        upstream_status: int | None = None,
        rejection: UpstreamRejected | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        super().__init__("The model is not available right now. Please try again in a moment.")
        self.reason = reason
        self.upstream_status = upstream_status
        self.rejection = rejection
        self.verdict = verdict or Verdict(blame="endpoint", reason=reason)


class SchemaOutdated(ServiceUnavailable):
    """The database's schema is not the one this version needs."""

    code = "schema_outdated"


class UpstreamRejected(KitError):
    """The provider refused the request itself (400, 404, 413, 422). `message` is already cleaned of its identity."""

    code = "invalid_request"

    def __init__(self, message: str, *, http_status: int) -> None:
        super().__init__(message)
        self.http_status = http_status
