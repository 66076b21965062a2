"""Answers, to those who may come in, what our DICOMweb door does not offer: else a page for people would."""

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Authorise = Callable[[Request], str | None]


def other_routes(offered: Sequence[Route], *, authorise: Authorise) -> list[Route]:
    """A route for the rest of `/dicom-web/`: 405 with Allow for what is offered otherwise, else 501 (PS3.18, 8.5)."""

    async def answer(request: Request) -> Response:
        if authorise(request) is None:
            return PlainTextResponse("sign in first\n", 401, {"WWW-Authenticate": "Bearer"})
        partly = [route.methods or set() for route in offered if route.matches(request.scope)[0] is Match.PARTIAL]
        if allowed := sorted(set().union(*partly)):
            return PlainTextResponse(f"only {' and '.join(allowed)}\n", 405, {"Allow": ", ".join(allowed)})
        if request.url.path.endswith("/"):
            return PlainTextResponse("nothing is here: leave out the slash at the end\n", 404)
        return PlainTextResponse("not offered here: the conformance statement names the services that are\n", 501)

    return [Route("/dicom-web/{rest:path}", answer, methods=_METHODS)]
