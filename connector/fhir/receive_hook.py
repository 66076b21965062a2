"""The HTTP door for subscriptions: whatever the body, an authenticated notice means "look again"."""

import hmac
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

SECRET_HEADER = "X-Connector-Secret"  # noqa: S105 - the name of the header, not a secret
_LARGEST_BODY_BYTES = 1024 * 1024


def hook_route(*, secret: str, hint: Callable[[], None]) -> Route:
    """
    Make the route `POST /fhir/notify/{subscription}`.

    The secret comes in the header `X-Connector-Secret` or as a bearer token, as set in the Subscription's
    `channel.header`. The body is not used: a rest-hook may send nothing, the resource, or a notification Bundle of the
    R5 backport, and what counts is read from the record itself.
    """

    async def notify(request: Request) -> Response:
        if not _authentic(request, secret):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        try:
            if not await _is_bounded(request):
                return Response(status_code=413)
        except ClientDisconnect:
            return Response(status_code=400)
        await run_in_threadpool(hint)
        return Response(status_code=200)

    return Route("/fhir/notify/{subscription}", notify, methods=["POST"])


def _authentic(request: Request, secret: str) -> bool:
    given = request.headers.get(SECRET_HEADER) or request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode("utf-8"), secret.encode("utf-8"))


async def _is_bounded(request: Request) -> bool:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > _LARGEST_BODY_BYTES:
            return False
    return True
