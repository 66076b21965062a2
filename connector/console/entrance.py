"""The one door to all pages: who asks, may they come in, and which headers every answer carries."""

import secrets
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.console.people import LOCAL, MACHINE, TRAINEE, Person, Way
from connector.console.site import Site
from connector.web.access import LOCAL_HOSTS, bearer_matches

# Open to whoever is not known yet.
_OPEN_PATHS = ("/sign-in", "/sign-in/openid", "/sign-in/openid/back", "/console.css", "/console.js", "/icon.svg")
_OTHER_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Entrance:
    """ASGI middleware around the pages."""

    def __init__(self, app: ASGIApp, *, site: Site, token: str) -> None:
        self._app = app
        self._site = site
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass with its person, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.nonce = secrets.token_urlsafe(16)
        guarded = _with_headers(request, send, secure=self._site.cookies.is_secure(request))
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            # No address of ours has a NUL, and PostgreSQL cannot be asked for one.
            await PlainTextResponse("there is no such page\n", status_code=404)(scope, receive, guarded)
            return
        try:
            person = await run_in_threadpool(self._person, request)
            refusal = None if person or request.url.path in _OPEN_PATHS else await self._refusal(request)
        except SQLAlchemyError:
            # Without the ledger nobody can be known: nothing is shown, and nothing is said about why.
            refusal = PlainTextResponse("the ledger does not answer: try again in a moment\n", status_code=503)
            person = None
        request.state.person = person
        await (refusal(scope, receive, guarded) if refusal else self._app(scope, receive, guarded))

    def _person(self, request: Request) -> Person | None:
        token = self._site.cookies.session_token(request)
        session = self._site.accounts.session(token) if token else None
        if session is not None:
            return Person(session.name, frozenset(session.roles), Way.SESSION)
        if self._token:
            return MACHINE if bearer_matches(request, self._token) else None
        # A page from elsewhere could make a browser ask us under its own name (DNS rebinding): our names only.
        if self._site.is_local(request) and request.url.hostname in LOCAL_HOSTS and not self._site.has_sign_in:
            return TRAINEE if self._site.made_up_patients else LOCAL
        return None

    async def _refusal(self, request: Request) -> Response:
        if not await run_in_threadpool(lambda: self._site.has_sign_in):
            return PlainTextResponse(
                "not allowed: set up a sign-in (`connector user add`, or CONNECTOR_OIDC_ISSUER), send the console token"
                " as a bearer token, or call from this machine by 127.0.0.1\n",
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if not wants_page:
            return PlainTextResponse("sign in first\n", status_code=401, headers={"WWW-Authenticate": "Bearer"})
        # Only the path comes back: it holds opaque references, and a whole address could lead elsewhere.
        return RedirectResponse(f"/sign-in?to={quote(request.url.path)}", status_code=303)


def _with_headers(request: Request, send: Send, *, secure: bool) -> Send:
    nonce = request.state.nonce
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = policy
            for name, value in _OTHER_HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
            if secure:
                headers["Strict-Transport-Security"] = "max-age=31536000"
        await send(message)

    return guarded
