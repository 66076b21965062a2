"""Signing in and out: a password of a local user, or an OpenID provider."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.console import passwords
from connector.console.site import Site
from connector.store.accounts import Account

# One sentence for every reason: whether a name has an account, or is locked, is nobody's business.
_WRONG = (
    "The name or the password is wrong. After several wrong tries sign-in stays closed for a quarter of an hour; an"
    " operator can set a new password."
)


def routes(site: Site) -> list[Route]:
    """Pages for signing in and out with a password; `openid.routes` adds the other way."""

    async def sign_in(request: Request) -> Response:
        to = _local(request.query_params.get("to", "/"))
        if request.method != "POST":
            return await _form(request, to, "", "")
        fields = await site.form(request)
        name, to = fields.get("name", "").strip()[:128], _local(fields.get("to", "/"))
        address = request.client.host if request.client else ""
        if await run_in_threadpool(site.accounts.too_many_failures, address):
            return await _form(request, to, name, _WRONG, status=429)
        account = await run_in_threadpool(site.accounts.account, name)
        right = await run_in_threadpool(_try, site, account, name, fields.get("password", ""))
        if account is None or not right:
            await run_in_threadpool(site.accounts.note_failure, address)
            return await _form(request, to, name, _WRONG, status=401)
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


def _try(site: Site, account: Account | None, name: str, password: str) -> bool:
    """Whether the sign-in is right. Takes the same time for every name."""
    may = site.accounts.begin_try(name)  # of nobody too: it takes its time
    right = passwords.matches(account.password_hash if account else None, password)
    if account is None or account.disabled:
        # The name may be a password in the wrong field: it is not written down.
        site.logbook.note("sign_in_failed", actor="unknown", ref="sign-in", detail="no such account")
        return False
    if not may:
        site.logbook.note("sign_in_failed", actor=name, ref="sign-in", detail="the account is locked")
        return False
    if not right:
        locked = ", now locked" if site.accounts.is_locked(name) else ""
        site.logbook.note("sign_in_failed", actor=name, ref="sign-in", detail=f"wrong password{locked}")
        return False
    site.accounts.note_right_password(name, password_hash=passwords.stronger_hash(account.password_hash, password))
    return True


def enter(site: Site, request: Request, *, name: str, roles: tuple[str, ...], to: str, how: str) -> Response:
    """Begin a new session (never an old one's token) and go on to the page that was asked for."""
    before = site.cookies.session_token(request)
    if before:
        site.accounts.end(before)
    token = site.accounts.begin(name, roles, way=how.lower())
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
