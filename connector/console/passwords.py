"""Passwords of local users: argon2id as RFC 9106 recommends, and the same pace whether the name is known or not."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from connector.core.errors import BadCase

SHORTEST, LONGEST = 12, 256  # NIST SP 800-63B-4: length counts, rules of composition do not
_HASHER = PasswordHasher()  # RFC 9106, low-memory profile: 64 MiB, 3 passes, 4 lanes


def hash_password(password: str) -> str:
    """Hash a new password. Raises BadCase when it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadCase("password", "(not shown)", f"needs {SHORTEST} to {LONGEST} characters: choose a longer sentence")
    return _HASHER.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is right; without an account it takes as long and is wrong."""
    try:
        return _HASHER.verify(password_hash or _nobody(), password[:LONGEST]) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def stronger_hash(password_hash: str, password: str) -> str | None:
    """Hash the password anew when the kept one was made with weaker parameters."""
    return _HASHER.hash(password) if _HASHER.check_needs_rehash(password_hash) else None


@cache
def _nobody() -> str:
    return _HASHER.hash("nobody has this account")
