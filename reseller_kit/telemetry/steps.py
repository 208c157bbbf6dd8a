"""Parts of a request as traces show them. What is here is for requests that nobody traces: it does nothing."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Self, TypeVar

T = TypeVar("T")

Fact = str | int | bool
"""What a step may be told of: words of a bounded set, names from the configuration, and figures. Never content."""


class Step:
    """A part of a request: ended once, by `end` or by leaving its block."""

    def child(self, name: str, **facts: Fact | None) -> Step:  # noqa: ARG002  # traced steps use them
        """A part of this one that begins now."""
        return self

    def around(self, name: str, work: Awaitable[T], **facts: Fact | None) -> Awaitable[T]:  # noqa: ARG002  # as `child`
        """The work to wait for, as a part of this step that ends with it."""
        return work

    def tell(self, **facts: Fact | None) -> None:
        """Add facts; those that are None are left out."""

    def end(self, outcome: str = "ok") -> None:
        """It is over."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """It is over, well or by the error that ended it."""


UNTRACED: Final = Step()
