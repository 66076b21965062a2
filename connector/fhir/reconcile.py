"""Compares a document with what the EHR holds and says what to write: no network, so every case can be tested."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from connector.core.errors import Refused
from connector.fhir.identity import IDENTIFIER_SYSTEM, content_digest, written_digest
from connector.fhir.resource import Json, items, members, patient_of, reference_of, short_reference
from connector.fhir.write_transaction import tagged

Resource = dict[str, Any]

# What a resource of ours becomes when the newer result no longer says it.
RETIRED_STATUS = {
    "CarePlan": "revoked",
    "Task": "cancelled",
    "DetectedIssue": "cancelled",
    "Observation": "entered-in-error",
}
_RETRACTED = "entered-in-error"  # the study turned out to be a wrong patient's
SAID_ONCE = ("Communication",)  # created, never replaced
RETRACTION = "retraction"  # how the identifier of our request to a person to retract something ends
OPEN_STATUS = {"CarePlan": "draft", "Task": "requested", "DetectedIssue": "preliminary", "Observation": "preliminary"}
_MOST_NOTES = 6
_DAY = len("2026-01-31")


class Standing(Enum):
    """How a resource of the document stands to the EHR's copy."""

    NEW = "new"
    SAME = "same"
    REPLACES = "replaces"
    KEPT = "kept"  # someone else touched it: it is never overwritten


@dataclass(frozen=True, slots=True)
class Write:
    """One resource to write; `current` is the version that it replaces."""

    full_url: str
    resource: Resource
    current: Json | None = None


@dataclass(slots=True)
class Plan:
    """What to write, in order, which urn is which existing resource, and what a person should know."""

    writes: list[Write] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def note(self) -> str:
        """The notes as one text."""
        more = len(self.notes) - _MOST_NOTES
        return "; ".join([*self.notes[:_MOST_NOTES], *([f"and {more} more"] if more > 0 else [])])


@dataclass(frozen=True, slots=True)
class State:
    """What the EHR holds: copies by the fullUrl of the document's entries, and all our resources of the patient."""

    current: Mapping[str, Json]
    ours: Sequence[Json] = ()


def reconcile(
    entries: Sequence[Json], state: State, study_day: str = "", studies: frozenset[str] = frozenset()
) -> Plan:
    """
    Decide what to write; `study_day` is the day of the assessed images.

    `studies` are those of the whole document where its EHR takes only some of the `entries` (see `studies_of`).

    Equal content is left alone; our own untouched draft is replaced; what a clinician touched is kept, and the Task
    says so. Our drafts of earlier studies, and what a changed result no longer says, are retired. Raises Refused when
    a resource belongs to another patient.
    """
    types = {str(entry["fullUrl"]): str(entry["resource"]["resourceType"]) for entry in entries}
    plan = Plan()
    wanted = {str(entry["fullUrl"]): dict(entry["resource"]) for entry in entries}
    _refuse_other_patients(wanted, state.current)
    if _is_outdated(wanted, state):
        plan.notes.append("a later result of this study stands, so nothing was written")
        return plan
    _yield_to_later_study(wanted, state, plan, study_day)
    revoked = _earlier_plans(wanted, state, plan)
    _name_replaced_plans(wanted, revoked, state)
    standings = {
        url: _standing(one, state.current.get(url), types) for url, one in wanted.items() if own_identifier(one)
    }
    _point_task_to_kept_plan(wanted, standings, state, types, plan)
    changed = []
    for url, resource in wanted.items():
        current = state.current.get(url)
        standing = standings.get(url)
        if current is not None:
            plan.places[url] = reference_of(current)
        if standing in (Standing.NEW, Standing.REPLACES):
            plan.writes.append(Write(url, tagged(resource, types), current))
            changed.append(url)
        elif standing is Standing.KEPT:
            plan.notes.append(f"{resource['resourceType']} was edited or activated in the EHR and is kept")
    retired = [*revoked, *_no_longer_said(wanted, state, studies or studies_of(entries))]
    plan.writes += [_retired(one) for one in retired]
    targets = [{"reference": target} for target in (*changed, *map(reference_of, retired))]
    if targets:
        plan.writes += [Write(url, {**wanted[url], "target": targets}) for url in _of_kind(wanted, "Provenance")]
    return plan


