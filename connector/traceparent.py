"""The name of a trace as it is kept in the ledger, so that steps in other processes and days later belong to it."""

import re
import secrets

_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-0[01]")


def new_traceparent() -> str:
    """Begin a trace: a random one, sampled (W3C Trace Context, section 3.2)."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def ids_of(traceparent: str | None) -> tuple[int, int] | None:
    """Trace id and span id, None when there is none or it cannot be read."""
    found = _FORM.fullmatch(traceparent or "")
    return (int(found[1], 16), int(found[2], 16)) if found else None
