"""Who signs in: local accounts with their lock-out, and sessions that end when idle, when old, or when ended."""

import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from connector.core.errors import BadCase
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import insert_or_ignore

WRONG_PASSWORDS_UNTIL_LOCKED = 5
LOCKED_SECONDS = 15 * 60.0
# Of one address, whatever names it tries; behind a proxy everybody shares one, so it is generous.
MOST_FAILURES, FAILURES_WITHIN_SECONDS = 30, 300.0
_SEEN_EVERY_SECONDS = 30.0  # a session's last use is written this often, not at every request


@dataclass(frozen=True, slots=True)
class Account:
    """A local account as it stands."""

    name: str
    password_hash: str
    roles: tuple[str, ...]
    disabled: bool
    locked_until: float | None  # None when it is not locked now
    created_at: float


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that still holds."""

    digest: str
    name: str
    roles: tuple[str, ...]


class Accounts:
    """Local accounts, and the sessions of everybody."""

    def __init__(
        self, engine: sa.Engine, *, idle_seconds: float, longest_seconds: float, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._idle_seconds = idle_seconds
        self._longest_seconds = longest_seconds
        self._now = now

    # Accounts

    def add(self, name: str, password_hash: str, roles: Sequence[str]) -> None:
        """Add an account. Raises BadCase when the name is taken."""
        now = self._now()
        row = {
            "name": name, "password_hash": password_hash, "roles": ",".join(roles), "created_at": now,
            "changed_at": now, "disabled_at": None, "failures": 0, "locked_until": None,
        }  # fmt: skip
        with self._engine.begin() as connection:
            if not insert_or_ignore(connection, t.account, row):
                raise BadCase("NAME", name, "has an account already: `connector user password` sets a new password")

    def set_password(self, name: str, password_hash: str) -> None:
        """Set a password, open a locked or disabled account, and end its sessions. Raises BadCase for nobody."""
        self._change(name, password_hash=password_hash, disabled_at=None, failures=0, locked_until=None)

    def disable(self, name: str) -> None:
        """Close an account and end its sessions. Raises BadCase when nobody has that name."""
        self._change(name, disabled_at=self._now())

    def _change(self, name: str, **values: object) -> None:
        with self._engine.begin() as connection:
            changed = connection.execute(
                sa.update(t.account).where(t.account.c.name == name).values(changed_at=self._now(), **values)
            )
            if changed.rowcount != 1:
                raise BadCase("NAME", name, "has no account: `connector user list` shows who has")
            # Somebody of the same name who came by OpenID is another person.
            self._end(connection, t.session.c.name == name, t.session.c.way.in_(["password", ""]))

    def all(self) -> list[Account]:
        """Every account by name."""
        with self._reading.connect() as connection:
            rows = connection.execute(sa.select(t.account).order_by(t.account.c.name)).all()
        return [self._account(row) for row in rows]

    def account(self, name: str) -> Account | None:
        """The account of this name."""
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(t.account).where(t.account.c.name == name)).one_or_none()
        return None if row is None else self._account(row)

    def _account(self, row: sa.Row[Any]) -> Account:
        locked = row.locked_until is not None and row.locked_until > self._now()
        return Account(
            row.name, row.password_hash, _parted(row.roles), row.disabled_at is not None,
            row.locked_until if locked else None, row.created_at,
        )  # fmt: skip

    def any_account(self) -> bool:
        """Whether somebody can sign in with a password."""
        with self._reading.connect() as connection:
            found = connection.execute(sa.select(t.account.c.name).where(t.account.c.disabled_at.is_(None)).limit(1))
            return found.first() is not None

    def begin_try(self, name: str) -> bool:
        """
        Count a try before its password is compared; False when the account is locked.

        Tries that run at the same moment count each other, so that no more than the allowed ones are compared; the one
        that turns out right takes the count back (`note_right_password`).
        """
        now = self._now()
        here = t.account.c.name == name
        open_now = t.account.c.locked_until.is_(None) | (t.account.c.locked_until <= now)
        last = t.account.c.failures + 1 >= WRONG_PASSWORDS_UNTIL_LOCKED
        with self._engine.begin() as connection:
            counted = connection.execute(
                sa.update(t.account)
                .where(here, open_now)
                .values(
                    failures=sa.case((last, 0), else_=t.account.c.failures + 1),
                    locked_until=sa.case((last, now + LOCKED_SECONDS), else_=None),
                )
            )
        return counted.rowcount == 1

    def is_locked(self, name: str) -> bool:
        """Whether nobody can sign in under this name for now."""
        account = self.account(name)
        return account is not None and account.locked_until is not None

    # Addresses

    def too_many_failures(self, address: str) -> bool:
        """Whether this address failed so often lately that it must wait."""
        here = (t.sign_in_failure.c.address == digest_of(address)) & (
            t.sign_in_failure.c.at > self._now() - FAILURES_WITHIN_SECONDS
        )
        with self._reading.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).where(here)).scalar_one() >= MOST_FAILURES

    def note_failure(self, address: str) -> None:
        """Count a failed sign-in of an address, and forget what is long ago."""
        now = self._now()
        with self._engine.begin() as connection:
            connection.execute(
                sa.delete(t.sign_in_failure).where(t.sign_in_failure.c.at <= now - FAILURES_WITHIN_SECONDS)
            )
            connection.execute(sa.insert(t.sign_in_failure).values(address=digest_of(address), at=now))

    def note_right_password(self, name: str, *, password_hash: str | None = None) -> None:
        """Forget wrong passwords; keep a stronger hash of the same password when one was made."""
        values: dict[str, object] = {"failures": 0, "locked_until": None}
        if password_hash is not None:
            values["password_hash"] = password_hash
        with self._engine.begin() as connection:
            connection.execute(sa.update(t.account).where(t.account.c.name == name).values(values))

    # Sessions

    def begin(self, name: str, roles: Sequence[str], *, way: str) -> str:
        """Begin a session, by `password` or `openid`, and return its token, which is kept nowhere here."""
        token = secrets.token_urlsafe(32)
        now = self._now()
        with self._engine.begin() as connection:
            connection.execute(
                sa.insert(t.session).values(
                    digest=digest_of(token),
                    name=name,
                    roles=",".join(roles),
                    began_at=now,
                    seen_at=now,
                    ended_at=None,
                    way=way,
                )
            )
            # Old rows say nothing that the logbook does not say.
            connection.execute(sa.delete(t.session).where(t.session.c.began_at < now - 2 * self._longest_seconds))
        return token

    def session(self, token: str) -> Session | None:
        """The session of a token, when it was used lately, is not too old, and was not ended."""
        digest = digest_of(token)
        now = self._now()
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(t.session).where(t.session.c.digest == digest)).one_or_none()
        if row is None or not hmac.compare_digest(row.digest, digest) or row.ended_at is not None:
            return None
        if now - row.seen_at > self._idle_seconds or now - row.began_at > self._longest_seconds:
            return None
        if now - row.seen_at > min(_SEEN_EVERY_SECONDS, self._idle_seconds / 4):
            with self._engine.begin() as connection:
                connection.execute(sa.update(t.session).where(t.session.c.digest == digest).values(seen_at=now))
        return Session(digest, row.name, _parted(row.roles))

    def end(self, token: str) -> None:
        """End a session: its token is worth nothing from now on."""
        with self._engine.begin() as connection:
            self._end(connection, t.session.c.digest == digest_of(token))

    def _end(self, connection: sa.Connection, *which: sa.ColumnElement[bool]) -> None:
        connection.execute(
            sa.update(t.session).where(*which, t.session.c.ended_at.is_(None)).values(ended_at=self._now())
        )


def digest_of(token: str) -> str:
    """What is kept of a session's token."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def _parted(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))