def own_identifier(resource: Json) -> str | None:
    """Our identifier of a resource; None when it is not ours."""
    for identifier in members(resource, "identifier"):
        if identifier.get("system") == IDENTIFIER_SYSTEM:
            return str(identifier.get("value"))
    return None


def is_untouched(resource: Json) -> bool:
    """Whether the resource still says what we wrote; a server that lost our tag makes it count as touched."""
    return written_digest(resource) == content_digest(resource)


def asks_to_retract(resource: Json) -> bool:
    """Whether a Task or message of ours asks a person to retract what only a person may."""
    return (own_identifier(resource) or "").endswith(f":{RETRACTION}")


def about(resource: Json) -> str | None:
    """The patient of a resource, also of a Task."""
    reference = items(resource, "for").get("reference")
    return short_reference(reference) if isinstance(reference, str) else patient_of(resource)


def _standing(resource: Resource, current: Json | None, types: Mapping[str, str]) -> Standing:
    if current is None:
        return Standing.NEW
    if resource["resourceType"] in SAID_ONCE or content_digest(resource, types) == content_digest(current):
        return Standing.SAME
    kind = resource["resourceType"]
    # What we retired, or retracted, and nobody touched since, may be said again: a correction was taken back.
    ours = (OPEN_STATUS.get(kind), RETIRED_STATUS.get(kind), _RETRACTED)
    still_open = kind not in OPEN_STATUS or current.get("status") in ours
    return Standing.REPLACES if is_untouched(current) and still_open else Standing.KEPT


def _refuse_other_patients(wanted: Mapping[str, Resource], current: Mapping[str, Json]) -> None:
    for url, resource in wanted.items():
        held = current.get(url)
        if held is not None and about(resource) is not None and about(held) != about(resource):
            kind = resource["resourceType"]
            raise Refused(f"the EHR holds our {kind} under another patient: find out how, then replay")


def _of_kind(wanted: Mapping[str, Resource], kind: str) -> Iterator[str]:
    return (url for url, resource in wanted.items() if resource["resourceType"] == kind)


def _is_outdated(wanted: Mapping[str, Resource], state: State) -> bool:
    """Whether the plan or report that stands was made on a later day: a document that comes late changes nothing."""
    return any(
        str(state.current.get(url, {}).get(dated, ""))[:_DAY] > str(wanted[url][dated])[:_DAY]
        for kind, dated in (("CarePlan", "created"), ("DocumentReference", "date"))
        for url in _of_kind(wanted, kind)
    )


def _yield_to_later_study(wanted: dict[str, Resource], state: State, plan: Plan, study_day: str) -> None:
    """A late document of an earlier study never supersedes the plan of a later one, nor revives its own."""
    later = bool(study_day) and any(_study_day(one) > study_day for one in state.ours)
    for url in [*_of_kind(wanted, "CarePlan")]:
        current = state.current.get(url)
        later |= current is not None and current.get("status") == "revoked" and is_untouched(current)
    if not later:
        return
    dropped = [url for kind in ("CarePlan", "Task", "Communication") for url in _of_kind(wanted, kind)]
    for url in dropped:
        del wanted[url]
    if dropped:
        plan.notes.append("the plan of a later study stands, so this one was not written")


def _earlier_plans(wanted: Mapping[str, Resource], state: State, plan: Plan) -> list[Json]:
    """Our plans that a new one supersedes; one that a clinician touched stays and is told."""
    urls = list(_of_kind(wanted, "CarePlan"))
    if not urls:
        return []
    identifier = own_identifier(wanted[urls[0]])
    earlier = []
    for one in state.ours:
        if one["resourceType"] != "CarePlan" or own_identifier(one) == identifier:
            continue
        if one.get("status") == "draft" and is_untouched(one):
            earlier.append(one)
        elif one.get("status") not in ("revoked", "entered-in-error", "completed"):
            plan.notes.append("an earlier CarePlan was edited or activated in the EHR and is kept beside the new one")
    return earlier


