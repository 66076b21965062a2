"""The few things a person may decide: which is offered for what, its confirmation, and doing it once."""

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.console.comparing import compare
from connector.console.people import Person
from connector.console.site import Site, person_of, require
from connector.console.wording import short_ref
from connector.flow import RELEASE_HINT
from connector.store.acts import BY_HAND, COMPLETE, KEPT, REJECT, RELEASE, REPLAY, RESTORE, Act, Done, mark_of

SHORTEST_REASON, LONGEST_REASON = 3, 500


@dataclass(frozen=True, slots=True)
class Offer:
    """One button: what it is called, what it will do, and whether it is the one that resolves the case."""

    act: str
    name: str
    explains: str
    is_main: bool = False


OFFERS = {
    RELEASE: Offer(RELEASE, "Release", "You confirm that the images and the record are of one and the same person."
        " The study is assessed at once, and goes on into the PACS and into this record.", is_main=True),
    REPLAY: Offer(REPLAY, "Try again", "The step is tried again from its beginning. Do this after what stopped it was"
        " put right.", is_main=True),
    BY_HAND: Offer(BY_HAND, "Done by hand", "You say that it was done in the PACS, the EHR or at the sender itself, and"
        " that the step is not to be tried again. Nothing is sent."),
    KEPT: Offer(KEPT, "The PACS keeps it", "You say that you looked in the PACS and found the document there. It counts"
        " as committed: it is not asked for again, and may be tidied away with its case."),
    COMPLETE: Offer(COMPLETE, "Complete now", "The study counts as complete without waiting for more images. An image"
        " that comes later makes a new assessment.", is_main=True),
    REJECT: Offer(REJECT, "Wrong patient", "The study is kept out: it is not assessed, nothing more of it is sent, and"
        " the patient's other studies are judged again without it. What was delivered before is taken back: entered in"
        " error in the EHR, rejected in the PACS; what a clinician touched there, a Task asks to retract."),
    RESTORE: Offer(RESTORE, "Not a wrong patient", "You take the mark back: the study belongs to this patient and is"
        " assessed again.", is_main=True),
}  # fmt: skip
_ROLES = (
    "This is decided by an operator. Whose images these are is decided by an operator, clinician or physicist who"
    " signed in by name, because images and record are compared first."
)
# What the page of a decision says of a document that arrived and that the PACS never answered for.
_NO_WORD = {"state": "done", "reason": "the PACS never said whether it keeps it"}
_ABOUT_IDENTITY = (RELEASE, REJECT, RESTORE)


def offered(study: dict[str, Any], person: Person) -> list[Offer]:
    """What this person may decide about a study as it stands; the one that resolves it comes first."""
    found = []
    if study["kept"] == "rejected":
        found.append(RESTORE)
    else:
        if study["job_state"] == "set_aside":
            found.append(RELEASE if RELEASE_HINT in (study["reason"] or "") else REPLAY)
        elif study["job_state"] == "parked":
            found.append(REPLAY)
        elif study["kept"] in ("receiving", "incomplete", "kept_out"):
            found.append(COMPLETE)
        if study["kept"] != "prior":
            found.append(REJECT)
    return [OFFERS[act] for act in found if person.may(act)]


