"""What the board report says of the images: which studies were assessed, and how the tumour responded."""

from collections.abc import Sequence
from typing import Any

from connector.core.assessment import Assessment, ResponseReport, VisitResponse
from connector.core.case import LesionMeasurement, LesionState, TimePoint
from connector.core.response.case import CRITERIA
from connector.report import words
from connector.report.room import AMPLE, Room

Content = dict[str, Any]

EARLIER = "in the reports of the earlier studies"


def studies(assessment: Assessment, room: Room = AMPLE) -> Content:
    """The studies by date, the latest last."""
    shown = assessment.time_points[-room.studies :]
    left_out = len(assessment.time_points) - len(shown)
    return {
        "rows": [
            _study(point, room.lesions, is_assessed=point.study_instance_uid == assessment.study_instance_uid)
            for point in shown
        ],
        "note": f"{left_out} earlier {'studies are' if left_out > 1 else 'study is'} {EARLIER}." if left_out else "",
        "absent": "" if shown else "No imaging study was read.",
    }


def _study(point: TimePoint, most_lesions: int, *, is_assessed: bool) -> list[str]:
    lesions = words.listed(map(_lesion, point.lesions), most_lesions, words.ELSEWHERE)
    liver = f"{words.tenths(float(point.liver_volume_ml))} mL" if point.liver_volume_ml is not None else words.NO_VALUE
    kind = f"{point.modality}{' (assessed)' if is_assessed else ''}"
    accession = point.accession_number or words.NO_VALUE
    return [words.day(point.studied_on), kind, accession, lesions or "none measured", liver]


def _lesion(lesion: LesionMeasurement) -> str:
    size_mm = lesion.short_axis_mm if lesion.lymph_node else lesion.long_axis_mm
    where = f"{lesion.tracking_id} {lesion.site.replace('_', ' ')}"
    if lesion.state is not LesionState.MEASURED or size_mm is None:
        return f"{where} {lesion.state.value.replace('_', ' ')}"
    return f"{where} {size_mm} mm{' short axis' if lesion.lymph_node else ''}"


def in_short(assessment: Assessment) -> str:
    """The latest response in a line."""
    response = assessment.response
    if response is None:
        return _undecided(assessment)
    last = response.visits[-1]
    overall, criteria = last.overall_response, CRITERIA.get(response.criteria, response.criteria)
    said = [f"{words.RESPONSES.get(overall, overall).capitalize()} ({overall}) on {words.day(last.on)} by {criteria}"]
    if last.sum_mm is not None:
        said.append(f"sum {last.sum_mm} mm")
    if last.change_from_baseline_percent is not None:
        said.append(f"{words.percent(last.change_from_baseline_percent)} from baseline")
    if last.change_from_nadir_percent is not None:
        said.append(f"{words.percent(last.change_from_nadir_percent)} from the smallest sum before")
    if last.new_lesion not in (None, "none"):
        said.append(f"{last.new_lesion} new lesion")
    return ", ".join(said)


def beside(assessment: Assessment, room: Room = AMPLE) -> Content:
    """What stands beside RECIST and is never mixed with it: viable tumour, treated lesions, uptake in PET."""
    lines = [*_viable(assessment), *(one.text for one in assessment.treated_lesions)]
    lines += [f"PET, {one.text}" for one in assessment.uptake]
    return {"lines": words.cut(lines, room.beside, "viability and uptake line")}


def _viable(assessment: Assessment) -> list[str]:
    viable = assessment.viable
    if viable is None:
        return []
    last = viable.response.visits[-1]
    said = [f"Viable tumour by mRECIST: {last.overall_response} on {words.day(last.on)}"]
    if last.sum_mm is not None:
        said.append(f"sum of viable diameters {last.sum_mm} mm")
    if last.change_from_baseline_percent is not None:
        said.append(f"{words.percent(last.change_from_baseline_percent)} from baseline")
    if viable.easl:
        said.append(f"by EASL {viable.easl[-1].response}")
    return [", ".join(said)]


def course(assessment: Assessment, room: Room = AMPLE) -> Content:
    """What else the course shows: markers, adverse events, choices that were made."""
    shown = assessment.findings[: room.findings]
    more = len(assessment.findings) - len(shown)
    return {
        "markers": [words.sentence(marker.text) for marker in assessment.markers],
        "findings": [[words.sentence(one.text), f"({one.source})" if one.source else ""] for one in shown],
        "note": words.left_out(more, "finding") if more else "",
    }


