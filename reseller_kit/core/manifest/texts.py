"""Reads the texts of tenants.toml: names, hosts, addresses, URLs. Each reader returns the canonical form or refuses."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from email.utils import formataddr, parseaddr
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from ..apikey import is_prefix
from ..errors import InvalidRequest
from ..lines import is_line
from ..payment import PROVIDER_NAME
from ..tenant import is_loopback_host, is_slug, normalise_host
from .findings import Refusal

Reader = Callable[[object], Any]

_MAX_TEXT: Final = 200
_MAX_MARKDOWN: Final = 20_000
_MAX_LINK: Final = 500
SETTING: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}", re.ASCII)
UPSTREAM_MODEL: Final = re.compile(r"[!-~]{1,200}", re.ASCII)
GLOB: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
TOKEN: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){0,3}", re.ASCII)
_WITH_PORT: Final = re.compile(r"[^:]+:\d+|\[.*\]:\d+")
_EMAIL: Final = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@([^\s@]{1,190})")
_TIMEZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_LOCALE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?", re.ASCII)
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", re.ASCII)


def string(value: object, what: str) -> str:
    """The value as text of any form, or a refusal that says what was expected."""
    if not isinstance(value, str):
        raise Refusal("RK104", f"Expected {what} as a string, found {toml_type(value)}.", "Put it in double quotes.")
    return value


def toml_type(value: object) -> str:
    """What TOML calls the type of a parsed value, with its article."""
    names = {str: "a string", bool: "true or false", int: "a whole number", float: "a float"}
    names |= {list: "an array", dict: "a table"}
    return names.get(type(value), "a date or time")


def read_text(value: object) -> str:
    """One printable line."""
    text = string(value, "text")
    if not text.strip():
        raise Refusal("RK211", "The text is empty.", "Write the text, or leave the key out.")
    if len(text) > _MAX_TEXT or not is_line(text):
        raise Refusal(
            "RK213", "The text is too long or holds control characters.", f"At most {_MAX_TEXT} printable characters."
        )
    return text


def read_markdown(value: object) -> str:
    """A text of several lines."""
    text = string(value, "text")
    if not text.strip():
        raise Refusal("RK211", "The text is empty.", "Write the text, or leave the key out.")
    if len(text) > _MAX_MARKDOWN or not is_line(text.replace("\n", "").replace("\t", "")):
        raise Refusal(
            "RK213", "The text is too long or holds control characters.", f"At most {_MAX_MARKDOWN} characters."
        )
    return text


def read_day(value: object) -> str:
    """A day as YYYY-MM-DD, quoted or not."""
    text = value.isoformat() if type(value) is dt.date else value
    try:
        return dt.date.fromisoformat(string(text, "a day")).isoformat()
    except ValueError:
        raise Refusal("RK215", "This is not a day.", 'Write it like "2026-01-31".') from None


def matching(pattern: re.Pattern[str], what: str, fix: str) -> Reader:
    """A reader of texts that fit the pattern whole."""

    def read(value: object) -> str:
        text = string(value, what)
        if not pattern.fullmatch(text):
            raise Refusal("RK205", f"{text[:80]!r} is not {what}.", fix)
        return text

    return read


def read_slug(value: object) -> str:
    """A tenant's slug."""
    text = string(value, "a slug")
    if not is_slug(text):
        reason = "is reserved" if text == "platform" else "is not a slug"
        raise Refusal(
            "RK302", f"{text[:80]!r} {reason}.", "Use 1 to 40 of a-z, 0-9 and hyphen, beginning with a letter."
        )
    return text


def read_key_prefix(value: object) -> str:
    """What a brand's API keys begin with."""
    text = string(value, "a key prefix")
    if not is_prefix(text):
        raise Refusal(
            "RK205",
            f"{text[:80]!r} is not a key prefix.",
            "Use 1 to 16 of a-z, 0-9 and hyphen, beginning with a letter.",
        )
    return text


def read_host(value: object) -> str:
    """A host in canonical form, without port."""
    text = string(value, "a host")
    if _WITH_PORT.fullmatch(text) or "://" in text:
        raise Refusal(
            "RK206", f"{text[:80]!r} is more than a host.", "Write the host alone, without scheme, port or path."
        )
    try:
        return normalise_host(text)
    except InvalidRequest as error:
        raise Refusal("RK206", error.message, error.fix) from None


def read_ipv4(value: object) -> str:
    """An IPv4 address."""
    return _address(value, ipaddress.IPv4Address, "an IPv4 address", "192.0.2.10")


def read_ipv6(value: object) -> str:
    """An IPv6 address in canonical form."""
    return _address(value, ipaddress.IPv6Address, "an IPv6 address", "2001:db8::10")


def _address(value: object, parse: Callable[[str], object], what: str, example: str) -> str:
    text = string(value, what)
    try:
        return str(parse(text))
    except ValueError:
        raise Refusal("RK206", f"{text[:80]!r} is not {what}.", f'Write it like "{example}".') from None


def read_email(value: object) -> str:
    """An e-mail address in its one form: compatibility characters and case folded, the domain as DNS has it."""
    text = string(value, "an e-mail address").strip()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    match = _EMAIL.fullmatch(folded)
    domain = None if match is None or not text.isprintable() or not folded.isprintable() else _domain(match[1])
    if domain is None:
        raise Refusal("RK207", f"{text[:80]!r} is not an e-mail address.", "Write it like name@example.com.")
    return f"{folded.rpartition('@')[0]}@{domain}"


