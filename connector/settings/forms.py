"""The forms that several settings share: web addresses, AE titles, numbers; each says what to write instead."""

from math import isfinite
from typing import Any
from urllib.parse import urlsplit

_LONGEST_AE_TITLE = 16  # PS3.5, section 6.2: value representation AE
# Base addresses, which others may add a path to.
_ADDRESSES = frozenset({
    "ehr_url", "ehr_token_url", "ehr_hook_url", "pacs_dicomweb_url", "public_url", "console_url", "oidc_issuer",
    "otlp_endpoint", "audit_fhir_url", "ehr_proxy",
})  # fmt: skip
_AE_TITLES = frozenset({"ae_title", "pacs_ae_title"})


def well_formed(name: str, value: Any) -> Any:
    """The value of the setting `name` as it is. Raises ValueError when it cannot be meant."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("is without end: write a number")
    if name in _ADDRESSES and value:
        _require_address(value)
    if name in _AE_TITLES:
        require_ae_title(value)
    if name == "allowed_calling_ae_titles":
        for title in filter(None, (part.strip() for part in value.split(","))):
            require_ae_title(title)
    return value


def require_ae_title(title: str) -> None:
    """Raise ValueError unless `title` is one: 1 to 16 characters of ASCII, no backslash (PS3.5, section 6.2)."""
    if not (0 < len(title.strip()) <= _LONGEST_AE_TITLE and title.isascii() and title.isprintable()) or "\\" in title:
        raise ValueError(f"{title!r} is no AE title: write 1 to {_LONGEST_AE_TITLE} characters of ASCII, no backslash")


def _require_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is no number, or brackets without an IPv6 address
        right = False
    if not right or any(letter.isspace() for letter in url):
        raise ValueError("is no web address: write e.g. https://host.hospital.example/path")
