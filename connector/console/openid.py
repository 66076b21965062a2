"""Signing in through an OpenID provider: authorization code with PKCE, state and nonce, roles from a claim."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.console.sign_in import enter
from connector.console.site import Site
from connector.logs import get_logger

log = get_logger("console.openid")
BACK = "/sign-in/openid/back"
_TO = "connector_to"
_MINUTES_FOR_SIGN_IN = 15


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider, and how its claims become a name and roles."""

    issuer: str
    client_id: str
    client_secret: str
    scope: str
    name_claim: str
    role_claim: str
    roles_of_groups: Mapping[str, Sequence[str]]
    back_url: str = ""  # as registered there; empty: of the address that the browser used
    tls: ssl.SSLContext | bool = True  # whose certificates are trusted; True: the public CAs

    def roles(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """The roles of a person; none means that the person may not come in."""
        found: Any = claims
        for part in self.role_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        groups = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        return tuple(sorted({role for group in groups for role in self.roles_of_groups.get(str(group), ())}))

    def name(self, claims: Mapping[str, Any]) -> str:
        """What stands in the logbook: of the chosen claim, else the subject, which is always there."""
        return str(claims.get(self.name_claim) or claims["sub"])[:128]


def routes(site: Site, provider: Provider, key: bytes) -> list[Route]:
    """The way to the provider and back."""
    from authlib.integrations.starlette_client import OAuth  # noqa: PLC0415 - only sites with a provider load it

    client = OAuth().register(
        "provider",
        client_id=provider.client_id,
        client_secret=provider.client_secret or None,
        server_metadata_url=provider.issuer.rstrip("/") + "/.well-known/openid-configuration",
        client_kwargs={
            "verify": provider.tls,
            "scope": provider.scope,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": "client_secret_basic" if provider.client_secret else "none",
        },
    )

    async def go(request: Request) -> Response:
        request.session[_TO] = request.query_params.get("to", "/")
        back = provider.back_url or str(request.url.replace(path=BACK, query="", fragment=""))
        try:
            answer: Response = await client.authorize_redirect(request, back)
        except Exception as fault:  # noqa: BLE001 - whatever the network does, the person gets a page
            return await _failed(request, fault)
        return answer

    async def back(request: Request) -> Response:
        to = str(request.session.get(_TO, "/"))
        try:
            token = await client.authorize_access_token(request)
            claims = dict(token.get("userinfo") or {})
            if not provider.roles(claims) and token.get("access_token"):
                # Many providers put groups only into the answer of their userinfo endpoint.
                more = dict(await client.userinfo(token=token))
                claims |= more if more.get("sub") == claims.get("sub") else {}
            name, roles = provider.name(claims), provider.roles(claims)
        except Exception as fault:  # noqa: BLE001 - a forged, outdated or refused sign-in gets a page and no session
            return await _failed(request, fault)
        request.session.clear()
        if not roles:
            await run_in_threadpool(
                site.logbook.note, "sign_in_failed", actor=name, ref="sign-in", detail="OpenID, but no role"
            )
            return await run_in_threadpool(
                site.refuse, request, status=403, title="You have no role here",
                text="You are known to your organisation's sign-in, but none of your groups has a role in this console:"
                " ask for one.",
            )  # fmt: skip
        return await run_in_threadpool(enter, site, request, name=name, roles=roles, to=to, how="OpenID")

    async def _failed(request: Request, fault: Exception) -> Response:
        reason = getattr(fault, "error", "") or type(fault).__name__
        log.warning("openid_failed", exception_type=type(fault).__name__)
        await run_in_threadpool(
            site.logbook.note, "sign_in_failed", actor="unknown", ref="sign-in", detail=f"OpenID: {reason}"[:200]
        )
        return await run_in_threadpool(
            site.refuse, request, status=502 if isinstance(fault, OSError) else 403, title="The sign-in did not work",
            text="The sign-in at your organisation was refused, took too long, or was started in another window. Try"
            " it again; if it fails again, tell an operator.",
        )  # fmt: skip

    # What must come back unchanged (state, nonce, verifier) waits in a signed cookie of its own, for minutes.
    kept = Middleware(
        SessionMiddleware, secret_key=key.hex(), session_cookie="connector_openid", path="/sign-in",
        max_age=_MINUTES_FOR_SIGN_IN * 60, same_site="lax", https_only=provider.back_url.startswith("https://"),
    )  # fmt: skip
    return [Route("/sign-in/openid", go, middleware=[kept]), Route(BACK, back, middleware=[kept])]