def _domain(text: str) -> str | None:
    try:
        return normalise_host(text)
    except InvalidRequest:
        return None


def read_sender(value: object) -> str:
    """A mail's sender: an address, with or without a name."""
    text = string(value, "a sender")
    name, address = parseaddr(text)
    if not is_line(text):
        raise Refusal("RK207", "The sender holds control characters.", 'Write it like "Name <name@example.com>".')
    return formataddr((name, read_email(address or text)), charset="utf-8")


def read_timezone(value: object) -> str:
    """An IANA time zone name."""
    text = string(value, "a time zone")
    refusal = Refusal(
        "RK208", f"{text[:80]!r} is not a time zone.", 'Write an IANA name such as "UTC" or "Europe/Berlin".'
    )
    if not _TIMEZONE.fullmatch(text):
        raise refusal
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A machine without any zone data can't tell; there the form must do.
        if text != "UTC" and available_timezones():
            raise refusal from None
    return text


def split_url(value: object, what: str) -> SplitResult:
    """An http(s) URL without credentials, query or fragment. Raises Refusal, which never repeats the URL."""
    text = string(value, what)
    unusable = Refusal("RK209", f"This is not a usable {what}.", "Write it like https://host.example/path.")
    try:
        url = urlsplit(text)
        has_place = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        raise unusable from None
    if not has_place or not text.isprintable() or " " in text or "\\" in text:
        raise unusable
    if "@" in url.netloc:
        raise Refusal(
            "RK209", f"The {what} carries credentials.", "Take them out; secrets go into api_keys as references."
        )
    if "?" in text or "#" in text:
        raise Refusal("RK209", f"The {what} carries a query or a fragment.", "Write scheme, host and path only.")
    return url


def is_private_address(host: str) -> bool:
    """Whether the host is an IP literal outside the public internet."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def read_base_url(value: object) -> str:
    """An upstream's base URL without a trailing slash; http only where nothing leaves the private network."""
    url = split_url(value, "base URL")
    host = read_host(url.hostname)
    if url.scheme == "http" and not is_loopback_host(host) and not is_private_address(host):
        raise Refusal("RK209", "The base URL sends keys unencrypted over a public network.", "Use https://.")
    return url.geturl().rstrip("/")


def read_public_url(value: object) -> str:
    """A URL template that holds {host}."""
    text = string(value, "a URL template")
    url = split_url(text.replace("{host}", "host.example"), "URL template")
    if "{host}" not in text or url.hostname is None or "host.example" not in url.hostname:
        raise Refusal("RK209", "The URL template does not hold {host}.", 'Write it like "https://{host}".')
    return text.rstrip("/")


def read_payment_provider(value: object) -> str:
    """The name of a way to be paid; which of them there are is for those to say who know the plugins."""
    text = string(value, "a payment provider")
    if not PROVIDER_NAME.fullmatch(text):
        fix = 'Write "manual", "paddle" or the name of a plugin.'
        raise Refusal("RK204", f"{text[:80]!r} is no payment provider.", fix)
    return text


def read_paddle_environment(value: object) -> str:
    """A payment environment: sandbox, live or a loopback URL."""
    text = string(value, "an environment")
    if text in {"sandbox", "live"}:
        return text
    url = split_url(text, "environment") if "://" in text else None
    if url is None or url.scheme != "http" or not is_loopback_host(url.hostname or ""):
        raise Refusal(
            "RK204",
            "This is not a payment environment.",
            'Write "sandbox", "live" or a loopback URL "http://127.0.0.1:PORT".',
        )
    return text.rstrip("/")


def is_locale(text: str) -> bool:
    """Whether it is a language tag such as `de` or `pt-BR` (RFC 5646, language, script and region)."""
    return _LOCALE.fullmatch(text) is not None


def read_locale(value: object) -> str:
    """A language tag, see `is_locale`."""
    text = string(value, "a language tag")
    if not is_locale(text):
        raise Refusal("RK214", f"{text[:80]!r} is not a language tag.", 'Write it like "en", "de" or "pt-BR".')
    return text


def read_image_id(value: object) -> str:
    """An uploaded picture by its content's SHA-256."""
    text = string(value, "the id of a picture")
    if not _IMAGE_ID.fullmatch(text):
        fix = "Upload pictures in the console, or leave the key out."
        raise Refusal("RK205", f"{text[:80]!r} is not the id of an uploaded picture.", fix)
    return text


def read_link(value: object) -> str:
    """A link's target: a path of the storefront, or an https URL without credentials."""
    text = string(value, "a link").strip()
    if text.startswith("/") and not text.startswith("//") and _is_plain(text):
        return text
    return read_https_url(text)


def read_https_url(value: object) -> str:
    """An https URL of a page elsewhere."""
    text = string(value, "a link").strip()
    unusable = Refusal("RK209", "This is no link.", 'Write "/path" for a page here, or "https://host.example/path".')
    try:
        url = urlsplit(text)
        has_place = url.scheme == "https" and bool(url.hostname) and url.port != 0 and "@" not in url.netloc
    except ValueError:
        raise unusable from None
    if not has_place or not _is_plain(text):
        raise unusable
    return text


def _is_plain(text: str) -> bool:
    """Whether nothing in the text can end or change a link."""
    return len(text) <= _MAX_LINK and text.isprintable() and not set(text) & set(" \\<>\"'`{}")
