"""Takes secrets out of text before it is logged. Knows forms, not values."""

from __future__ import annotations

import re
from typing import Final

_MASK: Final = "[redacted]"
_PATTERNS: Final = (
    # Secrets of webhooks, whose base64 has what keys have not.
    re.compile(r"\bwhsec_[0-9A-Za-z+/=]+"),
    # Customers' keys of any brand prefix, and the usual provider keys.
    re.compile(r"\b[A-Za-z][A-Za-z0-9-]{0,15}[_-][0-9A-Za-z_-]{20,}"),
    re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',;]+"),
    re.compile(r"(?i)([?&](?:api[_-]?key|key|token|access_token|code)=)[^&\s\"']+"),
    re.compile(r"(?i)(://[^/\s:@]*:)[^@\s/]+(@)"),
)
_REPLACEMENTS: Final = (_MASK, _MASK, rf"\1 {_MASK}", rf"\1{_MASK}", rf"\1{_MASK}\2")
_PUBLIC_ID: Final = re.compile(
    r"(?:req|txn|lot|cus|key|pkg|prc|sch|own|mail|clm|whe|whd|evt)_[0-7][0-9A-HJKMNP-TV-Z]{25}"
)


def redact(text: str) -> str:
    """`text` without API keys, bearer tokens, secret query values and passwords in URLs. Public ids stay."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\x00{len(kept) - 1}\x00"

    text = _PUBLIC_ID.sub(keep, text.replace("\x00", ""))
    for pattern, replacement in zip(_PATTERNS, _REPLACEMENTS, strict=True):
        text = pattern.sub(replacement, text)
    return re.sub(r"\x00(\d+)\x00", lambda match: kept[int(match[1])], text)