def _name_replaced_plans(wanted: dict[str, Resource], revoked: Sequence[Json], state: State) -> None:
    for url in _of_kind(wanted, "CarePlan"):
        known = {reference_of(one) for one in revoked}
        known |= {str(one.get("reference")) for one in members(state.current.get(url, {}), "replaces")}
        if known:
            wanted[url] = {**wanted[url], "replaces": [{"reference": reference} for reference in sorted(known)]}


def _point_task_to_kept_plan(
    wanted: dict[str, Resource],
    standings: dict[str, Standing],
    state: State,
    types: Mapping[str, str],
    plan: Plan,
) -> None:
    """When the plan of this study was touched, the new proposal goes to the board as a Task on the plan as it is."""
    for url in _of_kind(wanted, "CarePlan"):
        if standings[url] is not Standing.KEPT or state.current[url].get("status") == "revoked":
            continue
        proposed = _proposed(wanted[url])
        text = "The plan was edited or activated by a clinician and was left as it is. The software now proposes:"
        for task in _of_kind(wanted, "Task"):
            wanted[task] = {**wanted[task], "description": "\n".join([text, *proposed])}
            standings[task] = _standing(wanted[task], state.current.get(task), types)
            plan.notes.append("the changed proposal went to the board as a Task")


def _proposed(plan: Resource) -> list[str]:
    """What a plan says of each activity: its own words, or the note of the request inside the plan."""
    notes = {
        f"#{one.get('id')}": "\n".join(str(note.get("text", "")) for note in members(one, "note"))
        for one in members(plan, "contained")
    }
    return [
        str(items(one, "detail").get("description", "")) or notes.get(str(items(one, "reference").get("reference")), "")
        for one in members(plan, "activity")
    ]


def studies_of(entries: Sequence[Json]) -> frozenset[str]:
    """The studies that a whole document tells of; its RiskAssessment is the one resource that is always there."""
    resources = (entry["resource"] for entry in entries)
    return frozenset(_study_of(one) for one in resources if one["resourceType"] == "RiskAssessment")


def _no_longer_said(wanted: Mapping[str, Resource], state: State, studies: frozenset[str]) -> list[Json]:
    """
    Our untouched resources that the new result does not repeat.

    Observations and issues of the same study, and open review Tasks of the patient when there is a new Task. A request
    to retract a wrong patient's study waits for its person until that study is said again.
    """
    kept = {own_identifier(resource) for resource in wanted.values()}
    has_task = any(True for _ in _of_kind(wanted, "Task"))
    old = []
    for one in state.ours:
        kind = one["resourceType"]
        repeats = own_identifier(one) in kept
        if repeats or kind == "CarePlan" or one.get("status") != OPEN_STATUS.get(kind) or not is_untouched(one):
            continue
        is_review = kind == "Task" and not asks_to_retract(one)
        if has_task if is_review else _study_of(one) in studies:
            old.append(one)
    return old


def _study_of(resource: Json) -> str:
    """The study that our identifier begins with."""
    return (own_identifier(resource) or "").split(":", maxsplit=1)[0]


def _retired(resource: Json) -> Write:
    retired = {**resource, "status": RETIRED_STATUS[resource["resourceType"]]}
    return Write(f"urn:retired:{reference_of(resource)}", tagged(retired, {}), resource)


def plan_day(plan: Json) -> str:
    """The day of the study that a plan stands on; ISO days compare as text."""
    return str(items(plan, "period").get("start", ""))[:_DAY]


def _study_day(resource: Json) -> str:
    """The day of the study that a plan or a result of ours stands on; empty for what stands no more."""
    if resource.get("status") == _RETRACTED:
        return ""
    if resource["resourceType"] == "CarePlan":
        return plan_day(resource)
    if resource["resourceType"] == "Observation":
        return str(resource.get("effectiveDateTime", ""))[:_DAY]
    return ""
