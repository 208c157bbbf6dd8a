"""The public suffix list, as its package brings it along. Fetches nothing."""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PublicSuffixList


def is_public_suffix(host: str) -> bool:
    """Whether anybody may register below this canonical host: com, co.uk, github.io, and top-level names unknown."""
    return bool(_list().is_public(host))


@cache
def _list() -> PublicSuffixList:
    return PublicSuffixList()
