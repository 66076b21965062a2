"""Reads the settings for a command, or says which one is wrong; finds variables and files that no setting goes by."""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from connector.core.errors import BadCase
from connector.settings import Settings, secret_folders

_PREFIX = "CONNECTOR_"
_NO_SETTINGS = frozenset({"CONNECTOR_VENV", "CONNECTOR_TEST_WORKERS"})  # what deploy/setup and tests/run read
# What Docker and Kubernetes add for a service that is called connector.
_LINK = re.compile(r".*(_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_(TCP|UDP)(_\w+)?)")
_LIKE_ENOUGH = 0.8  # so that PACS_PROT is taken for PACS_PORT, and no key's name for a token's
_LISTED = "`connector check --explain` lists every setting"


def read_settings(**given: Any) -> Settings:
    """The settings in force, but for those given. Raises BadCase, which names the one that is wrong, and the others."""
    try:
        return Settings(**given)
    except ValidationError as fault:
        first, *others = fault.errors()
        more = sorted({_variable(one) for one in others} - {_variable(first)})
        also = f"; {', '.join(more)} too" if more else ""
        raise BadCase(_variable(first), _shown(first), f"{_told(first)}{also} ({_LISTED})") from None
    except (SettingsError, OSError) as fault:
        where = getattr(fault, "filename", None) or _unreadable_secret()
        advice = "cannot be read by this user as a file of text: give it to the user of the service, or put it right"
        raise BadCase("CONNECTOR_SECRETS_DIR", str(where), advice) from None


def _unreadable_secret() -> str:
    """The folder or the file of secrets that is to blame."""
    for folder in secret_folders():
        if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
            return str(folder)
    for path in _secret_files():
        try:
            path.is_dir() or path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return str(path)
    return ", ".join(map(str, secret_folders()))


def unknown_names() -> list[str]:
    """A sentence on each variable that no setting goes by, and on each secret file that is none or has a slip."""
    known = [name.upper() for name in Settings.model_fields]
    variables = (
        name.upper().removeprefix(_PREFIX)
        for name, value in os.environ.items()
        if name.upper().startswith(_PREFIX) and not (_LINK.fullmatch(name.upper()) or value.startswith("tcp://"))
    )
    told = [
        f"{_PREFIX}{name} is no setting{_meant(name, known)}"
        for name in sorted(variables)
        if name not in known and _PREFIX + name not in _NO_SETTINGS
    ]
    # Other files may lie there: keys that a setting names by their path, the last one, and the next.
    values = [name for name in known if not name.endswith("_FILE")]
    for path in _secret_files():
        name = path.name.upper().removeprefix(_PREFIX)
        meant = _meant(name, values)
        if path.is_dir():
            # As Docker makes where the file to mount is not there.
            told.append(f"the secret {path} is a folder: put a file of that name there, and mount it anew")
        elif name not in known and meant:
            told.append(f"the secret file {path} is of no setting{meant}")
    return told


def _meant(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=_LIKE_ENOUGH)
    return f": {_PREFIX}{near[0]} is meant?" if near else ""


def _secret_files() -> Iterator[Path]:
    for folder in secret_folders():
        yield from sorted(path for path in folder.iterdir() if path.name.upper().startswith(_PREFIX))


def _variable(error: Mapping[str, Any]) -> str:
    return _PREFIX + str(error["loc"][0]).upper()


def _shown(error: Mapping[str, Any]) -> str:
    """The value that is refused, unless a secret is in it: an error's text may end in a log."""
    name, value = str(error["loc"][0]), str(error["input"])
    is_secret = isinstance(Settings.model_fields[name].default, SecretStr) or name in {"database_url", "broker_url"}
    return "(hidden)" if is_secret or "@" in value else value


_WHOLE, _NUMBER, _YES_NO = (
    "is no whole number: write it in digits", "is no number: write e.g. 30 or 0.5", "is neither: write true or false",
)  # fmt: skip
# What pydantic calls a fault, and how it is told; the limits are filled in.
_WORDS = {
    "value_error": "{error}", "literal_error": "must be {expected}",
    "int_parsing": _WHOLE, "int_from_float": _WHOLE, "float_parsing": _NUMBER, "bool_parsing": _YES_NO,
    "greater_than_equal": "must be {ge:g} or more", "less_than_equal": "must be {le:g} or less",
    "greater_than": "must be more than {gt:g}",
    "string_too_long": "has more than {max_length} characters: shorten it",
    "string_pattern_mismatch": "is no web address: write e.g. https://pacs.hospital.example/dicom-web",
}  # fmt: skip


def _told(error: Mapping[str, Any]) -> str:
    words = _WORDS.get(str(error["type"]))
    return words.format(**error.get("ctx", {})) if words else str(error["msg"])
