"""Writes what asks the board to act: an issue for each rule that excludes a treatment, and the task to review."""

from collections.abc import Sequence

from connector.core.assessment import Reason, Selection
from connector.core.catalogue import in_words
from connector.core.rules import marks_in_words
from connector.fhir.identity import CODE_SYSTEM
from connector.fhir.resource import Json
from connector.fhir.write_care_plan import DISCLAIMER
from connector.fhir.write_resource import Case, Resource, new, reference_to

_CATEGORIES = "http://terminology.hl7.org/CodeSystem/communication-category"
REVIEW = "Review the treatment proposal of the software in the tumour board"


def write_issues(case: Case, selection: Selection) -> list[Resource]:
    """One DetectedIssue for each rule that excludes a treatment, and one when the facts contradict each other."""
    blocked: dict[str, tuple[Reason, list[str]]] = {}
    for option in selection.options:
        if option.verdict == "excluded":
            for reason in option.because:
                blocked.setdefault(reason.rule, (reason, []))[1].append(option.modality)
    issues = [_issue(case, reason, modalities) for _, (reason, modalities) in sorted(blocked.items())]
    if selection.contradictions:
        issues.append(_contradiction(case, selection.contradictions))
    return issues


def _contradiction(case: Case, facts: Sequence[str]) -> Resource:
    text = "Facts of the record contradict each other, so nothing is preferred"
    detail = f"{text}: {', '.join(map(in_words, facts))}. Correct the record; the case is then assessed again."
    return new(
        "DetectedIssue",
        case.of_study("issue:contradictory-data"),
        says=[detail],
        status="preliminary",
        code={"coding": [{"system": CODE_SYSTEM, "code": "contradictory-data"}], "text": text},
        severity="moderate",
        patient=case.subject,
        identifiedDateTime=case.day,
        author=case.device,
        detail=detail,
    )


def _issue(case: Case, reason: Reason, modalities: list[str]) -> Resource:
    said = marks_in_words(reason.text)
    detail = f"{said} Excludes {', '.join(modalities)}."
    return new(
        "DetectedIssue",
        case.of_study(f"issue:{reason.rule}"),
        says=[detail, str(reason.source)],
        status="preliminary",
        code={"coding": [{"system": CODE_SYSTEM, "code": reason.rule}], "text": said},
        severity="high",
        patient=case.subject,
        identifiedDateTime=case.day,
        author=case.device,
        detail=f"{detail} ({reason.source})",
    )


def write_task(case: Case, plan: Resource, owner: str | None) -> Resource:
    """The request to review one result; `owner` is the board's reference in the EHR, when it is configured."""
    return new(
        "Task",
        case.of_result("review"),
        says=[REVIEW],
        status="requested",
        intent="proposal",
        priority="routine",
        code={"text": REVIEW},
        description=DISCLAIMER,
        focus=reference_to(plan),
        **{"for": case.subject},
        authoredOn=case.day,
        lastModified=case.day,
        requester=case.device,
        owner={"reference": owner} if owner else None,
    )


def as_message(task: Json, about: Json | None, *, title: str = REVIEW) -> Resource:
    """
    The request to a person as a Communication, for an EHR that takes no Task from outside.

    `about` is the DocumentReference that holds the proposal, when one is written.
    """
    identifier = str(task["identifier"][0]["value"])
    return new(
        "Communication",
        identifier,
        says=[title, DISCLAIMER],
        status="completed",
        category=[{"coding": [{"system": _CATEGORIES, "code": "notification"}]}],
        priority=task["priority"],
        subject=task["for"],
        about=[reference_to(about)] if about else None,
        sent=f"{task['authoredOn']}T00:00:00Z",
        recipient=[task["owner"]] if "owner" in task else None,
        sender=task["requester"],
        payload=[{"contentString": f"{title}. {task['description']}"}],
    )
