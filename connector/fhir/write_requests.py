"""Writes what the plan proposes, as ServiceRequests and Goals inside the CarePlan: never an order by itself."""

from collections.abc import Iterable, Iterator, Sequence

from connector.core.assessment import FollowUp, Option, Reason, Selection
from connector.core.catalogue import in_words
from connector.core.rules import marks_in_words
from connector.core.selection.registry import RULE
from connector.fhir.identity import FACT_SYSTEM, MODALITY_SYSTEM
from connector.fhir.write_resource import Case, Resource, concept
from connector.terminology import Concept

_PROCEDURE = Concept("387713003", "SCT", "Surgical procedure")
_IMAGING = Concept("363679005", "SCT", "Imaging")
_CT = Concept("77477000", "SCT", "Computerized axial tomography")
_DISEASE_STATUS = Concept("97509-4", "LN", "Cancer Disease Progression")
# Rules whose measure or visit is something that a department is asked for; those that name one method have its code.
_WORK_UP: dict[str, Concept | None] = {
    "VASC-3PHASE": _CT, "GEN-PREIMG": None, "BIO-CT1000": None, "BIO-TG-RISE": None, "TAREW-IMG30": None,
    "TAREW-ANGIO": None, "TAREW-SPECT": None, "TAREW-ARTCT": _CT, "TARED-POSTIMG": None, "ABL-CEUS-END": None,
}  # fmt: skip
_VISITS: dict[str, Concept] = {"FU-CT1M": _CT, "FU-CT-PHASES": _CT}
_NO_PROCEDURE = frozenset({"systemic_therapy", "RAI", "EBRT"})
_SYMPTOMS = frozenset({"GEN-IRT-SELECT-VASC-SYM", "TACE-SYM", "SYS-LOCALFIRST"})


def because(reason: Reason) -> str:
    """A reason with its rule and source."""
    return f"{marks_in_words(reason.text)} ({reason.rule}; {reason.source})"


def treatments(case: Case, preferred: Iterable[Option]) -> Iterator[Resource]:
    """One proposal for each preferred treatment; what leaves the decision to the board asks for no procedure."""
    for option in preferred:
        if option.modality == "board_only":
            continue
        text = option.modality.replace("_", " ")
        code = {"coding": [{"system": MODALITY_SYSTEM, "code": option.modality}], "text": text}
        notes = [f"{text}: preferred, rank {option.rank}", *map(because, option.because)]
        category = None if option.modality in _NO_PROCEDURE else _PROCEDURE
        yield _request(case, f"treatment-{option.modality}", code, notes, category=category)


def work_up(case: Case, selection: Selection, preferred: frozenset[str]) -> Iterator[Resource]:
    """What to find out first: the facts that leave the answer open, and the work-up of the preferred treatments."""
    for name in selection.blocking:
        code = {"coding": [{"system": FACT_SYSTEM, "code": name}], "text": f"Find out: {in_words(name)}"}
        yield _request(case, f"fact-{name}", code, ["Without it the selection cannot decide."])
    seen: set[str] = set()
    for measure in selection.measures:
        rule = RULE.get(measure.rule)
        if measure.rule not in _WORK_UP or measure.rule in seen or rule is None:
            continue
        seen.add(measure.rule)
        if not rule.options or not preferred.isdisjoint(rule.options):
            code = _code(_WORK_UP[measure.rule], marks_in_words(measure.text), measure.rule)
            yield _request(case, f"work-up-{measure.rule}", code, [because(measure)], category=_IMAGING)


def visits(case: Case, follow_up: Sequence[FollowUp]) -> Iterator[Resource]:
    """One proposal for each visit: dated when the procedure was done, in words until then."""
    for number, visit in enumerate(follow_up, 1):
        code = _code(_VISITS.get(visit.rule), marks_in_words(visit.what), visit.rule)
        notes = [f"{visit.when} ({visit.rule}; {visit.source})"]
        day = {"occurrenceDateTime": visit.due_on.isoformat()} if visit.due_on else {}
        is_imaging = visit.rule in _VISITS or "imaging" in visit.what.casefold()
        yield _request(
            case, f"visit-{number}-{visit.rule}", code, notes, category=_IMAGING if is_imaging else None, **day
        )


def goals(case: Case, selection: Selection, preferred: frozenset[str]) -> Iterator[Resource]:
    """What the treatment is for, once one is proposed: control, without serious harm, and relief of symptoms."""
    if not preferred - {"board_only"}:
        return
    control = {"measure": concept(_DISEASE_STATUS), "detailString": "complete response, partial response or stable"}
    yield _goal(case, "control", "Disease control by RECIST 1.1 at the first imaging after treatment", [control])
    yield _goal(case, "safety", "No adverse event of CTCAE grade 3 or more in the first month after treatment")
    if not _SYMPTOMS.isdisjoint(selection.rules_fired):
        yield _goal(case, "symptoms", "Symptoms fall by more than 25 % (Cazzato 2018, Embolization)")


def _code(method: Concept | None, words: str, rule: str) -> Resource:
    return concept(*([method] if method else []), text=words, local=rule)


def _request(
    case: Case, name: str, code: Resource, notes: Sequence[str], *, category: Concept | None = None, **more: str
) -> Resource:
    """A contained resource has no label and no narrative of its own (dom-5)."""
    condition = case.record.references.get("condition.liver_metastases")
    return {
        "resourceType": "ServiceRequest",
        "id": name.replace("_", "-"),
        "status": "draft",
        "intent": "proposal",
        **({"category": [concept(category)]} if category else {}),
        "code": code,
        "subject": case.subject,
        **more,
        "authoredOn": case.day,
        "requester": case.device,
        **({"reasonReference": [{"reference": condition}]} if condition else {}),
        "note": [{"text": "\n".join(notes)}],
    }


def _goal(case: Case, name: str, words: str, target: Sequence[Resource] = ()) -> Resource:
    condition = case.record.references.get("condition.liver_metastases")
    return {
        "resourceType": "Goal",
        "id": f"goal-{name}",
        "lifecycleStatus": "proposed",
        "description": {"text": words},
        "subject": case.subject,
        **({"target": list(target)} if target else {}),
        **({"addresses": [{"reference": condition}]} if condition else {}),
    }
