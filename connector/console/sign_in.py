"""Signing in and out: a password of a local user, or an OpenID provider."""

import time
from collections import deque

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.console import passwords
from connector.console.site import Site
from connector.store.accounts import Account

# Of one address, whatever names it tries; behind a proxy everybody shares one, so it is generous.
TRIES, WITHIN_SECONDS = 30, 300.0
_MOST_ADDRESSES = 10_000
_WRONG = "The name or the password is wrong."
_LOCKED = "Too many wrong passwords: wait a quarter of an hour, or have an operator set a new password."


class Tries:
    """How often an address failed lately, in this process."""

    def __init__(self) -> None:
        self._failed: dict[str, deque[float]] = {}

    def too_many(self, address: str) -> bool:
        """Whether this address must wait."""
        failed = self._failed.get(address, deque())
        while failed and failed[0] < time.monotonic() - WITHIN_SECONDS:
            failed.popleft()
        return len(failed) >= TRIES

    def failed(self, address: str) -> None:
        """Count one."""
        if len(self._failed) >= _MOST_ADDRESSES:
            self._failed.clear()  # an attack from everywhere; the lock of each account still holds
        self._failed.setdefault(address, deque(maxlen=TRIES)).append(time.monotonic())


def routes(site: Site) -> list[Route]:
    """Pages for signing in and out with a password; `openid.routes` adds the other way."""
    tries = Tries()

    async def sign_in(request: Request) -> Response:
        to = _local(request.query_params.get("to", "/"))
        if request.method != "POST":
            return await _form(request, to, "", "")
        fields = await site.form(request)
        name, to = fields.get("name", "").strip()[:128], _local(fields.get("to", "/"))
        address = request.client.host if request.client else ""
        if tries.too_many(address):
            return await _form(request, to, name, _LOCKED, status=429)
        account = await run_in_threadpool(site.accounts.account, name)
        wrong = await run_in_threadpool(_try, site, account, name, fields.get("password", ""))
        if account is None or wrong:
            tries.failed(address)
            return await _form(request, to, name, wrong, status=401)
        return await run_in_threadpool(
            enter, site, request, name=account.name, roles=account.roles, to=to, how="password"
        )

    async def _form(request: Request, to: str, name: str, wrong: str, *, status: int = 200) -> Response:
        has_local = await run_in_threadpool(site.accounts.any_account)
        return await run_in_threadpool(
            site.page, request, "sign_in.html", status=status, to=to, name=name, wrong=wrong, has_local=has_local,
            openid_name=site.openid_name,
        )  # fmt: skip

    async def sign_out(request: Request) -> Response:
        await site.form(request)
        return await run_in_threadpool(_leave, site, request)

    return [Route("/sign-in", sign_in, methods=["GET", "POST"]), Route("/sign-out", sign_out, methods=["POST"])]


def _try(site: Site, account: Account | None, name: str, password: str) -> str:
    """Why the sign-in fails; empty when it is right. Takes the same time for every name."""
    right = passwords.matches(account.password_hash if account else None, password)
    if account is None or account.disabled:
        # The name may be a password in the wrong field: it is not written down.
        site.logbook.note("sign_in_failed", actor="unknown", ref="sign-in", detail="no such account")
        return _WRONG
    if account.locked_until is not None:
        return _LOCKED
    if not right:
        locked = site.accounts.note_wrong_password(name)
        site.logbook.note(
            "sign_in_failed", actor=name, ref="sign-in", detail="wrong password" + (", now locked" if locked else "")
        )
        return _LOCKED if locked else _WRONG
    site.accounts.note_right_password(name, password_hash=passwords.stronger_hash(account.password_hash, password))
    return ""


def enter(site: Site, request: Request, *, name: str, roles: tuple[str, ...], to: str, how: str) -> Response:
    """Begin a new session (never an old one's token) and go on to the page that was asked for."""
    before = site.cookies.session_token(request)
    if before:
        site.accounts.end(before)
    token = site.accounts.begin(name, roles)
    site.logbook.note("signed_in", actor=name, ref="sign-in", detail=f"{how}, as {', '.join(roles)}")
    response = RedirectResponse(_local(to), status_code=303)
    site.cookies.set_session(request, response, token)
    return response


def _leave(site: Site, request: Request) -> Response:
    token = site.cookies.session_token(request)
    if token:
        session = site.accounts.session(token)
        site.accounts.end(token)
        if session is not None:
            site.logbook.note("signed_out", actor=session.name, ref="sign-in")
    response = RedirectResponse("/sign-in", status_code=303)
    site.cookies.end_session(request, response)
    return response


def _local(to: str) -> str:
    """A path of this site; what could lead elsewhere leads to the worklist."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"