def routes(site: Site) -> list[Route]:
    """Confirmation and act, for a study of a case and for a stopped step."""

    async def of_study(request: Request) -> Response:
        return await _decide(request, request.path_params["act"])

    async def of_step(request: Request) -> Response:
        return await _decide(request, request.url.path.rpartition("/")[2])

    async def _decide(request: Request, act: str) -> Response:
        require(person_of(request).may(act), _ROLES)
        subject = await run_in_threadpool(_subject, site, request, act)
        subject |= await run_in_threadpool(_compared, site, person_of(request), subject, act)
        if request.method == "GET":
            return await run_in_threadpool(
                site.page, request, "confirm.html", offer=OFFERS[act], subject=subject, wrong="", reason="",
                key=None, seen=subject["seen"],
            )  # fmt: skip
        return await _do(request, act, subject)

    async def _do(request: Request, act: str, subject: dict[str, Any]) -> Response:
        fields = await site.form(request)
        reason = " ".join(fields.get("reason", "").split())
        key = fields.get("action_key", "")
        if not key or len(key) > 64:  # noqa: PLR2004 - what the ledger holds
            raise HTTPException(400, "The form lacks its key: load the page again and send it once more.")
        if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
            return await run_in_threadpool(
                site.page, request, "confirm.html", status=422, offer=OFFERS[act], subject=subject, reason=reason,
                wrong=f"Give a reason of {SHORTEST_REASON} to {LONGEST_REASON} letters: it stands in the logbook.",
                key=key, seen=fields.get("seen", ""),
            )  # fmt: skip
        asked = Act(act, subject["ref"], person_of(request).name, reason, key, fields.get("seen", "")[:64])
        done = await run_in_threadpool(site.acts.act, asked)
        return await _answer(request, OFFERS[act], done, subject)

    async def _answer(request: Request, offer: Offer, done: Done, subject: dict[str, Any]) -> Response:
        if done.done:
            # The way back is looked at with GET, so that loading it again does nothing again.
            return RedirectResponse(f"{subject['back']}?done={offer.act}", status_code=303)
        return await run_in_threadpool(
            site.page, request, "not_done.html", status=409, offer=offer, text=done.text, back=subject["back"]
        )

    both = ["GET", "POST"]
    return [
        Route("/cases/{case_ref}/studies/{study}/{act}", _known(of_study), methods=both),
        Route("/steps/{job_id}/replay", of_step, methods=both),
        Route("/steps/{job_id}/by_hand", of_step, methods=both),
        Route("/steps/{job_id}/kept", of_step, methods=both),
    ]


def _known(endpoint: Any) -> Any:
    async def checked(request: Request) -> Response:
        if request.path_params["act"] not in OFFERS or request.path_params["act"] in (BY_HAND, KEPT):
            raise HTTPException(404, "There is no such decision.")
        answer: Response = await endpoint(request)
        return answer

    return checked


def _compared(site: Site, person: Person, subject: dict[str, Any], act: str) -> dict[str, Any]:
    """Whom images and record name, where that is what is decided about; it is written down who saw it."""
    if act not in _ABOUT_IDENTITY or not person.compares_identity:
        return {"compared": []}
    uid, case_ref = subject["ref"], subject["case_ref"]
    return comparison(site, person, uid, case_ref)


def comparison(site: Site, person: Person, study_instance_uid: str, case_ref: str) -> dict[str, Any]:
    """Images and record line by line, and when the record was read (None: it did not contradict)."""
    images, seen = site.studies.identity(study_instance_uid), site.contradicting.record(study_instance_uid)
    site.logbook.note_look("identity_shown", actor=person.name, ref=study_instance_uid, case_ref=case_ref)
    return {
        "compared": compare(images, seen.identity if seen else None),
        "images_are_read": images is not None,
        "record_read_at": seen.read_at if seen else None,
    }


def _subject(site: Site, request: Request, act: str) -> dict[str, Any]:
    """What is decided about. Raises HTTPException 404."""
    if "job_id" in request.path_params:
        job_id = request.path_params["job_id"]
        unanswered = (one | {"id": one["job_id"], **_NO_WORD} for one in site.unanswered()[1])
        job = next((one for one in (*site.worklist.stopped(), *unanswered) if one["id"] == job_id), None)
        return {
            "ref": job_id, "back": "/steps", "case_ref": job["case_ref"] if job else None, "study": None,
            "reason": job["reason"] if job else None, "state": job["state"] if job else "no longer stopped",
            "seen": mark_of(job["state"], job["changed_at"]) if job else "", "delivered": [],
        }  # fmt: skip
    case_ref, named = request.path_params["case_ref"], request.path_params["study"]
    found = site.worklist.case(case_ref)
    studies = found["studies"] if found else []
    study = next((one for one in studies if short_ref(one["study_instance_uid"]) == named), None)
    if found is None or study is None:
        raise HTTPException(404, "There is no such study of this case.")
    stopped = act in (RELEASE, REPLAY) and study["job_state"] is not None
    uid = study["study_instance_uid"]
    return {
        "ref": study["job_id"] if act == REPLAY else uid,
        "back": f"/cases/{case_ref}",
        "case_ref": case_ref,
        "study": study,
        "reason": study["reason"],
        "state": study["state"],
        "seen": mark_of(study["job_state"], study["changed_at"]) if stopped else "",
        "delivered": [
            one for one in found["documents"] if one["study_instance_uid"] == uid and one["delivered_at"] is not None
        ],
    }
