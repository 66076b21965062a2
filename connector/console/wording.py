"""How times, states and names are worded on the pages; what the report words too is taken from there."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from markupsafe import Markup, escape

from connector.core.catalogue import in_words
from connector.core.response.case import CRITERIA
from connector.core.rules import marks_in_words
from connector.flow import RELEASE_HINT
from connector.report import words

STATES = {
    "set_aside": ("Set aside", "bad"),
    "failed": ("Failed", "bad"),
    "undelivered": ("Not delivered", "bad"),
    "receiving": ("Receiving", "busy"),
    "assessing": ("Assessing", "busy"),
    "delivering": ("Delivering", "busy"),
    "done": ("Done", "good"),
    "incomplete": ("Lacks a series", "bad"),
    "prior": ("Prior", "quiet"),
    "kept_out": ("Kept out", "quiet"),
    "wrong_patient": ("Wrong patient", "quiet"),
}
GROUPS = {
    "": "All",
    "needs_person": "Needs a person",
    "working": "Under way",
    "done": "Done",
    "wrong_patient": "Wrong patient",
    "prior": "Priors",
    "kept_out": "Kept out by a rule",
}
EVENTS = {
    "assessed": "Assessed",
    "committed": "Committed by the PACS",
    "commitment_reported": "Sender told what is kept",
    "commitment_not_reported": "Sender not told what is kept",
    "commitment_overdue": "No word from the PACS on keeping",
    "delivered": "Delivered",
    "document_opened": "Document opened",
    "done_by_hand": "Done by hand",
    "completed": "Completed by a person",
    "identity_released": "Identity confirmed",
    "identity_shown": "Identity shown",
    "instance_conflict": "Conflicting instance",
    "not_committed": "Not committed",
    "not_used": "Input not used",
    "parked": "Stopped: refused or given up",
    "replayed": "Tried again",
    "patients_merged": "Patient numbers merged: held",
    "message": "HL7 message taken",
    "message_set_aside": "HL7 message set aside",
    "withdrawn": "What was sent is taken back",
    "restored": "Taken back: not a wrong patient's",
    "set_aside": "Set aside",
    "sign_in_failed": "Sign-in failed",
    "signed_in": "Signed in",
    "signed_out": "Signed out",
    "viewed": "Case viewed",
    "identity_rejected": "Marked as a wrong patient's",
    "received": "Received",
    "record_read": "Record read",
    "priors_read": "Earlier studies read",
    "tidied": "Files tidied away",
    "kept_out": "Kept out by the routing rules",
    "incomplete": "Lacks a required series",
    "forced": "Completed without a required series",
    "routed_again": "Routing rules asked again",
    "mpps_in_progress": "Acquisition began",
    "mpps_completed": "Acquisition completed",
    "mpps_discontinued": "Acquisition discontinued",
    "ian_available": "Instances available",
    "ian_unavailable": "Instances not available",
    "ups_scheduled": "Assessment ordered",
    "ups_in_progress": "Order begun",
    "ups_completed": "Order completed",
    "ups_canceled": "Order ended",
}
DOCUMENTS = {
    "sr": "Measurement report (DICOM SR)",
    "rtdose": "Dose map (RT Dose)",
    "rtplan": "Plan named by the dose map (RT Plan)",
    "rrdsr": "Administration (Radiation Dose SR)",
    "pdf": "Board report (PDF)",
    "fhir": "Record drafts (FHIR transaction)",
    "rejection": "Rejection note (DICOM KOS)",
    "retraction": "Retraction (FHIR)",
}
PLACES = {"pacs": "PACS", "ehr": "EHR"}
_ENDED = re.compile(r"[.?!]( \([^()]*\))*$")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def short_ref(text: str) -> str:
    """A study as the address bar may show it: no identifier of DICOM, yet the same for the same study."""
    return sha256(text.encode()).hexdigest()[:16]


def clock(at: float | None) -> Markup | str:
    """A moment as a machine-readable element, in UTC."""
    if at is None:
        return "–"  # noqa: RUF001 - an en dash, as tables have it
    moment = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%d %H:%M:%S")
    )


def age(seconds: float) -> str:
    """How long ago, in the largest unit that fits."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def on_page(reason: str) -> str:
    """A reason as a page says it, where a button stands for the command."""
    return reason.replace(RELEASE_HINT, "release the study")


def full_stop(text: str) -> str:
    """The text with a full stop at its end, unless a sentence has ended there, or before a mark in brackets."""
    bare = text.rstrip(". ")
    return bare if _ENDED.search(bare) else f"{bare}."


def is_lead(change: str) -> bool:
    """Whether a line of changes says what they are compared with."""
    return change.endswith(":")


def in_code(text: str) -> Markup:
    """A meaning of a setting, with what stands between backquotes as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup().join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def event_name(kind: str) -> str:
    """An event in words."""
    return EVENTS.get(kind, words.sentence(kind.replace("_", " ")))


TESTS: dict[str, Callable[[str], bool]] = {"lead": is_lead}
FILTERS: dict[str, Callable[..., Any]] = {
    "clock": clock,
    "age": age,
    "sentence": words.sentence,
    "asked": words.asked,
    "event_name": event_name,
    "on_page": on_page,
    "flag": words.flag,
    "full_stop": full_stop,
    "in_code": in_code,
    "facts_in_words": words.facts_in_words,
    "without_label": words.without_label,
    "short_ref": short_ref,
    "in_words": in_words,
    "marks_in_words": marks_in_words,
    "treatment": words.treatment,
    "verdict": lambda code: words.VERDICTS.get(code, code),
    "response": lambda code: words.RESPONSES.get(code, code),
    "criteria": lambda code: CRITERIA.get(code, code),
    "change": words.percent,
    "state_name": lambda state: STATES.get(state, (state, "quiet"))[0],
    "state_tone": lambda state: STATES.get(state, (state, "quiet"))[1],
    "document_name": lambda kind: DOCUMENTS.get(kind, kind),
    "place_name": lambda place: PLACES.get(place, place),
    "tenths": words.tenths,
}
