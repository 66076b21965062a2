"""What others told us: HL7 messages that wait for a person, and what clinicians did with our cards in the EHR."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.console.site import Site, person_of, require

_ROLES = "This page is for operators, clinicians and physicists: have a role given to you."


def routes(site: Site) -> list[Route]:
    """One page; messages are the operator's, comments on cards, which may name the patient, are for who may know."""

    async def messages(request: Request) -> Response:
        person = person_of(request)
        require(person.is_operator or person.is_clinical, _ROLES)
        waiting = await run_in_threadpool(site.waiting_messages) if person.is_operator else []
        return await run_in_threadpool(
            site.page, request, "messages.html", waiting=waiting,
            feedback=await run_in_threadpool(site.card_feedback),
        )  # fmt: skip

    return [Route("/messages", messages)]
