"""What the board report says, as plain data: the wording and the choice of what fits, without any layout."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.core.assessment import Assessment
from connector.core.case import PatientIdentity
from connector.core.rules import marks_in_words
from connector.ports import WriteRequest
from connector.report import answer, dose_content, response_content, treatment_content, words
from connector.report.fonts import is_shown
from connector.report.room import AMPLE, Room

Content = dict[str, Any]

TITLE = "Tumour board report: metastases of thyroid cancer"
DRAFT = "Draft for the tumour board, unverified. Decision support, not an order."


def board_content(request: WriteRequest, room: Room = AMPLE) -> Content:
    """Say everything in words and finished numbers; an absent part is a sentence that begins "Cannot decide"."""
    assessment = request.assessment
    return {
        "title": TITLE,
        "draft": DRAFT,
        "made_by": f"connector {assessment.connector_version}, rule set {assessment.ruleset}",
        "day": [assessment.assessed_on.year, assessment.assessed_on.month, assessment.assessed_on.day],
        "patient": _patient(request.identity, assessment),
        "running": _running(request.identity),
        "summary": _summary(assessment, room),
        "studies": response_content.studies(assessment, room),
        "response": response_content.response(assessment, room),
        "beside": response_content.beside(assessment, room),
        "course": response_content.course(assessment, room),
        "recommendation": treatment_content.recommendation(request, room),
        "dose": dose_content.dose(assessment, room),
        "evidence": treatment_content.evidence(assessment.selection, room),
        "care": treatment_content.care(assessment.selection, room),
        "versions": _versions(request, room),
    }


def _patient(identity: PatientIdentity, assessment: Assessment) -> Content:
    born = words.day(identity.birth_date)
    if identity.birth_date:
        born += f" ({words.age_years(identity.birth_date, assessment.assessed_on)} years)"
    numbers = [f"{one.value} ({one.system})" if one.system else one.value for one in identity.identifiers]
    rows = [
        ["Patient", words.full_name(identity)],
        ["Patient ID", ", ".join(numbers) or "not known"],
        ["Born", born],
        ["Sex", words.SEXES.get(identity.sex or "", "not known")],
    ]
    shown = all(is_shown(value) for _, value in rows)
    note = "" if shown else "The name or number holds signs that this page cannot show: compare it in the record."
    return {"rows": rows, "note": note}


def _running(identity: PatientIdentity) -> str:
    """Who the patient is, for the head of every page: a page may be parted from the others."""
    number = identity.identifiers[0].value if identity.identifiers else "ID not known"
    return f"{words.full_name(identity)} · {number} · born {words.day(identity.birth_date)}"


def _summary(assessment: Assessment, room: Room) -> list[list[str]]:
    selection = assessment.selection
    rows = [
        ["Response", response_content.in_short(assessment)],
        ["Recommendation", answer.in_short(selection)],
        ["Absorbed dose", dose_content.in_short(assessment)],
    ]
    if assessment.changes:
        rows.append(["Changed", _changed(assessment.changes, room.changes)])
    if selection and selection.alerts:
        rows.append(["Alerts", "; ".join(marks_in_words(alert.text) for alert in selection.alerts)])
    return rows


def _changed(changes: Sequence[str], most: int) -> str:
    """What it is compared with, then the first few changes: the answer itself stands before the single options."""
    lead = [line for line in changes if line.endswith(":")]
    rest = [f"{words.sentence(marks_in_words(line)).rstrip('.')}." for line in changes if not line.endswith(":")]
    return " ".join([*lead, *words.cut(rest, most, "change")])


def _versions(request: WriteRequest, room: Room) -> Content:
    assessment = request.assessment
    named = ", each named in the record's Provenance" if request.record else ""
    rows = [
        ["Made by", f"connector {assessment.connector_version}, rule set {assessment.ruleset}"],
        ["Assessed", f"study {assessment.study_instance_uid} for {words.day(assessment.assessed_on)}"],
        ["Inputs", f"{len(assessment.inputs)}{named}; digest {assessment.input_digest}"],
    ]
    if assessment.dose is not None:
        rows.append(["Dose constants", _pairs(assessment.dose.constants)])
    if assessment.response is not None and assessment.response.policies:
        policies = assessment.response.policies
        rows.append(["Response policies", "; ".join(words.policy(name, value) for name, value in policies.items())])
    warnings = [words.facts_in_words(warning) for warning in assessment.warnings]
    return {"rows": rows, "warnings": words.cut(warnings, room.warnings, "warning")}


def _pairs(named: Mapping[str, str]) -> str:
    return ", ".join(words.fact_with_value(name, value) for name, value in named.items())
