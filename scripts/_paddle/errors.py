"""Refusals in the words and statuses of the service ("Errors" in its documentation)."""

from __future__ import annotations

from typing import Any, Final

DOCUMENTATION: Final = "https://developer.paddle.com/errors"


class Refused(Exception):
    """A request that gets an error. `fields` are pairs of a field and what is wrong with it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        area: str = "shared",
        fields: tuple[tuple[str, str], ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.area = status, code, detail, area
        self.fields, self.headers = fields, headers

    def body(self, request_id: str) -> dict[str, Any]:
        """The envelope of the error."""
        error: dict[str, Any] = {
            "type": "api_error" if self.status in {429, 500, 502, 503} else "request_error",
            "code": self.code,
            "detail": self.detail,
            "documentation_url": f"{DOCUMENTATION}/{self.area}/{self.code}",
        }
        if self.fields:
            error["errors"] = [{"field": field, "message": message} for field, message in self.fields]
        return {"error": error, "meta": {"request_id": request_id}}


def invalid(field: str, message: str) -> Refused:
    """A field of the request is wrong."""
    return Refused(400, "bad_request", "Invalid request.", fields=((field, message),))


def not_found(identifier: str) -> Refused:
    """An object that this account does not have."""
    return Refused(404, "not_found", f"Entity {identifier} not found")


def too_many(seconds: int) -> Refused:
    """The rate limit."""
    detail = "IP address exceeded the allowed rate limit. Retry after the number of seconds in the Retry-After header."
    return Refused(429, "too_many_requests", detail, headers=(("retry-after", str(seconds)),))