def response(assessment: Assessment, room: Room = AMPLE) -> Content:
    """The visits with their sums, why the last one is what it is, and the course."""
    report = assessment.response
    if report is None:
        return {"absent": f"{_undecided(assessment)}."}
    hidden = max(0, len(report.visits) - room.visits)
    visits = report.visits if not hidden else (report.visits[0], *report.visits[1 + hidden :])
    last = report.visits[-1]
    return {
        "absent": "",
        "criteria": CRITERIA.get(report.criteria, report.criteria),
        "rows": [_visit(visit, report, room.lesions) for visit in visits],
        "note": f"{_visits_are(hidden)} {EARLIER}; the picture shows all." if hidden else "",
        "why": [f"Why {last.overall_response}: {'; '.join(last.reasons)}."] if last.reasons else [],
        "course": _course(report),
        "flags": words.cut([*_flags(report), *_lesion_flags(assessment)], room.flags, "remark"),
        "picture": _sheet_in_words(report),
    }


def _visits_are(hidden: int) -> str:
    return "1 visit after the baseline is" if hidden == 1 else f"{hidden} visits after the baseline are"


def _visit(visit: VisitResponse, report: ResponseReport, most_lesions: int) -> Content:
    is_baseline = visit is report.visits[0]
    nadir = words.NO_VALUE if visit.nadir_mm is None else f"{visit.nadir_mm} mm"
    below = [visit.label] if visit.label else []
    if is_baseline:
        targets, others = (_named(ids, most_lesions) for ids in (report.target_ids, report.non_target_ids))
        below += [f"targets {targets}", f"non-targets {others}"]
    else:
        below += [
            f"targets {visit.target_response}",
            f"non-targets {visit.non_target_response}",
            f"new lesion {visit.new_lesion or 'not known'}",
        ]
    return {
        "cells": [
            words.day(visit.on),
            "not complete" if visit.sum_mm is None else f"{visit.sum_mm} mm",
            words.percent(visit.change_from_baseline_percent),
            nadir,
            words.percent(visit.change_from_nadir_percent),
        ],
        "overall": "baseline" if is_baseline else visit.overall_response,
        "below": ", ".join(below),
    }


def _named(lesions: Sequence[str], most: int) -> str:
    return words.listed(lesions, most, words.ELSEWHERE) or "none"


def _flags(response: ResponseReport) -> list[str]:
    """Remarks of all visits once each, without the codes that scripts go by."""
    flags = dict.fromkeys(words.flag(flag) for visit in response.visits for flag in visit.flags)
    return [f"{words.sentence(flag).rstrip('.')}." for flag in flags]


def _lesion_flags(assessment: Assessment) -> list[str]:
    """What the reader of the assessed images left open of single lesions, such as two sizes of one."""
    return [
        f"{lesion.tracking_id}: {flag}"
        for point in assessment.time_points
        if point.study_instance_uid == assessment.study_instance_uid
        for lesion in point.lesions
        for flag in lesion.flags
    ]


def _course(response: ResponseReport) -> str:
    best, confirmed = response.best_overall_response, response.confirmed_best_overall_response
    said = [
        f"Best overall response {best.response}{f' on {best.on}' if best.on else ''}",
        "the same with confirmation"
        if confirmed.response == best.response
        else f"but {confirmed.response} where confirmation is required",
    ]
    if (free := response.progression_free_survival) is not None:
        said.append(f"progression-free survival {free.days} days{'' if free.event else ' so far'}")
    if (lasted := response.duration_of_response) is not None:
        said.append(f"duration of response {lasted.days} days{'' if lasted.event else ' so far'}")
    return f"{', '.join(said)}."


def _sheet_in_words(response: ResponseReport) -> str:
    course = ", ".join(
        f"{visit.on}: {visit.sum_mm if visit.sum_mm is not None else 'not complete'} ({visit.overall_response})"
        for visit in response.visits
    )
    return (
        "Line chart of the sum of diameters in mm over time with the limits of PR and PD; below it, as far as known, "
        "the overall response over time with the starts of treatments, the change of each target, and a tumour marker "
        f"on a logarithmic scale. {course}."
    )


def _undecided(assessment: Assessment) -> str:
    needs = words.undecided(assessment, "response") or "measured lesions in at least two studies"
    return f"Cannot decide: needs {needs}"
