"""Who may look: callers with the console's token, or, while none is set, callers on this machine only."""

import hmac
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def bearer_matches(request: Request, token: str) -> bool:
    """Compare the bearer token in constant time."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


# A proxy on this machine calls by 127.0.0.1 for somebody elsewhere, and says so in one of these.
_PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


def is_local(request: Request) -> bool:
    """Whether the caller is on this machine; a request that a proxy passed on is not, wherever the proxy is."""
    if any(name in request.headers for name in _PASSED_ON):
        return False
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def local_callers(*addresses: str) -> Callable[[Request], bool]:
    """
    Who counts as being on this machine: nobody, once an address says that people reach us under another host's name.

    Then a proxy stands before us, perhaps on this machine and perhaps one that says nowhere for whom it calls.
    """
    hosts = {urlsplit(address).hostname for address in addresses if address}
    return is_local if hosts <= LOCAL_HOSTS else _nobody


def _nobody(_: Request) -> bool:
    return False


class Guard:
    """ASGI middleware that answers 401 to whoever may not look at pages, metrics and readiness."""

    def __init__(self, app: ASGIApp, *, token: str, is_local: Callable[[Request], bool] = is_local) -> None:
        self._app = app
        self._token = token
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass or refuse it."""
        if scope["type"] == "http":
            request = Request(scope)
            allowed = bearer_matches(request, self._token) if self._token else self._is_local(request)
            if not allowed:
                refusal: Response = PlainTextResponse(
                    "not allowed: send the console token as a bearer token, or call from this machine\n",
                    status_code=401,
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)
