"""The HTTP door for subscriptions: whatever the body, an authenticated notice means "look again"."""

import hmac
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

SECRET_HEADER = "X-Connector-Secret"  # noqa: S105 - the name of the header, not a secret
_LARGEST_BODY_BYTES = 1024 * 1024


def hook_route(*, secret: str, hint: Callable[[bytes], None]) -> Route:
    """
    Make the route `POST /fhir/notify/{subscription}`.

    The secret comes in the header `X-Connector-Secret` or as a bearer token, as set in the Subscription's
    `channel.header`. Of the body only the numbers of a notification Bundle (R5 backport) are used: a rest-hook may send
    nothing or the resource as well, and what counts is read from the record itself.
    """

    async def notify(request: Request) -> Response:
        if not _authentic(request, secret):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        try:
            body = await _bounded(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return Response(status_code=413)
        await run_in_threadpool(hint, body)
        return Response(status_code=200)

    return Route("/fhir/notify/{subscription}", notify, methods=["POST"])


def _authentic(request: Request, secret: str) -> bool:
    given = request.headers.get(SECRET_HEADER) or request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode("utf-8"), secret.encode("utf-8"))


async def _bounded(request: Request) -> bytes | None:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _LARGEST_BODY_BYTES:
            return None
    return bytes(received)
